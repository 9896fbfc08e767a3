"""Items 0, 24, 48, 72 ... of the tiny shop are of one category; 0 and 24 share their name."""

from __future__ import annotations

import numpy as np
import pytest

from endcap.serving.candidates import Candidates, Source
from endcap.serving.stages.diversify import diversify


@pytest.fixture
def choose(bundle):
    assert len(set(bundle.category[[0, 24, 48, 72, 96, 120]].tolist())) == 1
    assert bundle.name_code[0] == bundle.name_code[24] != bundle.name_code[48]

    def chosen(items, *, n_slots=10, min_fill=4, category_cap=2, **taken):
        ranked = Candidates(
            np.array(items, dtype=np.int32),
            np.linspace(1, 0, len(items), dtype=np.float32),
            np.full(len(items), Source.POPULAR, dtype=np.uint8),
        )
        return diversify(
            bundle,
            ranked,
            n_slots=n_slots,
            min_fill=min_fill,
            category_cap=category_cap,
            **taken,
        ).items.tolist()

    return chosen


def test_passes_over_too_many_of_one_category(choose):
    assert choose([0, 48, 72, 1, 96, 2], min_fill=2) == [0, 48, 1, 2]


def test_relaxes_the_cap_rather_than_lose_the_shelf(choose):
    assert choose([0, 48, 72, 96, 120]) == [0, 48, 72, 96]


def test_what_comes_back_in_keeps_its_place(choose):
    assert choose([0, 48, 72, 1], min_fill=4) == [0, 48, 72, 1]


def test_what_comes_back_in_has_a_name_of_its_own(choose):
    assert choose([48, 0, 24, 72], category_cap=1, min_fill=3) == [48, 0, 72]
    assert choose([0, 24, 48], category_cap=1, min_fill=3) == [0, 48]


def test_what_stands_elsewhere_stays_there(choose, bundle):
    assert choose([0, 1, 2, 24], taken_items={1}) == [0, 2]
    assert choose([24, 1], taken_names={int(bundle.name_code[0])}) == [1]


def test_stops_at_the_end_of_the_shelf(choose):
    assert choose([0, 1, 2, 3], n_slots=2, min_fill=2) == [0, 1]
    assert choose([0, 48, 72], n_slots=0) == []


def test_items_of_unknown_category_are_not_capped(choose, bundle):
    assert bundle.category[299] == -1
    assert choose([299, 0, 48], category_cap=1, min_fill=1) == [299, 0]
