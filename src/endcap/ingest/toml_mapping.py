"""What the caller says of the columns of a file: from a TOML file, or from `ours=theirs` pairs.

What nobody says is recognised by `shapes` or guessed by `mapping`.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from endcap.ingest.mapping import ITEM_PREFIX, USER_PREFIX, check_roles
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind
from endcap.schema.errors import SettingsError

Column = Annotated[str, Field(min_length=1)]
DateOrder = Literal["dmy", "mdy"]
NO_COLUMNS = frozenset({"time_zone", "ts_unit", "date_order"})
TimeUnit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "order"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileForm(_Part):
    """`[file]`: how the file of interactions is written down, where that cannot be told."""

    format: Format | None = Field(None, description="csv, tsv, jsonl or parquet.")
    delimiter: str | None = Field(None, min_length=1, max_length=4)
    encoding: str | None = Field(None, description="Such as latin-1; UTF-8 when left out.")
    has_header: bool | None = Field(None, description="Without one columns are #1, #2, ...")
    quote: str | None = Field(None, max_length=1, description="Empty: nothing is quoted.")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                codecs.lookup(value)
            except LookupError:
                raise ValueError(f"{value!r} is not an encoding") from None
        return value


class InteractionColumns(_Part):
    """`[interactions]`: the column behind each role, and how times are to be read.

    kind: a column, or one kind for all rows.
    order: a column of positions within a user, for files without times.
    """

    user_id: Column | None = None
    item_id: Column | None = None
    ts: Column | None = None
    order: Column | None = None
    kind: Column | None = None
    value: Column | None = None
    price: Column | None = None
    total: Column | None = None
    time_zone: str | None = Field(None, description="Of times that state none, Europe/London.")
    ts_unit: TimeUnit | None = Field(None, description="Of numbers in the column of times.")
    date_order: DateOrder | None = Field(None, description="Of dates such as 1/12/2010.")

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, OSError, ValueError):
                if available_timezones():  # some small systems know none at all
                    raise ValueError(f"{value!r} is no time zone like Europe/London") from None
        return value

    @model_validator(mode="after")
    def _one_time(self) -> InteractionColumns:
        if self.ts is not None and self.order is not None:
            raise ValueError("ts and order cannot both be given")
        return self


class ItemColumns(_Part):
    """`[items]`: the column of the catalogue behind each role."""

    item_id: Column | None = None
    name: Column | None = None
    department: Column | None = None
    category: Column | None = None
    brand: Column | None = None
    price: Column | None = None
    currency: Column | None = None
    image_url: Column | None = None
    is_available: Column | None = None
    description: Column | None = None
    also_bought: Column | None = None
    also_viewed: Column | None = None


class Refusal(_Part):
    """`[[refuse]]`: rows whose text in a column matches are put aside."""

    column: Column
    matches: str = Field(min_length=1, description="A regular expression, found anywhere.")
    reason: str = Field(min_length=1, max_length=100)

    @field_validator("matches")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if re.search(r"\(\?[=!<]|\\[1-9]", value):
            raise ValueError("looking around and back references are not supported")
        return value

    @field_validator("reason")
    @classmethod
    def _stands_in_a_list(cls, value: str) -> str:
        if ";" in value:
            raise ValueError("a reason may have no semicolon")
        return value


class GivenMapping(_Part):
    """All that a caller says of a data set; empty where nothing is said.

    privacy: the table `[privacy]`; `privacy.policy` says what may stand there.
    """

    file: FileForm = FileForm()
    interactions: InteractionColumns = InteractionColumns()
    kinds: dict[str, Kind] = {}
    items: ItemColumns = ItemColumns()
    users: dict[str, Column] = {}
    refuse: tuple[Refusal, ...] = ()
    privacy: dict[str, Any] = {}

    @field_validator("kinds")
    @classmethod
    def _small_letters(cls, value: dict[str, Kind]) -> dict[str, Kind]:
        return {word.strip().lower(): kind for word, kind in value.items()}

    @field_validator("users")
    @classmethod
    def _attributes(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
                raise ValueError(f"{name!r} must be small letters, digits and underscores")
        return value

    def over(self, other: GivenMapping) -> GivenMapping:
        """Return both, where what this one says goes before what the other says."""
        mine, theirs = self.model_dump(exclude_none=True), other.model_dump(exclude_none=True)
        sections: dict[str, Any] = {}
        for name in type(self).model_fields:
            if name == "refuse":
                sections[name] = (*mine[name], *theirs[name])
            else:
                sections[name] = {**theirs[name], **mine[name]}
        times = {"ts", "order"} & set(mine["interactions"])
        if times:  # one time in place of the other
            for other_time in {"ts", "order", "ts_unit"} - set(mine["interactions"]):
                sections["interactions"].pop(other_time, None)
        return GivenMapping.model_validate(sections)

    def interaction_columns(self) -> dict[str, str]:
        """Return role -> column of the interactions; `order` is its own role."""
        said = self.interactions.model_dump(exclude_none=True)
        return {role: said[role] for role in said if role not in NO_COLUMNS}

    def item_columns(self) -> dict[str, str]:
        """Return role -> column of the catalogue."""
        return self.items.model_dump(exclude_none=True)


def read_mapping(path: Path) -> GivenMapping:
    """Return what a TOML file says of the columns.

    Raises:
        SettingsError: it is missing, not TOML, or has a key or value that makes no sense; names
            the file and the key.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"the mapping cannot be read: {error.strerror}", where=str(path), mend="Check its name"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the mapping is not TOML: {error}",
            where=str(path),
            mend="Names with other letters than a-z, 0-9, - and _ stand in quotes",
        ) from error
    try:
        return GivenMapping.model_validate(_join_words(said))
    except ValidationError as error:
        raise _error(error, where=str(path)) from error


def mapping_of_pairs(pairs: Mapping[str, str]) -> GivenMapping:
    """Return what pairs of role and column say, as `--map` gives them.

    Roles of the catalogue begin with `item.`, attributes of users with `user.`.

    Raises:
        SettingsError: a left side is not a role, or a value makes no sense.
    """
    check_roles(pairs)
    sections: dict[str, dict[str, str]] = {"interactions": {}, "items": {}, "users": {}}
    for role, column in pairs.items():
        if role.startswith(ITEM_PREFIX):
            sections["items"][role.removeprefix(ITEM_PREFIX)] = column
        elif role.startswith(USER_PREFIX):
            sections["users"][role.removeprefix(USER_PREFIX)] = column
        else:
            sections["interactions"][role] = column
    try:
        return GivenMapping.model_validate(sections)
    except ValidationError as error:
        raise _error(error, where="--map") from error


def _join_words(said: dict[str, Any]) -> dict[str, Any]:
    """Return the file with `checkout.done = "purchase"` under [kinds] as one word, quoted or not.

    TOML reads a bare dot as a table inside of a table.
    """
    kinds = said.get("kinds")
    if not isinstance(kinds, dict):
        return said
    flat: dict[str, Any] = {}

    def walk(prefix: str, table: dict[str, Any]) -> None:
        for key, value in table.items():
            word = f"{prefix}.{key}" if prefix else key
            if isinstance(value, dict):
                walk(word, value)
            else:
                flat[word] = value

    walk("", kinds)
    return {**said, "kinds": flat}


def _error(error: ValidationError, *, where: str) -> SettingsError:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    key = ".".join(place) or "the whole"
    message = first["msg"].removeprefix("Value error, ")
    mend = ""
    if first["type"] == "extra_forbidden":
        message = "there is no such key"
        mend = f"Known: {', '.join(_known_keys(place[:-1]))}"
    elif first["type"] == "enum":
        mend = f"Known: {', '.join(Kind)}" if place[0] == "kinds" else ""
    return SettingsError(f"{key}: {message}", where=where, mend=mend)


def _known_keys(place: list[str]) -> list[str]:
    """Return the keys that a section may have."""
    if not place:
        return list(GivenMapping.model_fields)
    sections: dict[str, type[BaseModel]] = {
        "file": FileForm,
        "interactions": InteractionColumns,
        "items": ItemColumns,
        "refuse": Refusal,
    }
    return list(sections[place[0]].model_fields) if place[0] in sections else []
