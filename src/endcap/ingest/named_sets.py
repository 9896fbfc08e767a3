"""The public data sets that are known by name: where they lie, how large, under which terms.

A table and how to fetch from it; what is in the files is found out by `sources`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from endcap.ingest.download import download, fetched_path
from endcap.ingest.recipe import Published
from endcap.schema.errors import DownloadError
from endcap.telemetry import console

SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
UCSD_2018 = (
    "https://jmcauley.ucsd.edu/data/amazon_v2/",
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_v2/",
)
UCSD_2023 = (
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw/",
    "https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_2023/raw/",
)
GROUPLENS = "https://files.grouplens.org/datasets/movielens/"

AMAZON_TERMS = "offered by UCSD for research; reviews belong to those who wrote them"
MOVIELENS_TERMS = (
    "GroupLens: for research, with acknowledgement; not to be passed on or used for revenue "
    "without permission"
)
METADATA = "+meta"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file that can be fetched.

    urls: the same file at several places, tried in order.
    n_bytes: its size as the server stated it; None where that is not known.
    sha256, md5: of the whole file; None where not known.
    """

    urls: tuple[str, ...]
    n_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(urlsplit(self.urls[0]).path).name


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A public data set.

    files: fetched always; none where nobody may fetch it without an account.
    metadata: fetched only when asked for, by `+meta` behind the name.
    licence: terms of use in short; `page` has the whole.
    by_hand: how to get it, where it cannot be fetched.
    """

    name: str
    title: str
    page: str
    licence: str
    files: tuple[RemoteFile, ...] = ()
    metadata: tuple[RemoteFile, ...] = ()
    published: Published | None = None
    notes: tuple[str, ...] = ()
    by_hand: str = ""


NAMED_SETS: dict[str, NamedSet] = {
    entry.name: entry
    for entry in (
        NamedSet(
            name="amazon-electronics-2014",
            title="Amazon reviews of electronics to July 2014, 5-core (McAuley et al. 2015)",
            page="https://jmcauley.ucsd.edu/data/amazon/",
            licence=AMAZON_TERMS,
            files=(
                RemoteFile(
                    (SNAP + "reviews_Electronics_5.json.gz",),
                    n_bytes=495_854_086,
                ),
            ),
            metadata=(
                RemoteFile(
                    (SNAP + "meta_Electronics.json.gz",),
                    n_bytes=186_594_679,
                ),
            ),
            published=Published(1_689_188, 192_403, 63_001),
        ),
        NamedSet(
            name="amazon-beauty-2014",
            title="Amazon reviews of beauty products to July 2014, 5-core (McAuley et al. 2015)",
            page="https://jmcauley.ucsd.edu/data/amazon/",
            licence=AMAZON_TERMS,
            files=(RemoteFile((SNAP + "reviews_Beauty_5.json.gz",)),),
            metadata=(RemoteFile((SNAP + "meta_Beauty.json.gz",)),),
            published=Published(198_502, 22_363, 12_101),
        ),
        NamedSet(
            name="amazon-electronics-2018",
            title="Amazon reviews of electronics to October 2018, 5-core (Ni et al. 2019)",
            page="https://nijianmo.github.io/amazon/",
            licence=AMAZON_TERMS,
            files=(
                RemoteFile(
                    tuple(base + "categoryFilesSmall/Electronics_5.json.gz" for base in UCSD_2018)
                ),
            ),
            metadata=(
                RemoteFile(
                    tuple(base + "metaFiles2/meta_Electronics.json.gz" for base in UCSD_2018)
                ),
            ),
            published=Published(6_738_382, 728_678, 159_748),
        ),
        NamedSet(
            name="amazon-electronics-2023",
            title="Amazon reviews of electronics to September 2023 (Hou et al. 2024)",
            page="https://amazon-reviews-2023.github.io/",
            licence=AMAZON_TERMS,
            files=(
                RemoteFile(
                    tuple(base + "review_categories/Electronics.jsonl.gz" for base in UCSD_2023)
                ),
                RemoteFile(
                    tuple(base + "meta_categories/meta_Electronics.jsonl.gz" for base in UCSD_2023)
                ),
            ),
            notes=("Published, rounded: 43.9 M reviews, 18.3 M users, 1.6 M items.",),
        ),
        NamedSet(
            name="movielens-100k",
            title="MovieLens 100K: ratings of movies, 1997 and 1998",
            page="https://grouplens.org/datasets/movielens/100k/",
            licence=MOVIELENS_TERMS,
            files=(
                RemoteFile(
                    (GROUPLENS + "ml-100k.zip",),
                    n_bytes=4_924_029,
                    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                ),
            ),
            published=Published(100_000, 943, 1_682),
        ),
        NamedSet(
            name="movielens-1m",
            title="MovieLens 1M: ratings of movies, 2000 to 2003",
            page="https://grouplens.org/datasets/movielens/1m/",
            licence=MOVIELENS_TERMS,
            files=(
                RemoteFile(
                    (GROUPLENS + "ml-1m.zip",),
                    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
                ),
            ),
            published=Published(1_000_209, 6_040, 3_706),
        ),
        NamedSet(
            name="movielens-25m",
            title="MovieLens 25M: ratings of movies, 1995 to 2019",
            page="https://grouplens.org/datasets/movielens/25m/",
            licence=MOVIELENS_TERMS,
            files=(
                RemoteFile(
                    (GROUPLENS + "ml-25m.zip",),
                    n_bytes=261_978_986,
                    md5="6b51fb2759a8657d3bfcbfc42b592ada",
                ),
            ),
            published=Published(25_000_095, 162_541, 59_047),
        ),
        NamedSet(
            name="retailrocket",
            title="RetailRocket: views, carts and purchases of an online shop, 2015",
            page="https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
            licence="CC BY-NC-SA 4.0",
            published=Published(2_756_101, 1_407_580, 235_061),
            by_hand="It needs an account there. Unpack events.csv, item_properties_part1.csv, "
            "item_properties_part2.csv and category_tree.csv",
        ),
    )
}


def fetch(entry: NamedSet, downloads: Path, *, with_metadata: bool = False) -> list[Path]:
    """Return the files of a named set, fetched unless they lie there already.

    What is fetched, how large it is and under which terms is printed before.

    Raises:
        DownloadError: it could not be fetched, or may be fetched by hand only.
    """
    folder = downloads / entry.name
    if not entry.files:
        files = sorted(file for file in folder.glob("*") if file.is_file())
        if not files:
            raise DownloadError(
                f"{entry.name} cannot be fetched without an account",
                where=entry.page,
                mend=f"{entry.by_hand} into the folder {folder} and try again, or name any "
                "other folder with them: endcap ingest FOLDER",
            )
        return files
    paths = []
    for file in (*entry.files, *(entry.metadata if with_metadata else ())):
        if not fetched_path(file.urls, downloads, name=entry.name).is_file():
            _announce(entry, file)
        paths.append(
            download(
                file.urls,
                downloads,
                name=entry.name,
                sha256=file.sha256,
                md5=file.md5,
                n_bytes=file.n_bytes,
            )
        )
    return paths


def _announce(entry: NamedSet, file: RemoteFile) -> None:
    size = f"{file.n_bytes:,} bytes" if file.n_bytes else "its size is said by the server"
    console.print(f"{entry.title}", markup=False)
    console.print(f"  {file.name} ({size}) from {urlsplit(file.urls[0]).netloc}", markup=False)
    console.print(f"  terms: {entry.licence}; see {entry.page}", markup=False)
