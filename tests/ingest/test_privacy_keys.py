import stat
import sys
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.keys import (
    ID_KEY_FILE,
    find_id_key,
    find_map_key,
    make_key_file,
    open_id_key,
    read_key_file,
)
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import fingerprint

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


def key_file(folder: Path, text: str = KEY.hex(), *, mode: int = 0o600) -> Path:
    path = folder / "some.key"
    path.write_text(text)
    path.chmod(mode)
    return path


@posix
def test_the_first_ingest_makes_the_key_for_its_owner_alone(tmp_path, capsys):
    config = PrivacyConfig()
    assert find_id_key(config, var=tmp_path) is None
    key = open_id_key(config, var=tmp_path, make=True)
    path = tmp_path / ID_KEY_FILE
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["ids.key"]
    shown = capsys.readouterr().err
    assert fingerprint(key) in shown
    assert key.hex() not in shown
    # From then on it is found, by a server too, and nobody makes another.
    assert open_id_key(config, var=tmp_path) == key
    assert open_id_key(config, var=tmp_path, make=True) == key
    assert find_id_key(config, var=tmp_path) == key


def test_two_installs_have_two_keys(tmp_path):
    keys = {open_id_key(PrivacyConfig(), var=tmp_path / name, make=True) for name in ("a", "b")}
    assert len(keys) == 2


def test_a_server_makes_no_key(tmp_path):
    with pytest.raises(SettingsError, match="there is no key") as error:
        open_id_key(PrivacyConfig(), var=tmp_path)
    assert str(tmp_path / ID_KEY_FILE) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_processes_that_make_a_key_at_once_agree(tmp_path):
    path, start, found = tmp_path / "keys" / "ids.key", threading.Barrier(8), set()

    def make():
        start.wait()
        make_key_file(path)
        found.add(read_key_file(path, setting="x"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["ids.key"]


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_use_is_refused_with_the_mend(tmp_path, mode):
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(SettingsError) as error:
        open_id_key(PrivacyConfig(id_key_file=path), var=tmp_path)
    assert f"chmod 600 {path}" in error.value.mend
    assert KEY.hex() not in str(error.value)
    path.chmod(0o600)
    assert open_id_key(PrivacyConfig(id_key_file=path), var=tmp_path) == KEY


def test_the_setting_goes_before_the_file(tmp_path):
    path = key_file(tmp_path)
    config = PrivacyConfig.model_validate({"id_key": OTHER.hex(), "id_key_file": path})
    assert open_id_key(config, var=tmp_path) == OTHER


def test_a_named_file_that_is_gone_is_an_error_and_not_a_new_key(tmp_path):
    config = PrivacyConfig(id_key_file=tmp_path / "gone.key")
    for find in (open_id_key, find_id_key):
        with pytest.raises(SettingsError, match="cannot be read"):
            find(config, var=tmp_path)
    assert open_id_key(config, var=tmp_path, make=True) == read_key_file(
        tmp_path / "gone.key", setting="x"
    )


@pytest.mark.parametrize("text", ["", "secret-but-no-key", "00" * 32, "\udcff"])
def test_a_file_without_a_key(tmp_path, text):
    path = tmp_path / "some.key"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="holds no key") as error:
        read_key_file(path, setting="privacy.id_key_file")
    assert "secret-but" not in str(error.value)


def test_a_folder_is_no_key(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_key_file(tmp_path, setting="privacy.id_key_file")


@pytest.mark.parametrize("name", ["id_key", "map_key"])
def test_a_bad_key_is_not_quoted_and_a_good_one_not_shown(name):
    bad = "hunter2-hunter2-hunter2"
    with pytest.raises(ValidationError) as error:
        PrivacyConfig.model_validate({name: bad})
    assert bad not in error.value.errors()[0]["msg"]
    good = PrivacyConfig.model_validate({name: KEY.hex()})
    assert KEY.hex() not in f"{good!r}{good}{good.model_dump()}{good.model_dump_json()}"


def test_the_key_of_the_map(tmp_path):
    assert find_map_key(PrivacyConfig()) is None
    assert find_map_key(PrivacyConfig.model_validate({"map_key": OTHER.hex()})) == OTHER
    path = key_file(tmp_path)
    assert find_map_key(PrivacyConfig(map_key_file=path)) == KEY
    path.chmod(0o644)
    if sys.platform != "win32":
        with pytest.raises(SettingsError, match=r"map_key_file"):
            find_map_key(PrivacyConfig(map_key_file=path))
