"""What of the users reaches a snapshot: pseudonyms instead of ids, attributes as the policy says.

The policy itself is in `privacy`; here it is put into effect on the tables of a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import identifier
from endcap.ingest.privacy.policy import (
    PrivacyPolicy,
    column_key,
    expression,
    pseudonymise,
    refuse_identifiers,
)
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import KEEP, Pseudonyms, is_pseudonym

RESERVED = frozenset({"user_idx", "user_id", "place"})
OVER_ROWS = 1 << 60  # a place behind every position: what the file of users says goes before
OF_OLD = -1
CHECKED_ROWS = 1000
COMPACT: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


@dataclass(slots=True)
class Door:
    """The policy of a run with its key.

    key: of pseudonyms; None when nothing is hidden.
    keeps_records: whether refused rows are kept as they were read.
    keeps_pseudonyms: whether ids that are pseudonyms already stay, as those of the event log.
    raw_ids: every id that was hidden, for the encrypted map.
    """

    policy: PrivacyPolicy
    key: bytes | None
    keeps_records: bool = True
    keeps_pseudonyms: bool = False
    raw_ids: set[str] = field(default_factory=set)

    @property
    def scheme(self) -> str:
        """How user ids of the snapshot are made, as the manifest says it."""
        return Pseudonyms(self.key).scheme if self.key is not None and self.hides_users else KEEP

    @property
    def hides_users(self) -> bool:
        """Whether users are known inside by pseudonyms."""
        return self.policy.user_id == "hash"

    def attributes_in(self, columns: Sequence[str], *, taken: Iterable[str]) -> tuple[str, ...]:
        """Return the columns of a file that the policy lets through, most important first.

        Raises:
            SettingsError: one has a name that the table of users needs itself.
        """
        used = set(taken)
        found = tuple(
            name
            for name, rule in self.policy.columns.items()
            if name in columns and name not in used and rule != "drop"
        )
        if clash := RESERVED.intersection(found):
            raise SettingsError(
                f"a column about a user cannot be called {', '.join(sorted(clash))}",
                where="privacy.columns",
                mend="Rename it in the file",
            )
        return found

    def refuse_identifiers(
        self,
        sample: Sequence[Mapping[str, str | None]],
        roles: Mapping[str, str],
        *,
        where: str,
    ) -> None:
        """Raise `DataError` if a value that would reach the snapshot looks like an e-mail or so.

        Args:
            sample: the first records of a file.
            roles: role -> column, of what is read from it.
            where: the file, for the error.
        """
        shown = [
            column
            for role, column in roles.items()
            if role not in {"ts", "value", "price", "total", "kind"}
            and not (role == "user_id" and self.hides_users)
        ]
        samples = {column: [record.get(column) for record in sample] for column in shown}
        refuse_identifiers(samples, self.policy, where=where)

    def hide(self, ids: Sequence[str]) -> list[str]:
        """Return the id by which each user is known inside."""
        if self.key is None or not self.hides_users:
            return list(ids)
        self.raw_ids.update(
            raw_id for raw_id in ids if not (self.keeps_pseudonyms and is_pseudonym(raw_id))
        )
        return pseudonymise(ids, self.key, keep_pseudonyms=self.keeps_pseudonyms)

    def scrub(self, record: str | None, roles: Mapping[str, str]) -> str | None:
        """Return what of a refused record may stay: all of it, or its roles without the raw id.

        A record that is no JSON object cannot be told apart, and nothing of it stays.
        """
        if record is None or not self.hides_users or self.keeps_records:
            return record
        try:
            values = json.loads(record, object_pairs_hook=_first_of_each)
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict):
            return None
        kept = {column: values.get(column) for column in roles.values()}
        user = kept.get(roles["user_id"])
        if user is not None:
            text = user if isinstance(user, str) else json.dumps(user, **COMPACT)
            kept[roles["user_id"]] = self.hide([text.strip()])[0]
        return json.dumps(kept, **COMPACT)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object as the engine reads it: of a key that occurs twice the first counts."""
    return {name: value for name, value in reversed(pairs)}


def hide_users(compute: Compute, door: Door, tables: Mapping[str, Sequence[str]]) -> None:
    """Replace the user ids of the tables by what they are known by inside.

    The key stays in this process: only ids and their pseudonyms go to the engine.

    Args:
        compute: holds the tables.
        door: makes the pseudonyms.
        tables: name -> its columns besides `user_id`.
    """
    if not door.hides_users:
        return
    named = " UNION ALL ".join(f"SELECT user_id FROM {table}" for table in tables)
    found = compute.rows(f"SELECT DISTINCT user_id FROM ({named}) AS named")
    ids = [user for (user,) in found]
    compute.put("hidden", {"user_id": ("VARCHAR", ids), "inside": ("VARCHAR", door.hide(ids))})
    for table, columns in tables.items():
        others = "".join(f", {identifier(column)}" for column in columns)
        _replace(
            compute,
            table,
            f"SELECT inside AS user_id{others} FROM {table} JOIN hidden USING (user_id)",
        )
    compute.drop("hidden")


def gather_people(
    compute: Compute,
    door: Door,
    parts: Sequence[tuple[str, Sequence[str]]],
    *,
    order: Sequence[str],
) -> None:
    """Make the table `people`: user_id and the attributes of each user, as the policy shows them.

    Args:
        compute: holds the tables.
        door: says what becomes of each attribute.
        parts: tables of (user_id, place, attributes) with the attributes each one has; the row
            of a user with the highest place has the last word, attribute by attribute. What
            `place` is `OF_OLD` has been shown already.
        order: all attributes, as they will stand in the snapshot.
    """
    unions = []
    for table, has in parts:
        columns = ", ".join(
            f"{_shown(door, name)} AS {identifier(name)}"
            if name in has
            else f"CAST(NULL AS VARCHAR) AS {identifier(name)}"
            for name in order
        )
        unions.append(f"SELECT user_id, place, {columns} FROM {table}")
    compute.make("said", " UNION ALL ".join(unions))
    latest = ", ".join(
        f"arg_max({identifier(name)}, place) FILTER (WHERE {identifier(name)} IS NOT NULL)"
        f" AS {identifier(name)}"
        for name in order
    )
    compute.make("people", f"SELECT user_id, {latest} FROM said GROUP BY user_id")
    compute.drop("said")


def check_people(
    compute: Compute, door: Door, table: str, attributes: Sequence[str], *, where: str
) -> None:
    """Raise `DataError` if an attribute, as the policy shows it, looks like an e-mail or so."""
    samples = {}
    for name in attributes:
        column = identifier(name)
        found = compute.rows(
            f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT {CHECKED_ROWS}"
        )
        samples[name] = [value for (value,) in found]
    refuse_identifiers(samples, door.policy, where=where)


def hide_values(compute: Compute, door: Door, table: str, attributes: Sequence[str]) -> None:
    """Replace the values of the attributes that the policy hashes, in a part for `gather_people`.

    Those of a snapshot before are pseudonyms already, and no part of theirs is to be given.
    """
    for hashed in attributes:
        if door.key is None or door.policy.columns[hashed] != "hash":
            continue
        column = identifier(hashed)
        found = compute.rows(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")
        values = [value for (value,) in found]
        hidden = pseudonymise(values, column_key(door.key, hashed))
        compute.put("hidden", {"value": ("VARCHAR", values), "inside": ("VARCHAR", hidden)})
        others = "".join(
            f", inside AS {column}" if name == hashed else f", {identifier(name)}"
            for name in attributes
        )
        _replace(
            compute,
            table,
            f"SELECT user_id, place{others} FROM {table} LEFT JOIN hidden ON {column} = value",
        )
        compute.drop("hidden")


def _replace(compute: Compute, table: str, select: str) -> None:
    """Make a table anew from a SELECT over itself."""
    compute.make("replaced", select)
    compute.make(table, "SELECT * FROM replaced")
    compute.drop("replaced")


def _shown(door: Door, name: str) -> str:
    column, rule = identifier(name), door.policy.columns[name]
    if rule in {"keep", "hash"}:
        return column
    return f"CASE WHEN place = {OF_OLD} THEN {column} ELSE {expression(column, rule)} END"
