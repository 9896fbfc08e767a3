import hashlib
import re

import pytest

from endcap.schema.artefacts import (
    commit_hash,
    file_sha256,
    publish_folder,
    read_pointer,
    scratch_folder,
    write_atomically,
)


def test_a_finished_folder_is_published_and_pointed_to(tmp_path):
    with scratch_folder(tmp_path) as folder:
        (folder / "data").write_text("x")
        publish_folder(folder, tmp_path / "one", pointer=tmp_path / "latest")
    assert read_pointer(tmp_path / "latest") == tmp_path / "one"
    assert (tmp_path / "one" / "data").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupted():
        with scratch_folder(tmp_path) as folder:
            (folder / "half").write_text("x")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_is_published_never_changes(tmp_path):
    for text in ("first", "second"):
        with scratch_folder(tmp_path) as folder:
            (folder / "data").write_text(text)
            publish_folder(folder, tmp_path / "same")
    assert (tmp_path / "same" / "data").read_text() == "first"


def test_without_a_pointer_there_is_no_folder(tmp_path):
    assert read_pointer(tmp_path / "latest") is None


def test_a_pointer_is_replaced_whole(tmp_path):
    write_atomically(tmp_path / "p", "a")
    write_atomically(tmp_path / "p", "b")
    assert (tmp_path / "p").read_text() == "b"
    assert len(list(tmp_path.iterdir())) == 1


def test_hash_of_a_file_larger_than_one_piece(tmp_path):
    data = bytes(range(256)) * 8192
    (tmp_path / "f").write_bytes(data)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_the_commit_is_a_hash_or_unknown():
    commit = commit_hash()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}\+?", commit)
