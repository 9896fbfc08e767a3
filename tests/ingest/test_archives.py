from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from endcap.ingest.archives import unpack
from endcap.schema.errors import DataError


def make(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def files_in(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_members_are_unpacked_once(tmp_path: Path) -> None:
    members = {"a/x.csv": "1", "a/b/y.csv": "22", "__MACOSX/a/._x.csv": "junk", ".hidden": "no"}
    path = make(tmp_path / "set.zip", members)
    folder = unpack(path, tmp_path / "out")
    assert folder == tmp_path / "out" / "set"
    assert files_in(folder) == {"a/b/y.csv": "22", "a/x.csv": "1"}
    (folder / "a" / "x.csv").write_text("7")  # of the same size: taken for the member
    assert files_in(unpack(path, tmp_path / "out"))["a/x.csv"] == "7"
    (folder / "a" / "x.csv").write_text("cut")
    assert files_in(unpack(path, tmp_path / "out"))["a/x.csv"] == "1"
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["set"]


@pytest.mark.parametrize("name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "C:\\evil.csv"])
def test_a_member_may_not_lie_elsewhere(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "set.zip", {"good.csv": "1", name: "2"})
    with pytest.raises(DataError, match="would lie elsewhere"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil.csv").exists()


def test_a_broken_zip_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = make(tmp_path / "set.zip", {"x.csv": "0123456789" * 1000})
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:40])
    with pytest.raises(DataError, match="damaged") as caught:
        unpack(path, tmp_path / "out")
    assert caught.value.where == str(path)
    data[45:50] = b"\0" * 5
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        unpack(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


def test_an_empty_zip_file_and_one_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="has no files"):
        unpack(make(tmp_path / "empty.zip", {}), tmp_path / "out")

    class Full:
        free = 2

    monkeypatch.setattr("endcap.ingest.archives.shutil.disk_usage", lambda _: Full())
    with pytest.raises(DataError, match="3 bytes, and 2 are free"):
        unpack(make(tmp_path / "big.zip", {"x.csv": "123"}), tmp_path / "out")
