from __future__ import annotations

import numpy as np
import pytest

from endcap.ingest.ids import IdMap
from endcap.schema.errors import DataError


def test_ids_and_indices_go_both_ways() -> None:
    ids = IdMap(["1", "10", "2"])
    indices = ids.encode(["2", "nobody", "1", "2"])
    assert indices.dtype == np.int32
    assert indices.tolist() == [2, -1, 0, 2]
    assert ids.decode(np.array([2, 0], dtype=np.int32)) == ["2", "1"]
    assert len(ids) == 3
    assert ids.decode(ids.encode([])) == []


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_of_nobody_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=r"0 \.\. 2"):
        IdMap(["a", "b", "c"]).decode(np.array([index], dtype=np.int32))


def test_an_id_may_stand_there_once() -> None:
    with pytest.raises(DataError, match="twice"):
        IdMap(["a", "b", "a"])
