"""What a data contract can demand: the sections of `contract.toml`, and how the file is read.

Whether a snapshot fulfils it is for `contract`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from endcap.ingest.drift import FACETS
from endcap.schema.columns import Kind
from endcap.schema.errors import SettingsError

ANY_OTHER = "*"

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Range: TypeAlias = tuple[float, float]
Value: TypeAlias = bool | float | str

RANGES = ("rows_vs_last", "last_day_vs_usual", "median")
"""The keys whose values are [low, high]."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Refuse a lower bound above its upper one: nothing could fulfil that."""
        given = dict(self)
        pairs = [given[name] for name in RANGES if given.get(name) is not None]
        pairs += [(given[low], given.get(f"max{low[3:]}")) for low in given if low[:3] == "min"]
        for low, high in pairs:
            if isinstance(low, float | int) and isinstance(high, float | int) and low > high:
                raise ValueError(f"{low} is more than {high}")
        return self


class Volume(_Section):
    """How much there must be."""

    min_rows: int | None = Field(None, ge=0, description="Fewest interactions kept.")
    max_rows: int | None = Field(None, ge=0, description="Most interactions kept.")
    min_users: int | None = Field(None, ge=0, description="Fewest users.")
    min_items: int | None = Field(None, ge=0, description="Fewest items that have interactions.")
    max_quarantined_share: Share | None = Field(
        None,
        description="Share of the rows that came in and were put aside; of an increment, the "
        "rows that it added.",
    )
    rows_vs_last: Range | None = Field(
        None, description="Interactions kept, over those of the previous snapshot: [low, high]."
    )
    last_day_vs_usual: Range | None = Field(
        None,
        description="Rows of the last 24 hours of the data, over the median of the 28 such days "
        "before: [low, high]. Finds a feed that dries up however long the history is.",
    )


class Column(_Section):
    """What the values of one column must be like."""

    kind: Kind | None = Field(
        None, description="Judge only rows of this kind; for `price` and `value`."
    )
    max_null_share: Share | None = Field(None, description="Share without a value.")
    min: float | None = Field(None, description="Smallest value.")
    max: float | None = Field(None, description="Largest value.")
    max_outside_share: Share = Field(
        0.0, description="Share of the values that may lie outside `min` and `max`."
    )
    median: Range | None = Field(
        None,
        description="Where the middle value must lie: [low, high]. Finds a change of unit, such "
        "as pence for pounds, that every bound lets through.",
    )
    allowed: tuple[Value, ...] | None = Field(None, description="The values that may occur.")
    max_unlisted_share: Share = Field(
        0.0, description="Share of the values that may be none of `allowed`."
    )

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        demands = ("max_null_share", "min", "max", "median", "allowed")
        if all(getattr(self, name) is None for name in demands):
            raise ValueError(f"nothing is demanded; there are: {', '.join(demands)}")
        return self


class Freshness(_Section):
    """How recent and how gapless the events must be."""

    max_age_hours: float | None = Field(
        None, gt=0, description="Hours from the newest event to now."
    )
    max_gap_hours: float | None = Field(
        None, gt=0, description="Longest silence between two events, in hours."
    )
    gap_days: int = Field(28, ge=1, description="Over how many last days a silence is looked for.")


class Turnover(_Section):
    """How many may come and go between two snapshots."""

    max_new_share: Share | None = Field(
        None,
        description="Share of those with interactions in the judged rows that the previous "
        "snapshot does not know.",
    )
    max_vanished_share: Share | None = Field(
        None, description="Share of those the previous snapshot had that are in this one no more."
    )


class KindShare(_Section):
    """How large a part of the rows one kind must be."""

    min_share: Share | None = Field(None, description="Smallest share of the rows.")
    max_share: Share | None = Field(None, description="Largest share of the rows.")


class Contract(_Section):
    """A data contract: what a snapshot must be like before anything is learnt from it."""

    judge_days: int | None = Field(
        None,
        ge=1,
        description="Judge columns, kinds and new items or users by the last so many days of the "
        "data only; all rows when absent. In a long history a bad day is a small share.",
    )
    volume: Volume = Volume()
    columns: dict[str, Column] = Field(
        default_factory=dict,
        description="By column: `price` and `value` of the interactions, `category` and other "
        "columns of the catalogue (`item.price` for its price), `user.country` of the users.",
    )
    freshness: Freshness = Freshness()
    items: Turnover = Turnover()
    users: Turnover = Turnover()
    reasons: dict[str, Share] = Field(
        default_factory=dict,
        description="By reason of the quarantine: the largest share of the rows that came in; "
        '"*" stands for every reason not named.',
    )
    kinds: dict[Kind, KindShare] = Field(
        default_factory=dict, description="By kind: its share of the rows."
    )
    drift: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="By distribution: the largest PSI against the previous snapshot, as "
        "`endcap drift` computes it; what is within chance passes.",
    )

    @model_validator(mode="after")
    def _known_facets(self) -> Self:
        for name in self.drift:
            if name not in FACETS:
                raise ValueError(f"drift has no {name!r}; there are: {', '.join(FACETS)}")
        return self

    @model_validator(mode="after")
    def _kinds_of_rows_only(self) -> Self:
        for name, column in self.columns.items():
            if column.kind is not None and name not in ("price", "value"):
                raise ValueError(f"{name} belongs to no row, so it has no kind")
        return self

    def __bool__(self) -> bool:
        """Whether anything is demanded at all."""
        said = self.model_dump(exclude_defaults=True, exclude={"judge_days": True})
        said.get("freshness", {}).pop("gap_days", None)
        return any(said.values())


SECTIONS: dict[str, type[BaseModel]] = {
    "volume": Volume,
    "columns.COLUMN": Column,
    "freshness": Freshness,
    "items": Turnover,
    "users": Turnover,
    "kinds.KIND": KindShare,
}
"""The sections whose keys are fixed, as they are headed in the file."""


def load_contract(path: Path) -> Contract:
    """Return the contract that a TOML file states.

    Raises:
        SettingsError: there is no such file, it is not TOML, a name in it is unknown, a value
            makes no sense, or it demands nothing.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the contract cannot be read: {error.strerror}",
            where=str(path),
            mend="Write one that fits a snapshot with: endcap contract propose latest",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the contract is not TOML: {error}", where=str(path)) from error
    contract = _validated(said, path)
    if not contract:
        raise SettingsError(
            "the contract demands nothing, so every snapshot would pass",
            where=str(path),
            mend="Write one that fits a snapshot with: endcap contract propose latest",
        )
    return contract


def _validated(said: dict[str, Any], path: Path) -> Contract:
    try:
        return Contract.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    names = [str(part) for part in first["loc"]]
    key = ".".join(names)
    if first["type"] == "extra_forbidden":
        raise SettingsError(
            f"the contract knows no {key!r}", where=str(path), mend=_suggestion(names)
        )
    what = first["msg"].removeprefix("Value error, ")
    raise SettingsError(
        f"the contract says what cannot be: {key + ': ' if key else ''}{what}",
        where=str(path),
        mend="See what can be demanded with: endcap contract explain",
    )


def _suggestion(names: list[str]) -> str:
    """Return which names there are in the place of a wrong one, the likeliest first."""
    heads = {"columns": "columns.COLUMN", "kinds": "kinds.KIND"}
    section = heads.get(names[0], names[0]) if len(names) > 1 else ""
    known = list(SECTIONS[section].model_fields if section in SECTIONS else Contract.model_fields)
    near = difflib.get_close_matches(names[-1], known, n=1)
    return (f"Did you mean {near[0]}? " if near else "") + f"There are: {', '.join(known)}"


def expectations() -> Iterator[tuple[str, str]]:
    """Yield what a contract can demand, as `volume.min_rows`, with its meaning, in file order."""
    for name, field in Contract.model_fields.items():
        heads = [head for head in SECTIONS if head.split(".")[0] == name]
        if not heads or field.description:
            yield name + _placeholder(name, heads), field.description or ""
        for head in heads:
            for key, inner in SECTIONS[head].model_fields.items():
                yield f"{head}.{key}", inner.description or ""


def _placeholder(name: str, heads: list[str]) -> str:
    if heads:
        return heads[0].removeprefix(name)
    return {"reasons": ".REASON", "drift": ".DISTRIBUTION"}.get(name, "")
