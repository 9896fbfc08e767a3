"""What holds for every page and every stage, whoever asks and whatever happened before."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.bundle.scorer.panel import open_scorers
from endcap.schema.columns import Kind
from endcap.schema.types import SECOND_US
from endcap.serving.candidates import DISCOVERY, Candidates, Source, join
from endcap.serving.engine import Engine
from endcap.serving.layout import HOME
from endcap.serving.stages.blend import blend
from endcap.serving.stages.diversify import diversify
from endcap.serving.stages.filter import filter_candidates
from endcap.serving.stages.lay_out import lay_out
from endcap.serving.stages.retrieve import retrieve
from pages import context_of, items_of, live_state
from shops import WALL_NOW_US

LAWS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
USERS = st.sampled_from(["user-00", "user-07", "user-41", "anonymous", "nobody"])
ITEM_IDS = [f"item-{index:03d}" for index in range(300)] + ["unheard-of"]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["user-00", "user-07", "anonymous"]),
        st.sampled_from(Kind),
        st.sampled_from(ITEM_IDS),
        st.floats(-10, 3 * 3600, allow_nan=False),
    ),
    max_size=12,
)
WEIGHTS = st.dictionaries(
    st.sampled_from([source.name.lower() for source in Source]), st.floats(0, 3), max_size=6
)


@st.composite
def proposed(draw, *, n_items: int, min_size: int = 0):
    """Candidates of several sources: at most one row an item and source, some of no item."""
    pairs = draw(
        st.lists(
            st.tuples(st.integers(-1, n_items), st.sampled_from(list(Source))),
            unique=True,
            min_size=min_size,
            max_size=60,
        )
    )
    scores = draw(
        st.lists(
            st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]), min_size=len(pairs), max_size=len(pairs)
        )
    )
    return Candidates(
        np.array([item for item, _ in pairs], dtype=np.int32),
        np.array(scores, dtype=np.float32),
        np.array([source for _, source in pairs], dtype=np.uint8),
    )


@pytest.fixture(scope="module")
def scorers(tower_bundle):
    return open_scorers(tower_bundle)


def rows(candidates: Candidates) -> Counter:
    return Counter(
        zip(
            candidates.items.tolist(),
            candidates.scores.tolist(),
            candidates.source.tolist(),
            strict=True,
        )
    )


class TestPages:
    @LAWS
    @given(user=USERS, acts=ACTS)
    def test_every_page_keeps_the_rules(self, tower_bundle, user, acts):
        bundle = tower_bundle
        state = live_state(bundle, acts)
        page = Engine(bundle, state, lambda: WALL_NOW_US).home(user, request_id="r")
        items = items_of(page)
        index = [bundle.item_index[item_id] for item_id in items]
        names = [code for code in bundle.name_code[index].tolist() if code >= 0]
        assert len(set(items)) == len(items)
        assert len(set(names)) == len(names)
        assert bundle.is_available[index].all()
        assert not set(items) & set(state.cart(user))
        session = state.session(user, now_us=bundle.data_time(WALL_NOW_US))
        assert not set(items) & {one.item_id for one in session if one.kind is Kind.PURCHASE}
        specs = {spec.shelf_id: spec for spec in HOME}
        assert len({shelf.shelf_id for shelf in page.shelves}) == len(page.shelves) >= 4
        for shelf in page.shelves:
            spec = specs[shelf.shelf_id]
            assert spec.min_fill <= len(shelf.slots) <= spec.n_slots
            assert [slot.position for slot in shelf.slots] == list(range(len(shelf.slots)))
            assert all(slot.reason and slot.propensity == 1.0 for slot in shelf.slots)
            assert "{" not in shelf.title
            categories = Counter(
                int(bundle.category[bundle.item_index[slot.item_id]]) for slot in shelf.slots
            )
            most = max((n for code, n in categories.items() if code >= 0), default=0)
            if shelf.shelf_id == "popular_department":
                codes = {bundle.item_index[slot.item_id] for slot in shelf.slots}
                (name,) = {bundle.department_names[bundle.department[code]] for code in codes}
                assert shelf.title == f"Popular in {name}"
            assert most <= spec.category_cap or len(shelf.slots) == spec.min_fill

    @LAWS
    @given(user=USERS, acts=ACTS)
    def test_the_same_state_gives_the_same_page_warm_or_cold(self, tower_bundle, user, acts):
        state = live_state(tower_bundle, acts)
        wall_us = [WALL_NOW_US + 1200 * SECOND_US]
        first = Engine(tower_bundle, state, lambda: wall_us[0]).home(user, request_id="r")
        warm = Engine(tower_bundle, state, lambda: wall_us[0])
        wall_us[0] -= 900 * SECOND_US  # the same hour, but perhaps a visit under way
        warm.home(user, request_id="r")
        wall_us[0] += 900 * SECOND_US
        assert warm.home(user, request_id="r") == first
        assert warm.home(user, request_id="r") == first


class TestRetrieve:
    @LAWS
    @given(user=USERS, acts=ACTS)
    def test_proposes_known_items_once_a_source(self, tower_bundle, scorers, user, acts):
        retrieved_from = context_of(tower_bundle, scorers, user, acts)
        found = retrieve(retrieved_from, scorers)
        pairs = list(zip(found.items.tolist(), found.source.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        assert ((found.items >= 0) & (found.items < tower_bundle.n_items)).all()
        assert np.isfinite(found.scores).all()
        of_no_use = np.isin(found.of(DISCOVERY).items, retrieved_from.seen)
        assert not of_no_use.any()  # or a visitor with a long history would get none

    @LAWS
    @given(acts=ACTS)
    def test_a_new_visitor_gets_only_what_the_shop_proposes(self, tower_bundle, scorers, acts):
        found = retrieve(context_of(tower_bundle, scorers, "nobody", acts), scorers)
        shop = {Source.TRENDING, Source.POPULAR, Source.NEW, Source.DEPARTMENT}
        assert set(found.source.tolist()) <= shop


class TestFilter:
    @LAWS
    @given(user=USERS, acts=ACTS)
    def test_drops_what_must_not_be_shown_and_nothing_else(self, tower_bundle, scorers, user, acts):
        bundle = tower_bundle
        items = np.arange(-2, bundle.n_items + 2, dtype=np.int32)
        candidates = join(
            Candidates(items, items.astype(np.float32), np.full(len(items), code, dtype=np.uint8))
            for code in Source
        )
        context = context_of(bundle, scorers, user, acts)
        kept = filter_candidates(context, candidates)
        assert rows(filter_candidates(context, kept)) == rows(kept)
        for row in rows(candidates) - rows(kept):
            item, _, source = row
            assert (
                not 0 <= item < bundle.n_items
                or not bundle.is_available[item]
                or item in context.off_limits
                or (source in DISCOVERY and item in context.seen)
            )
        assert not rows(kept) - rows(candidates)
        assert bundle.is_available[kept.items].all()
        assert not np.isin(kept.items, context.off_limits).any()
        assert not np.isin(kept.of(DISCOVERY).items, context.seen).any()


class TestBlend:
    @LAWS
    @given(candidates=proposed(n_items=20), weights=WEIGHTS, seed=st.integers(0, 999))
    def test_the_order_of_rows_is_irrelevant(self, candidates, weights, seed):
        shuffled = candidates.take(np.random.default_rng(seed).permutation(len(candidates)))
        one, other = blend(candidates, weights), blend(shuffled, weights)
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.source, other.source)

    @LAWS
    @given(candidates=proposed(n_items=20), weights=WEIGHTS)
    def test_is_the_sum_of_reciprocal_ranks(self, candidates, weights):
        expected: Counter = Counter()
        largest: dict[int, tuple[float, int]] = {}
        for source in Source:
            weight = weights.get(source.name.lower(), 1.0)
            own = candidates.of([source])
            order = sorted(range(len(own)), key=lambda row: (-own.scores[row], own.items[row]))
            for rank, row in enumerate(order, start=1):
                if weight > 0:
                    item = int(own.items[row])
                    expected[item] += weight / (20 + rank)
                    part = (-weight / (20 + rank), int(source))
                    largest[item] = min(largest.get(item, (0.0, 99)), part)
        fused = blend(candidates, weights)
        assert Counter(fused.items.tolist()) == Counter(expected.keys())
        assert (np.diff(fused.scores) <= 0).all()
        for item, score, source in zip(fused.items, fused.scores, fused.source, strict=True):
            assert score == pytest.approx(expected[int(item)], rel=1e-5)
            assert source == largest[int(item)][1]


class TestDiversify:
    @LAWS
    @given(
        candidates=proposed(n_items=60, min_size=25),  # names and categories meet
        n_slots=st.integers(0, 12),
        min_fill=st.integers(0, 6),
        category_cap=st.integers(1, 4),
        taken=st.sets(st.integers(0, 299), max_size=20),
    )
    def test_chooses_in_order_and_never_too_much_of_the_same(
        self, bundle, candidates, n_slots, min_fill, category_cap, taken
    ):
        ranked = blend(candidates.take(candidates.items >= 0), {})
        taken_names = set(bundle.name_code[sorted(taken)].tolist()) - {-1}
        chosen = diversify(
            bundle,
            ranked,
            n_slots=n_slots,
            min_fill=min_fill,
            category_cap=category_cap,
            taken_items=taken,
            taken_names=taken_names,
        )
        items = chosen.items.tolist()
        assert not rows(chosen) - rows(ranked)
        assert (np.diff(chosen.scores) <= 0).all()
        assert len(items) <= n_slots
        assert not set(items) & taken
        names = [code for code in bundle.name_code[items].tolist() if code >= 0]
        assert len(set(names)) == len(names)
        assert not set(names) & taken_names
        capped = Counter(code for code in bundle.category[items].tolist() if code >= 0)
        over = sum(max(0, n - category_cap) for n in capped.values())
        assert over == 0 or len(items) <= min_fill
        if len(items) < min(n_slots, min_fill):  # then there was nothing else to choose
            left = set(ranked.items.tolist()) - set(items) - taken
            assert all(
                bundle.name_code[item] in set(names) | taken_names and bundle.name_code[item] >= 0
                for item in left
            )


@LAWS
@given(user=USERS, acts=ACTS)
def test_only_retrieve_adds_items(tower_bundle, scorers, user, acts):
    context = context_of(tower_bundle, scorers, user, acts)
    found = retrieve(context, scorers)
    kept = filter_candidates(context, found)
    fused = blend(kept, tower_bundle.blend_weights)
    shown = {
        tower_bundle.item_index[slot.item_id]
        for shelf in lay_out(context, kept, scorers)
        for slot in shelf.slots
    }
    assert set(kept.items.tolist()) <= set(found.items.tolist())
    assert set(fused.items.tolist()) <= set(kept.items.tolist())
    assert shown <= set(kept.items.tolist())
    assert join([]).items.dtype == np.int32
