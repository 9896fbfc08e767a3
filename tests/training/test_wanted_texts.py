"""Which models are told what the shop says of its items, and by which settings."""

import json
import re

import pytest

from endcap.cli.root import main
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import load_dataset, open_snapshot
from endcap.models.two_tower.model import TwoTower
from endcap.schema.errors import SettingsError
from endcap.training.config import TrainingConfig
from endcap.training.run import load_run
from endcap.training.texts import with_wanted_texts

WORDS = {"encoder": "tfidf"}
READING = {"two_tower": {"texts": True, "epochs": 1, "embedding_size": 8}}
PLACES = ("cellar", "kitchen", "garden", "attic")


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    """A shop of forty users and twelve items with names."""
    folder = tmp_path_factory.mktemp("var")
    items = [f"i{n},red lamp for the {PLACES[n % 4]}" for n in range(12)]
    (folder / "items.csv").write_text("\n".join(["item_id,name", *items]) + "\n")
    log = [
        f"u{user},i{(user + day) % 12},2020-01-{day + 1:02d},purchase"
        for user in range(40)
        for day in range(9)
    ]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id,ts,kind", *log]) + "\n")
    given = Given(items=folder / "items.csv")
    ingest(str(folder / "log.csv"), root=folder / "snapshots", given=given)
    return folder


@pytest.mark.parametrize(
    ("names", "params", "wanted"),
    [
        (("popular", "two_tower"), {}, False),
        (("popular", "two_tower"), READING, True),
        (("popular",), READING, False),
        (("popular", "content"), {}, True),
    ],
)
def test_texts_are_made_for_models_that_read_them(var, names, params, wanted):
    snapshot = open_snapshot(var / "snapshots").path
    config = TrainingConfig(params=params, texts=WORDS)
    data = load_dataset(snapshot)
    told = with_wanted_texts(data, names, snapshot, cache=var / "texts", config=config)
    assert (told.items.text is not None) == wanted
    assert wanted or told is data


def test_a_wrong_setting_is_told_before_anything_is_read(var):
    snapshot = open_snapshot(var / "snapshots").path
    config = TrainingConfig(params={"two_tower": {"texts": "perhaps"}})
    with pytest.raises(SettingsError, match="texts"):
        with_wanted_texts(
            load_dataset(snapshot), ("two_tower",), snapshot, cache=var / "texts", config=config
        )


def test_the_section_of_the_settings_reaches_the_models(monkeypatch, capsys, var):
    monkeypatch.setenv("ENDCAP_VAR", str(var))
    monkeypatch.setenv("ENDCAP_TRAINING__TRACKING", "off")
    monkeypatch.setenv("ENDCAP_TRAINING__PARAMS", json.dumps(READING))
    monkeypatch.setenv("ENDCAP_TRAINING__TEXTS__ENCODER", "tfidf")
    code, _, _ = endcap(monkeypatch, capsys, "train", "two_tower")
    assert code == 0
    model = load_run(var / "models").models["two_tower"]
    assert isinstance(model, TwoTower)
    reads = model.towers_.items.text
    assert reads is not None
    assert reads.in_features == load_words(var)
    monkeypatch.setenv("ENDCAP_TRAINING__TEXTS__ENCODER", "nobody/nothing-of-the-kind")
    code, _, said = endcap(monkeypatch, capsys, "train", "two_tower")
    assert code != 0
    assert "nobody/nothing-of-the-kind is not on this machine" in said
    assert "training.texts.encoder" in said


def load_words(var):
    """How many numbers tf-idf gives the texts of the shop."""
    snapshot = open_snapshot(var / "snapshots").path
    config = TrainingConfig(texts=WORDS)
    told = with_wanted_texts(
        load_dataset(snapshot), ("content",), snapshot, cache=var / "texts", config=config
    )
    assert told.items.text is not None
    return told.items.text.shape[1]


def endcap(monkeypatch, capsys, *arguments):
    """Run `endcap` as a shell would and return its exit code and both outputs."""
    monkeypatch.setattr("sys.argv", ["endcap", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    return stopped.value.code, said.out, re.sub(r"\s+", " ", said.err)
