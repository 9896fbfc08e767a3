"""From a file of e-mail addresses to a page: the bundle has pseudonyms, the visitor is known."""

from __future__ import annotations

import random

import orjson
import pytest

from endcap.bundle.read import read_bundle
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.keys import open_id_key
from endcap.ingest.run import Places, ingest
from endcap.ingest.snapshot import load_dataset
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import Pseudonyms
from endcap.serving.inside import home_answer
from endcap.training.config import TrainingConfig
from endcap.training.export import export
from endcap.training.run import train

NOW_S = 1_780_000_000.0
ANN = "ann@mail.example"


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    """A folder with the snapshot, the run and the bundle of a log of e-mail addresses."""
    var = tmp_path_factory.mktemp("var")
    rng = random.Random(3)
    users = [ANN, *(f"person{number}@mail.example" for number in range(40))]
    lines = ["user_id,item_id,ts,kind"]
    for number in range(600):
        at_s = round(NOW_S) - 864_000 + number * 600
        lines.append(f"{users[number % len(users)]},i{rng.randrange(25)},{at_s},purchase")
    log = var / "log.csv"
    log.write_text("\n".join(lines) + "\n")
    places = Places(var / "snapshots", var / "downloads", var)
    snapshot = ingest(str(log), root=places.root, places=places, clock=lambda: NOW_S)
    train(
        load_dataset(snapshot.path),
        ["popular"],
        seed=0,
        snapshot_id=snapshot.snapshot_id,
        root=var / "models",
    )
    return var


async def test_a_visitor_is_known_by_the_raw_id_that_no_file_of_the_bundle_holds(var):
    folder = export("latest", var=var, config=TrainingConfig())
    made = Pseudonyms(open_id_key(PrivacyConfig(), var=var))
    bundle = read_bundle(folder)
    assert bundle.manifest["user_ids"] == made.scheme
    assert made.of(ANN) in bundle.user_ids
    for path in folder.iterdir():
        assert b"@mail" not in path.read_bytes(), path.name
    answer = orjson.loads(await home_answer(bundle, ANN, events="memory://", pseudonyms=made))
    assert (answer["visitor"], answer["user_id"]) == ("known", ANN)
    with pytest.raises(SettingsError, match="no key"):
        await home_answer(bundle, ANN, events="memory://")
