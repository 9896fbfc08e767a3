"""Open a bundle: check it, map its arrays into memory, index its ids.

Opening copies nothing large: pages are read when they are touched, and shared by all processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from endcap.bundle.format import (
    ARRAYS,
    CATALOGUE,
    DERIVED,
    EARLIER_SCALARS,
    HISTORIES,
    SCALARS,
    TEXTS,
    USER_TOWER,
    ArraySpec,
    BundleParts,
)
from endcap.bundle.manifest import verify
from endcap.features.history import History
from endcap.features.unsettled import NO_EVENTS, Unsettled, UserEvents
from endcap.features.weights import KindWeights
from endcap.schema.types import Timestamps, UserIdx


class Catalogue(Sequence[Mapping[str, Any]]):
    """The entries of all items by index, parsed when asked for.

    Args:
        text: the bytes of a JSON-lines file, uint8, shape (n_bytes,).
        offsets: where each line begins and the last one ends, shape (n_items + 1,).
    """

    def __init__(self, text: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self._text, self._offsets = text, offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = int(index) % len(self)
        line = self._text[self._offsets[row] : self._offsets[row + 1]]
        entry: dict[str, Any] = json.loads(line.tobytes())
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle(BundleParts):
    """An opened bundle: its parts, and what makes them quick to ask.

    name_code: the same number for items whose display name is the same, -1 without a name.
    shoppers_*: the told history turned round: item i was taken by the users
        shoppers_users[shoppers_indptr[i]:shoppers_indptr[i + 1]], ascending.
    """

    bundle_id: str
    manifest: Mapping[str, Any] = field(repr=False)
    user_index: Mapping[str, int] = field(repr=False)
    item_index: Mapping[str, int] = field(repr=False)
    name_code: NDArray[np.int32] = field(repr=False)
    shoppers_indptr: NDArray[np.int64] = field(repr=False)
    shoppers_users: UserIdx = field(repr=False)
    shoppers_last_ts: Timestamps = field(repr=False)
    catalogue_offsets: NDArray[np.int64] = field(repr=False)

    def data_time(self, wall_us: int) -> int:
        """Return a moment of the wall clock on the timeline of the data, in microseconds."""
        return wall_us - self.clock_shift_us

    def unsettled_of(self, user_id: str) -> UserEvents:
        """Return what was learnt of a user that later events may undo; nothing of a stranger."""
        user = self.user_index.get(user_id)
        return NO_EVENTS if user is None or self.unsettled is None else self.unsettled.row(user)

    def catalogue_entry(self, item_idx: int) -> dict[str, Any]:
        """Return what the catalogue says about an item."""
        return dict(self.catalogue[item_idx])

    def n_shoppers(self, item_idx: int) -> int:
        """Return how many different users of the told history had the item."""
        return int(self.shoppers_indptr[item_idx + 1] - self.shoppers_indptr[item_idx])

    def n_shoppers_since(self, item_idx: int, since_us: int) -> int:
        """Return how many different users of the history had the item at `since_us` or later."""
        return int(np.count_nonzero(self.shoppers_last_ts[self._shoppers(item_idx)] >= since_us))

    def n_joint_shoppers(self, item_idx: int, other_idx: int) -> int:
        """Return how many different users of the history had both items.

        Cost: O(m log n) for m users of the rarer and n of the more frequent item.
        """
        few = self.shoppers_users[self._shoppers(item_idx)]
        many = self.shoppers_users[self._shoppers(other_idx)]
        if len(few) > len(many):
            few, many = many, few
        if len(few) == 0:
            return 0
        found = many.take(many.searchsorted(few), mode="clip")
        return int(np.count_nonzero(found == few))

    def _shoppers(self, item_idx: int) -> slice:
        return slice(int(self.shoppers_indptr[item_idx]), int(self.shoppers_indptr[item_idx + 1]))


def read_bundle(folder: Path) -> Bundle:
    """Return an opened bundle, after every one of its bytes was checked.

    Raises:
        BundleError: it is missing, changed or of another format; names the file.

    Cost: hashing, about 1 s per GB; memory for the ids only.
    """
    manifest = verify(folder)
    files = manifest["files"]
    arrays: dict[str, Any] = {
        spec.path: _map_array(folder, spec) if spec.file in files else None
        for spec in (*ARRAYS, *DERIVED)
    }
    groups = {name: _group(arrays, name) for name in (*HISTORIES, "unsettled")}
    unsettled = groups.pop("unsettled")
    told = EARLIER_SCALARS | manifest["parameters"]
    parameters = {name: told[name] for name in SCALARS}
    texts = {name: _read_texts(folder / f"{name}.json") for name in TEXTS}
    tower = (folder / USER_TOWER).read_bytes() if USER_TOWER in files else None
    values: dict[str, Any] = {
        **parameters,
        "kinds": tuple(parameters["kinds"]),
        "kind_weights": KindWeights(**parameters["kind_weights"]),
        **arrays,
        **texts,
        **{name: History(**group) if group else None for name, group in groups.items()},
        "unsettled": Unsettled(**unsettled) if unsettled else None,
        "catalogue": Catalogue(_map_bytes(folder / CATALOGUE), arrays["catalogue_offsets"]),
        "user_tower_onnx": tower,
        "clock_shift_us": manifest["clock_shift_us"],
        "bundle_id": manifest["bundle_id"],
        "manifest": manifest,
        "user_index": {user_id: index for index, user_id in enumerate(texts["user_ids"])},
        "item_index": {item_id: index for index, item_id in enumerate(texts["item_ids"])},
    }
    return Bundle(**values)


def _group(arrays: dict[str, Any], name: str) -> dict[str, Any]:
    """Take the arrays of one part out of all; empty where the bundle was made without it."""
    paths = [path for path in arrays if path.startswith(f"{name}.")]
    found = {path.partition(".")[2]: arrays.pop(path) for path in paths}
    return {} if any(array is None for array in found.values()) else found


def _map_array(folder: Path, spec: ArraySpec) -> NDArray[Any]:
    # Indexing a memmap costs several times as much as indexing the plain array over the same bytes.
    mapped: NDArray[Any] = np.load(folder / spec.file, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)


def _map_bytes(path: Path) -> NDArray[np.uint8]:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)


def _read_texts(path: Path) -> tuple[str, ...]:
    return tuple(json.loads(path.read_bytes()))
