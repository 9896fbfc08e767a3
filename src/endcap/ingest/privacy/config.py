"""Settings of privacy: what becomes of each column about a person, and where the keys lie.

Needs no table engine, so that a server reads the same section. What the rules do: `policy.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    field_validator,
    model_validator,
)

from endcap.schema.pseudonym import parse_key

UserIdPolicy: TypeAlias = Literal["hash", "keep"]
RULES = ("age_bands", "bands", "place", "time", "first", "map")


class Generalise(BaseModel):
    """How the values of one column become coarser; exactly one of `RULES` is given.

    age_bands: years to a band, such as 25-34; takes ages, ranges of ages and 65+.
    start: only with age_bands: a band begins at this age; 5 for bands of 10, 20, ... years, else 0.
    top: only with age_bands: all of this age or older are one band.
    bands: width of the bands of a number.
    place: how many of the last comma-separated parts of an address stay.
    time: what stays of a moment.
    first: how many of the first characters stay.
    map: new value of each value.
    other: only with map: new value of all others; nothing when None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    age_bands: int | None = Field(None, ge=2, le=60)
    start: int | None = Field(None, ge=0)
    top: int = Field(65, ge=20, le=110)
    bands: int | None = Field(None, ge=2, le=10**15)
    place: int | None = Field(None, ge=1, le=5)
    time: Literal["day", "month", "year"] | None = None
    first: int | None = Field(None, ge=1, le=64)
    map: dict[str, str] | None = Field(None, min_length=1)
    other: str | None = None

    @property
    def rule(self) -> str:
        """The one of `RULES` that is given."""
        return next(name for name in RULES if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [name for name in RULES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of {', '.join(RULES)} is wanted, not {len(given)} of them")
        beside = self.model_fields_set - {given[0]}
        allowed = {"age_bands": {"start", "top"}, "map": {"other"}}.get(given[0], set())
        if extra := beside - allowed - set(RULES):
            raise ValueError(f"{', '.join(sorted(extra))} says nothing beside {given[0]}")
        if self.start is not None and self.start >= (self.age_bands or 0):
            raise ValueError("start lies within the first band")
        return self


def _form(value: object) -> str:
    return "word" if isinstance(value, str) else "table"


Rule: TypeAlias = Annotated[
    Annotated[Literal["keep", "drop", "hash"], Tag("word")] | Annotated[Generalise, Tag("table")],
    Discriminator(_form),
]
"""What becomes of one column: kept as it is, left out, a pseudonym instead, or coarser."""


class PrivacyConfig(BaseModel):
    """What of a person reaches a snapshot, and the keys of the pseudonyms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: UserIdPolicy | None = Field(
        None,
        description="User ids in a snapshot: hash (pseudonyms) or keep (as they are). Left out: "
        "hash, and keep for public data sets that are known by name.",
    )
    columns: dict[str, Rule] = Field(
        {},
        description="What becomes of each further column about a user, most important first: "
        "keep, drop, hash or a table such as { age_bands = 10 }. A column without a rule never "
        "reaches a snapshot.",
    )
    not_personal: tuple[str, ...] = Field(
        (),
        description="Other columns, of the catalogue say, that get through although they look "
        "like e-mail addresses, telephone numbers and the like.",
    )
    k_anonymity: int = Field(
        0,
        ge=0,
        description="Fewest users who share all of their attributes; smaller groups lose "
        "attributes, the last column first. 0 counts and changes nothing.",
    )
    keep_id_map: bool = Field(
        False, description="Keep an encrypted map from pseudonyms to ids in var/identities."
    )
    keep_raw_records: bool = Field(
        False,
        description="Keep refused rows in the quarantine as they were read, raw ids included, "
        "also where ids are hashed.",
    )
    id_key: SecretStr | None = Field(
        None,
        description="Key of the pseudonyms: hex or base64 of 32 random bytes or more; goes before "
        "id_key_file.",
    )
    id_key_file: Path | None = Field(
        None,
        description="File with that key; keys/ids.key in var when left out, made by the first "
        "ingest that needs it.",
    )
    map_key: SecretStr | None = Field(
        None,
        description="Key of the map of ids, written alike; derived from the key of the pseudonyms "
        "when there is neither this nor map_key_file.",
    )
    map_key_file: Path | None = Field(None, description="File with the key of the map of ids.")

    @field_validator("id_key", "map_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_key(value.get_secret_value())
        return value
