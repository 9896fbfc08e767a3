"""The data sets that Endcap knows by name, and how a name or a path becomes files with rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from endcap.ingest import complete_journey
from endcap.ingest.download import download
from endcap.ingest.mapping import ITEM_PREFIX, check_roles
from endcap.schema.errors import DataError, SettingsError


@dataclass(frozen=True, slots=True)
class Published:
    """The size of a data set as its publishers state it."""

    n_rows: int
    n_users: int
    n_items: int


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A public data set that can be fetched.

    urls: the same file at several places, tried in order.
    """

    name: str
    title: str
    urls: tuple[str, ...]
    published: Published
    mapping: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which files to read and by which rules.

    items: the catalogue, if there is one.
    available_days: see `catalogue.complete_from_rows`.
    notes: rules of this data set, for people who read the manifest.
    """

    name: str
    interactions: Path
    items: Path | None
    mapping: Mapping[str, str]
    available_days: int | None = None
    published: Published | None = None
    notes: tuple[str, ...] = ()


AMAZON_MAPPING = {
    "user_id": "reviewerID",
    "item_id": "asin",
    "value": "overall",
    "ts": "unixReviewTime",
    "kind": "rating",
}
NAMED_SETS = {
    entry.name: entry
    for entry in (
        NamedSet(
            name="amazon-electronics-2014",
            title="Amazon reviews of electronics to July 2014, 5-core (McAuley et al. 2015)",
            urls=(
                "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/reviews_Electronics_5.json.gz",
            ),
            published=Published(1_689_188, 192_403, 63_001),
            mapping=AMAZON_MAPPING,
        ),
        NamedSet(
            name="amazon-electronics-2018",
            title="Amazon reviews of electronics to October 2018, 5-core (Ni et al. 2019)",
            urls=(
                "https://jmcauley.ucsd.edu/data/amazon_v2/categoryFilesSmall/Electronics_5.json.gz",
                "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/categoryFilesSmall/Electronics_5.json.gz",
            ),
            published=Published(6_738_382, 728_678, 159_748),
            mapping=AMAZON_MAPPING,
        ),
    )
}
SOURCE_NAMES = (complete_journey.NAME, *NAMED_SETS)


def find_source(
    source: str,
    *,
    downloads: Path,
    mapping: Mapping[str, str] | None = None,
    items_file: Path | None = None,
) -> Recipe:
    """Return the recipe of a named data set, fetched if it is not here yet, or of a file.

    Args:
        source: one of `SOURCE_NAMES`, or a path.
        downloads: where fetched files lie.
        mapping: role -> column, see `mapping`; goes before what a named set says.
        items_file: a catalogue to go with the file.

    Raises:
        DataError: there is neither such a name nor such a file.
        SettingsError: a catalogue is given or mapped where none is read.
        DownloadError: the named set could not be fetched.
    """
    given = dict(mapping or {})
    check_roles(given)
    if source == complete_journey.NAME:
        if items_file is not None:
            raise SettingsError(
                f"{source} has a catalogue of its own", where="--items", mend="Leave it out"
            )
        transactions, products = complete_journey.find_files()
        return Recipe(
            name=source,
            interactions=transactions,
            items=products,
            mapping={**complete_journey.MAPPING, **given},
            available_days=complete_journey.AVAILABLE_DAYS,
            notes=complete_journey.NOTES,
        )
    if items_file is None and (roles := [role for role in given if role.startswith(ITEM_PREFIX)]):
        raise SettingsError(
            f"{', '.join(roles)} would be read from a catalogue, and none is given",
            where="--map",
            mend="Name its file: --items FILE",
        )
    if source in NAMED_SETS:
        entry = NAMED_SETS[source]
        return Recipe(
            name=source,
            interactions=download(entry.urls, downloads, name=source),
            items=items_file,
            mapping={**entry.mapping, **given},
            published=entry.published,
            notes=(entry.title,),
        )
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"{source!r} is neither a file nor a data set known by name",
            mend=f"Known names: {', '.join(SOURCE_NAMES)}",
        )
    return Recipe(name=path.name, interactions=path, items=items_file, mapping=given)
