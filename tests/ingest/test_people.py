from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.pseudonyms import pseudonymise
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import column_key

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts,country,age"
T = 1_500_000_000
KEY = secrets.token_hex(32)


def keeping(**columns: Any) -> PrivacyConfig:
    return PrivacyConfig(user_id="keep", columns=columns)


def hashing(**columns: Any) -> PrivacyConfig:
    return PrivacyConfig(user_id="hash", columns=columns, id_key=KEY)


def people(snapshot: Snapshot, rows_of: Rows) -> dict[str, tuple[Any, ...]]:
    return {
        row["user_id"]: tuple(value for name, value in row.items() if name not in RESERVED)
        for row in rows_of(snapshot, "users")
    }


RESERVED = ("user_idx", "user_id")


def test_the_last_row_of_the_file_has_the_last_word(ingest_file: Ingest, rows_of: Rows) -> None:
    """Not the latest time, and not what other tools write for nothing, attribute by attribute."""
    lines = [
        f"u,a,{T + 9},UK,34",
        f"u,a,{T},DE,",
        f"u,b,{T + 1}, ,nan",
        f"u,,{T + 2},XX,99",  # refused, so it says nothing
        f"v,a,{T}, FR ,None",
        f"w,a,{T},,",
    ]
    snapshot = ingest_file("log.csv", [HEADER, *lines], privacy=keeping(country="keep", age="keep"))
    assert people(snapshot, rows_of) == {"u": ("DE", "34"), "v": ("FR", None), "w": (None, None)}
    assert snapshot.manifest.config.attributes == {"country": "keep", "age": "keep"}


def test_a_column_without_a_rule_never_gets_through(ingest_file: Ingest, rows_of: Rows) -> None:
    lines = [HEADER, f"u,a,{T},UK,34"]
    for privacy in (keeping(), keeping(country="drop", shoe="drop")):
        assert people(ingest_file("log.csv", lines, privacy=privacy), rows_of) == {"u": ()}
    one = ingest_file("log.csv", lines, privacy=keeping(age={"age_bands": 10}))
    assert people(one, rows_of) == {"u": ("25-34",)}


def test_the_file_of_users_goes_before_the_rows(
    ingest_file: Ingest, rows_of: Rows, tmp_path: Path
) -> None:
    users = tmp_path / "people.csv"
    told = ["user_id,Country,tier", "u,IT,gold", "nobody,ES,gold", " u\t,PT,", "v,,silver"]
    users.write_text("\n".join([*told, ",XX,gold", "v,GR,too,wide", "nan,GR,gold"]) + "\n")
    lines = [f"u,a,{T},UK,34", f"v,a,{T},FR,50", f"w,a,{T},DE,"]
    snapshot = ingest_file(
        "log.csv",
        [HEADER, *lines],
        users=users,
        privacy=keeping(country="keep", age="keep", tier="keep"),
    )
    assert people(snapshot, rows_of) == {
        "u": ("PT", "34", "gold"),
        "v": ("FR", "50", "silver"),
        "w": ("DE", None, None),
    }


def test_values_are_hashed_and_made_coarser(ingest_file: Ingest, rows_of: Rows) -> None:
    lines = [f"u,a,{T},UK,34", f"v,a,{T},UK,17"]
    privacy = hashing(country="hash", age={"age_bands": 10})
    snapshot = ingest_file("log.csv", [HEADER, *lines], privacy=privacy)
    key = bytes.fromhex(KEY)
    (country,) = pseudonymise(["UK"], column_key(key, "country"))
    u, v = pseudonymise(["u", "v"], key)
    assert people(snapshot, rows_of) == {u: (country, "25-34"), v: (country, "15-24")}
    assert snapshot.manifest.config.attributes["country"] == "hash"
    assert snapshot.manifest.user_ids.startswith("hmac-sha256:")


def test_increments_add_to_what_is_known_of_people(tmp_path: Path, rows_of: Rows) -> None:
    """What an earlier run hashed or made coarser is not hashed or made coarser again."""
    rows = ([f"u,a,{T},UK,34", f"v,a,{T},FR,50"], [f"u,b,{T},DE,", f"w,b,{T},FR,12"])
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for file, lines in zip(files, rows, strict=True):
        file.write_text("\n".join([HEADER, *lines]) + "\n")

    def add(root: str, *sources: Path, since: str | None = None) -> Snapshot:
        return ingest(
            [str(source) for source in sources],
            root=tmp_path / root,
            given=Given(since=since),
            privacy=hashing(country="hash", age={"age_bands": 10}),
            clock=lambda: 1.78e9,
        )

    full = add("full", *files)
    add("chain", files[0])
    chain = add("chain", files[1], since="last")
    assert chain.manifest.files == full.manifest.files
    assert chain.snapshot_id == full.snapshot_id
    assert [row["age"] for row in rows_of(chain, "users")] == ["25-34", "45-54", "5-14"]
    seen = [row["country"] for row in rows_of(chain, "users")]
    assert seen[1] == seen[2] != seen[0]


def test_the_report_of_k_is_right_by_hand(ingest_file: Ingest, rows_of: Rows) -> None:
    groups = [("UK", "30"), ("UK", "31"), ("UK", "45"), ("FR", "30"), ("FR", "32"), ("", "")]
    lines = [f"u{n},a,{T},{country},{age}" for n, (country, age) in enumerate(groups)]
    said = {"country": "keep", "age": {"age_bands": 10}}
    counted = ingest_file("log.csv", [HEADER, *lines], privacy=keeping(**said))
    report = counted.manifest.k_report
    assert report is not None
    assert (report["k"], report["n_users"], report["n_groups"]) == (1, 6, 4)
    assert (report["n_unique"], report["wanted"]) == (2, 0)
    assert people(counted, rows_of)["u2"] == ("UK", "45-54")
    wanted = PrivacyConfig(user_id="keep", columns=said, k_anonymity=2)
    made = ingest_file("log.csv", [HEADER, *lines], privacy=wanted)
    sizes: dict[tuple[Any, ...], int] = {}
    for attributes in people(made, rows_of).values():
        sizes[attributes] = sizes.get(attributes, 0) + 1
    assert min(sizes.values()) >= 2
    assert made.manifest.k_report is not None
    assert made.manifest.k_report["k"] == min(sizes.values())
    assert people(made, rows_of)["u0"] == people(made, rows_of)["u1"] == ("UK", "25-34")


def test_rules_that_fit_nothing_are_errors(ingest_file: Ingest, tmp_path: Path) -> None:
    lines = [HEADER, f"u,a,{T},UK,34"]
    with pytest.raises(SettingsError, match="rule for 'county', and no such column") as caught:
        ingest_file("log.csv", lines, privacy=keeping(county="keep"))
    assert caught.value.mend == "The file has: 'country', 'age'"
    with pytest.raises(SettingsError, match="cannot be called user_idx"):
        ingest_file("log.csv", [HEADER + ",user_idx", f"u,a,{T},UK,34,1"],
                    privacy=keeping(user_idx="keep"))  # fmt: skip
    users = tmp_path / "people.csv"
    users.write_text("name\nx\n")
    with pytest.raises(DataError, match="no column is known to be user_id") as known:
        ingest_file("log.csv", lines, users=users)
    assert "--map user.user_id=COLUMN" in known.value.mend


def test_an_attribute_that_names_people_stops_the_run(ingest_file: Ingest) -> None:
    lines = [f"u{n},a,{T},UK,u{n}@example.org" for n in range(5)]
    rule = {"first": 30}
    with pytest.raises(DataError, match="'age' seems to hold e-mail addresses") as caught:
        ingest_file("log.csv", [HEADER, *lines], privacy=keeping(age=rule))
    assert 'age = "keep"' in caught.value.mend
    ingest_file("log.csv", [HEADER, *lines], privacy=keeping(age="keep"))
    ingest_file("log.csv", [HEADER, *lines], privacy=hashing(age="hash"))


REFUSED = [
    '{"user_id":"secret","item_id":"","ts":1500000000,"note":"secret"}',
    '{"user_id":12345678901234567890,"item_id":"","ts":1500000000}',
    '{"user_id":{"a": "secret"},"item_id":"","ts":1500000000}',
    '{"user_id":true,"item_id":"","ts":1500000000}',
    '{"user_id":"first","item_id":"","ts":1500000000,"user_id":"second"}',
    '{"user_id":"secret',
    '["secret"]',
]
# The same people in rows that stay.
KEPT = [line.replace('"item_id":""', '"item_id":"a"') for line in REFUSED[:5]]


def test_of_a_refused_row_only_the_pseudonym_stays(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file("log.jsonl", [*KEPT, *REFUSED], privacy=hashing())
    known = [row["user_id"] for row in rows_of(snapshot, "users")]
    raws = [row["raw"] for row in rows_of(snapshot, "quarantine")]
    assert raws[5:] == [None, None]
    assert [json.loads(raw) for raw in raws[:5]] == [
        {"user_id": user, "item_id": "", "ts": 1_500_000_000} for user in known
    ]
    for file in snapshot.path.rglob("*"):
        assert file.is_dir() or b"secret" not in file.read_bytes()


def test_refused_rows_may_be_kept_as_they_were(ingest_file: Ingest, rows_of: Rows) -> None:
    privacy = hashing().model_copy(update={"keep_raw_records": True})
    snapshot = ingest_file("log.jsonl", [*KEPT, *REFUSED], privacy=privacy)
    assert [row["raw"] for row in rows_of(snapshot, "quarantine")] == REFUSED
