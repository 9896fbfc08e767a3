import pytest

from endcap.schema.errors import SettingsError
from endcap.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("ENDCAP_CONFIG", "ENDCAP_SERVING__PORT"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_need_no_file_and_no_server():
    settings = load_settings()
    assert settings.stores.cache == "memory://"
    assert settings.serving.host == "127.0.0.1"


def test_flags_beat_environment_beats_file(monkeypatch, tmp_path):
    (tmp_path / "endcap.toml").write_text("[serving]\nport = 1111\n[training]\ntest_days = 7\n")
    assert load_settings().serving.port == 1111
    monkeypatch.setenv("ENDCAP_SERVING__PORT", "2222")
    assert load_settings().serving.port == 2222
    settings = load_settings(overrides={"serving": {"port": 3333}})
    assert (settings.serving.port, settings.training.test_days) == (3333, 7)


def test_another_file_by_environment(monkeypatch, tmp_path):
    (tmp_path / "other.toml").write_text("[serving]\nport = 4444\n")
    monkeypatch.setenv("ENDCAP_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().serving.port == 4444


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[serving]\nprot = 9\n", "serving.prot"),
        ("[servng]\nport = 9\n", "servng"),
        ("[serving]\nport = 99999\n", "serving.port"),
        ("port = [", "endcap.toml"),
    ],
)
def test_a_wrong_file_is_refused_and_the_place_named(tmp_path, text, named):
    (tmp_path / "endcap.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert named in str(error.value)


def test_weights_of_kinds_are_a_section_of_their_own(monkeypatch):
    monkeypatch.setenv("ENDCAP_KINDS__VIEW", "0.1")
    kinds = load_settings().kinds
    assert (kinds.view, kinds.purchase) == (0.1, 1.0)
    monkeypatch.setenv("ENDCAP_KINDS__VIEW", "-1")
    with pytest.raises(SettingsError, match=r"kinds\.view"):
        load_settings()
    monkeypatch.setenv("ENDCAP_KINDS__VIEW", "0.1")
    monkeypatch.setenv("ENDCAP_TRAINING__TARGET_KINDS", '["purchase", "stare"]')
    with pytest.raises(SettingsError, match="target_kinds"):
        load_settings()


def test_a_source_of_the_blend_that_is_not_named_weighs_nothing(monkeypatch):
    monkeypatch.setenv("ENDCAP_TRAINING__BLEND_WEIGHTS", '{"als": 2}')
    weights = load_settings().training.blend_weights
    assert weights == {"item_knn": 0.0, "als": 2.0, "two_tower": 0.0}
    monkeypatch.setenv("ENDCAP_TRAINING__BLEND_WEIGHTS", '{"asl": 2}')
    with pytest.raises(SettingsError, match="no source is called asl; known: item_knn"):
        load_settings()


@pytest.mark.parametrize("variable", ["ENDCAP_SERVING__PROT", "ENDCAP_SERVNG__PORT", "ENDCAP_NOPE"])
def test_a_misspelt_variable_is_refused_not_ignored(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert variable.removeprefix("ENDCAP_").split("__")[0] in str(error.value).upper()


def test_variables_of_the_tests_are_no_settings(monkeypatch):
    monkeypatch.setenv("ENDCAP_REQUIRE_SERVICES", "1")
    load_settings()


def test_a_missing_named_file_is_an_error(monkeypatch):
    monkeypatch.setenv("ENDCAP_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings()
