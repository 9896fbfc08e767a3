"""A whole ingest of files full of e-mail addresses: what of them is in the snapshot."""

import random

import duckdb
import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.identities import open_identities
from endcap.ingest.privacy.keys import open_id_key
from endcap.ingest.run import Places, ingest
from endcap.schema.errors import DataError
from endcap.schema.pseudonym import Pseudonyms, column_key, pseudonym

NOW_S = 1_780_000_000.0
USERS = [f"person{number}@mail.example" for number in range(30)]
RULES = {"age": {"age_bands": 10}, "town": "keep", "card": "hash", "phone": "drop"}
BAD = (
    f"{USERS[0]},i1,not a time,purchase,30,york,c0,+44 20 7946 0958,zz-pin",
    f"{USERS[1]},,1700000000,purchase,30,york,c1,+44 20 7946 0958,zz-pin",
    f"{USERS[2]},i1",
    f'"{USERS[3]},i1,1700000000,purchase,30,york,c3,+44 20 7946 0958,zz-pin',
)


def write_log(path):
    rng = random.Random(7)
    lines = ["user_id,item_id,ts,kind,age,town,card,phone,remark"]
    for number in range(400):
        user = rng.choice(USERS)
        age, town = 20 + int(user[6 : user.index("@")]), ("york", "hull")[len(user) % 2]
        lines.append(
            f"{user},i{rng.randrange(20)},{1_700_000_000 + number * 1000},purchase,{age},{town},"
            f"card-of-{user},+44 20 7946 0958,{user} wrote"
        )
    path.write_text("\n".join([*lines, *BAD]) + "\n")
    return path


@pytest.fixture
def take_in(tmp_path):
    """Ingest the log with some settings; return the snapshot."""
    log = write_log(tmp_path / "log.csv")
    places = Places(tmp_path / "snapshots", tmp_path / "downloads", tmp_path / "var")

    def run(**settings):
        config = PrivacyConfig.model_validate(settings)
        return ingest(
            str(log), root=places.root, places=places, privacy=config, clock=lambda: NOW_S
        )

    return run


def texts(snapshot):
    """Yield (name of a file, all that stands in it)."""
    for path in sorted(snapshot.path.rglob("*")):
        if path.suffix == ".parquet":
            with duckdb.connect() as db:
                found = db.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            yield path.name, repr(found)
        elif path.is_file():
            yield path.name, path.read_text()


def users_of(snapshot, columns="user_id"):
    with duckdb.connect() as db:
        path = str(snapshot.path / "users.parquet")
        return db.execute(f"SELECT {columns} FROM read_parquet(?)", [path]).fetchall()


def test_nothing_raw_is_in_a_snapshot_and_nobody_is_lost(take_in, tmp_path):
    snapshot = take_in(columns=RULES)
    key = open_id_key(PrivacyConfig(), var=tmp_path / "var")
    for name, text in texts(snapshot):
        for secret in ("@mail", "card-of", "7946", "wrote", "zz-pin", key.hex()):
            assert secret not in text, name
    assert snapshot.manifest.user_ids == Pseudonyms(key).scheme
    assert snapshot.manifest.counts.quarantined == len(BAD)
    assert {user for (user,) in users_of(snapshot)} == {pseudonym(key, user) for user in USERS}
    cards = column_key(key, "card")
    found = users_of(snapshot, "user_id, age, town, card")
    by_user = {user: values for user, *values in found}
    assert by_user[pseudonym(key, USERS[4])] == [
        "15-24",
        ("york", "hull")[len(USERS[4]) % 2],
        pseudonym(cards, f"card-of-{USERS[4]}"),
    ]


def test_the_same_key_gives_the_same_snapshot_and_another_another(take_in):
    keys = [bytes(range(start, start + 32)).hex() for start in (0, 1)]
    one, again, other = (take_in(id_key=key) for key in (keys[0], keys[0], keys[1]))
    assert one.snapshot_id == again.snapshot_id != other.snapshot_id


def test_small_groups_lose_attributes(take_in):
    snapshot = take_in(columns={"town": "keep", "age": {"age_bands": 10}}, k_anonymity=5)
    groups = users_of(snapshot, "town, age")
    assert min(groups.count(group) for group in groups) >= 5


def test_the_map_leads_back(take_in, tmp_path):
    config = PrivacyConfig(keep_id_map=True)
    take_in(keep_id_map=True)
    key = open_id_key(config, var=tmp_path / "var")
    kept = open_identities(config, id_key=key, var=tmp_path / "var").read()
    assert kept == {pseudonym(key, user): user for user in USERS}


def test_ids_and_records_stay_when_somebody_says_so(take_in, tmp_path):
    kept = take_in(user_id="keep")
    assert {user for (user,) in users_of(kept)} == set(USERS)
    assert kept.manifest.user_ids == "keep"
    assert not (tmp_path / "var" / "keys").exists()
    records = dict(texts(take_in(keep_raw_records=True)))
    assert "@mail" in "".join(text for name, text in records.items() if name == "000000.parquet")
    assert "@mail" not in records["users.parquet"]


def test_addresses_in_another_column_are_refused(tmp_path):
    log = tmp_path / "other.csv"
    lines = ["user_id,item_id,ts,kind"]
    lines += [f"u{n},i{n}@mail.example,{1_700_000_000 + n},purchase" for n in range(9)]
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"item_id.*e-mail") as error:
        ingest(str(log), root=tmp_path / "s", clock=lambda: NOW_S)
    assert "@mail" not in str(error.value)
