"""What holds for the exploration of any data."""

import re
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.explore.chapters import chapters
from endcap.explore.exploration import explore
from endcap.schema.columns import Kind
from endcap.schema.types import SECOND_US

ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 5),
        st.integers(-2_000, 40_000_000).map(lambda seconds: seconds * SECOND_US),
        st.sampled_from(list(Kind)),
        st.sampled_from([1.0, 2.5, 5.0]),
        st.sampled_from([np.nan, 0.0, 3.5, 1e6]),
    ),
    min_size=1,
    max_size=30,
)


def shares_in(found):
    """Yield every value of the results that calls itself a share, or is one by its nature."""
    for field in fields(found):
        value = getattr(found, field.name)
        for name in dir(value):
            if re.search(r"share|^cold_|^repeat_|gini|density|sparsity", name):
                yield f"{field.name}.{name}", np.asarray(getattr(value, name), dtype=float)


def test_shares_are_found_where_there_are_any(busy):
    assert len(dict(shares_in(explore(busy, cut_us=busy.end_us - 1)))) > 40


@given(rows=ROWS, part=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_shares_counts_and_sentences(make, rows, part):
    data = make(rows, n_users=6, n_items=7)
    ts = data.interactions.ts
    found = explore(data, cut_us=int(ts[0] + part * (ts[-1] - ts[0])))
    for name, values in shares_in(found):
        known = values[~np.isnan(values)]
        assert np.all((known >= -1e-12) & (known <= 1 + 1e-12)), name
    n_rows = len(rows)
    assert found.timeline.counts.sum() == n_rows
    assert found.coverage.per_day.sum() == n_rows
    assert found.rhythm.counts.sum() == n_rows
    assert found.sessions.lengths.totals.sum() == n_rows
    assert found.users.lengths.totals.sum() == found.items.lengths.totals.sum() == n_rows
    assert found.repeats.pairs.totals.sum() == n_rows
    assert found.repeats.repeat_share == pytest.approx(found.overview.profile.repeat_share)
    assert found.concentration.total_share[-1] == 1
    assert np.all(np.diff(found.concentration.total_share) >= 0)
    for chapter in chapters(found):
        for section in chapter.sections:
            assert section.says.endswith((".", "?"))
            assert "nan" not in section.says
