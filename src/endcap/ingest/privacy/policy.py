"""The privacy policy of one source: what becomes of user ids and of each column about a user.

A column that nobody named never gets through. How values become coarser: `generalise.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from endcap.ingest.privacy.config import PrivacyConfig, Rule, UserIdPolicy
from endcap.ingest.privacy.generalise import described, expression
from endcap.ingest.privacy.identifiers import looks_like_identifier
from endcap.ingest.privacy.pseudonyms import pseudonymise
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import column_key

__all__ = [
    "PrivacyPolicy",
    "column_key",
    "expression",
    "looks_like_identifier",
    "policy_of",
    "pseudonymise",
    "refuse_identifiers",
]

USER_ID = "user_id"


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """What of a person gets through.

    columns: column of the file -> what becomes of it, most important first.
    is_explicit: whether somebody wrote what becomes of user ids.
    not_personal: further columns that get through whatever they look like.
    """

    user_id: UserIdPolicy
    columns: Mapping[str, Rule]
    is_explicit: bool = False
    not_personal: Sequence[str] = ()

    def attributes(self, available: Sequence[str], *, where: str) -> tuple[str, ...]:
        """Return the columns of a file that get through as attributes of users, in order.

        Args:
            available: the columns of the file.
            where: its name, for errors.

        Raises:
            SettingsError: a rule is about a column that the file has not; a misspelt name must
                not lose the right one in silence. One that is to be dropped may be missing.
        """
        through = tuple(column for column, rule in self.columns.items() if rule != "drop")
        missing = [column for column in through if column not in available]
        if missing:
            raise SettingsError(
                f"there is a privacy rule for {', '.join(map(repr, missing))}, and no such column",
                where=f"privacy.columns, {where}",
                mend=f"The file has: {', '.join(repr(name[:40]) for name in available[:30])}",
            )
        return through

    def hashed(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return those of the columns whose values are replaced by pseudonyms."""
        return tuple(column for column in columns if self.columns.get(column) == "hash")

    def described(self) -> dict[str, str]:
        """Return the policy in words, for a manifest."""
        return {
            USER_ID: self.user_id,
            **{column: described(rule) for column, rule in self.columns.items()},
        }


class _Table(BaseModel):
    """The `[privacy]` table of a mapping: the part of the settings that is about one source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: UserIdPolicy | None = None
    columns: dict[str, Rule] = {}
    not_personal: tuple[str, ...] = ()


def policy_of(
    config: PrivacyConfig, *, mapping: Mapping[str, object] | None = None, default: UserIdPolicy
) -> PrivacyPolicy:
    """Return the policy of a source.

    Args:
        config: the settings.
        mapping: the `[privacy]` table of the mapping of this source, which goes before the
            settings; its columns are all that count when it has any.
        default: what becomes of user ids when neither says so.

    Raises:
        SettingsError: the table is wrong.
    """
    try:
        table = _Table.model_validate(mapping or {})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"privacy.{name}: {first['msg']}", where="[privacy] of the mapping"
        ) from error
    said = table.user_id or config.user_id
    return PrivacyPolicy(
        user_id=said or default,
        columns=table.columns or config.columns,
        is_explicit=said is not None,
        not_personal=(*config.not_personal, *table.not_personal),
    )


def refuse_identifiers(
    samples: Mapping[str, Sequence[str | None]], policy: PrivacyPolicy, *, where: str
) -> None:
    """Raise `DataError` when a column that would get through seems to name persons outright.

    A column that the policy keeps explicitly, or calls not personal, is not looked at. Nor is one
    that it hashes: it holds pseudonyms, one of which in some thousands passes for an IBAN.

    Args:
        samples: column -> some values as they would stand in the snapshot.
        policy: of this source.
        where: the source, for the error.
    """
    for column, sample in samples.items():
        if policy.columns.get(column) in {"keep", "hash"} or column in policy.not_personal:
            continue
        if column == USER_ID and policy.user_id == "keep" and policy.is_explicit:
            continue
        what = looks_like_identifier(column, sample)
        if what is not None:
            raise DataError(
                f"column {column!r} seems to hold {what}, which would reach the snapshot",
                where=where,
                mend=_mend(column, policy),
            )


def _mend(column: str, policy: PrivacyPolicy) -> str:
    if column == USER_ID:
        return 'Hash user ids (privacy.user_id = "hash"), or say "keep" if you mean it'
    if column in policy.columns:
        return f'Drop or hash it in privacy.columns, or say {column} = "keep" if you mean it'
    return "Map another column, or list this one in privacy.not_personal if it names nobody"
