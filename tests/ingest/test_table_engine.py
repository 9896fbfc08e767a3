from __future__ import annotations

from pathlib import Path

import pytest

from endcap.ingest.engine import connect, fill, identifier, literal, plain_path


@pytest.mark.parametrize("text", ["plain", "it's", '"', "a\\b", "$x", "; DROP TABLE t --", "é\n"])
def test_text_inside_sql_is_only_text(tmp_path: Path, text: str) -> None:
    with connect(tmp_path) as db:
        query = fill("SELECT $value AS $name", value=literal(text), name=identifier(text))
        result = db.execute(query)
        assert result.description[0][0] == text
        assert result.fetchone() == (text,)


def test_a_path_is_one_file_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "[a]*?.csv"
    path.write_text("1\n")
    (tmp_path / "ax.csv").write_text("2\n")
    with connect(tmp_path) as db:
        read = "SELECT * FROM read_csv(?, columns = {'n': 'VARCHAR'}, header = false)"
        assert db.execute(read, [plain_path(path)]).fetchall() == [("1",)]


def test_the_engine_is_silent_frugal_and_keeps_to_itself(tmp_path: Path) -> None:
    wanted = {
        "enable_progress_bar": "false",
        "autoinstall_known_extensions": "false",
        "memory_limit": "2.0 GiB",
        "TimeZone": "UTC",
        "temp_directory": str(tmp_path / "spill"),
    }
    with connect(tmp_path) as db:
        found = dict(db.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert {name: found[name] for name in wanted} == wanted
