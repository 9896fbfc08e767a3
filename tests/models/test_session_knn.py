from dataclasses import replace

import numpy as np
import pytest

from endcap.features.history import history_of
from endcap.models.neighbours.session_index import (
    SessionKNNConfig,
    build_index,
    nearest_sessions,
    score_session,
)
from endcap.models.neighbours.session_knn import SessionKNN, current_places
from endcap.schema.protocols import Reason
from endcap.schema.types import SECOND_US
from endcap.testing.toy_data import START_US, dataset

MINUTE_US, HOUR_US = 60 * SECOND_US, 3600 * SECOND_US
N_ITEMS = 8
EXPONENTIAL = SessionKNNConfig(decay="exponential", reach=2.0)
LINEAR = SessionKNNConfig(decay="linear", reach=4.0)
ME = np.zeros(1, dtype=np.int32)


def log(*visits, n_users=6):
    """Return visits of (user, hour, items), a minute between one item and the next."""
    events = [
        (START_US + hour * HOUR_US + place * MINUTE_US, user, item)
        for user, hour, items in visits
        for place, item in enumerate(items)
    ]
    ts, users, items = np.array(events, dtype=np.int64).reshape(-1, 3).T
    return dataset(users, items, ts, n_users=n_users, n_items=N_ITEMS)


def fitted(data, config=EXPONENTIAL):
    return SessionKNN(config).fit(data, rng=np.random.default_rng(0))


def index_of(data, config=EXPONENTIAL):
    return build_index(data.interactions, N_ITEMS, config=config)


def sessions_of(index):
    return [part.tolist() for part in np.split(index.items, index.indptr[1:-1])]


def holders(index, item):
    return index.sessions[index.item_indptr[item] : index.item_indptr[item + 1]].tolist()


def place_of(session):
    places = np.full(N_ITEMS, len(session))
    places[session] = np.arange(len(session))
    return places


def test_the_past_is_kept_as_sessions_by_their_ends():
    data = log((1, 0, [0, 1, 0]), (1, 5, [2, 3]), (2, 4, [1, 2]), (3, 6, [4]))
    index = index_of(data)
    # An item stands where it was touched last; a session of one item is none.
    assert sessions_of(index) == [[1, 0], [1, 2], [2, 3]]
    assert [holders(index, item) for item in range(5)] == [[0], [0, 1], [1, 2], [2], []]
    assert index.n_items == N_ITEMS


@pytest.mark.parametrize(("gap_s", "n_sessions"), [(1800.0, 2), (3 * 3600.0, 1)])
def test_the_gap_cuts(gap_s, n_sessions):
    data = log((1, 0, [0, 1]), (1, 2, [2, 3]))
    assert len(sessions_of(index_of(data, SessionKNNConfig(session_gap_s=gap_s)))) == n_sessions


def test_only_the_most_recent_sessions_of_an_item_are_kept():
    data = log((1, 0, [0, 1]), (2, 2, [0, 2]), (3, 4, [0, 3]), (4, 6, [0, 4]))
    index = index_of(data, SessionKNNConfig(sample_size=2))
    # The first two are none of the last two of item 0, but each is the last one of another item.
    assert [holders(index, item) for item in range(5)] == [[2, 3], [0], [1], [2], [3]]
    data = log((1, 0, [0, 1]), (2, 2, [0, 1]), (3, 4, [0, 1]))
    index = index_of(data, SessionKNNConfig(sample_size=2))
    assert len(sessions_of(index)) == 2  # one that no item keeps is gone
    assert [holders(index, item) for item in range(2)] == [[0, 1], [0, 1]]


def test_of_a_long_session_the_latest_items_are_kept():
    data = log((1, 0, [0, 1, 2, 3, 1]))
    assert sessions_of(index_of(data, SessionKNNConfig(max_session_items=2))) == [[3, 1]]


def test_nothing_comes_of_nothing():
    index = index_of(log())
    assert len(index.items) == len(index.sessions) == 0
    assert (
        score_session(np.array([1, 2], dtype=np.int32), index, config=LINEAR).tolist()
        == [0.0] * N_ITEMS
    )


def test_places_are_counted_from_the_end_of_the_current_session():
    data = log((0, 0, [7, 6]), (0, 5, [3, 1, 2, 3]), (2, 1, [4]))
    history = history_of(data)
    places = current_places(history, data.interactions, gap_s=1800.0)
    assert history.items.tolist() == [1, 2, 3, 6, 7, 4]
    assert places.tolist() == [3, 2, 1, 0, 0, 1]


def test_an_item_that_bridges_a_silence_by_its_first_time_does_so():
    # Item 1 comes twice; its last time alone would lie too far from item 0.
    events = np.array([0, 20, 40, 60]) * MINUTE_US + START_US
    items = np.array([0, 1, 1, 2], dtype=np.int32)
    data = dataset(np.zeros(4, dtype=np.int32), items, events, n_users=1, n_items=3)
    assert current_places(history_of(data), data.interactions, gap_s=1500.0).tolist() == [3, 2, 1]


@pytest.mark.parametrize("config", [LINEAR, EXPONENTIAL])
def test_scores_by_hand(config):
    data = log((1, 0, [0, 1, 2, 3]), (2, 1, [1, 4]), (3, 2, [5, 6]))
    fall = (lambda n: 1 - n / 4) if config is LINEAR else (lambda n: np.exp(-n / 2))
    found = score_session(np.array([1, 0], dtype=np.int32), index_of(data), config=config)
    # The latest item is 1, the one before it 0; the first session has both, the second one.
    first, second = (fall(0) + fall(1)) / 2, fall(0) / np.sqrt(2)
    np.testing.assert_allclose(
        found,
        [
            first * fall(1),
            first + second,
            first * fall(1),
            first * fall(2),
            second * fall(1),
            0,
            0,
            0,
        ],
        rtol=1e-12,
    )


def test_what_is_shared_long_ago_says_less():
    data = log((1, 0, [0, 3]), (2, 1, [1, 4]))
    found = score_session(np.array([1, 0], dtype=np.int32), index_of(data), config=LINEAR)
    # Once for the similarity, once for the place of the shared item.
    assert found[3] / found[4] == pytest.approx(0.75 * 0.75)


def test_of_equally_near_sessions_the_more_recent_ones_speak():
    data = log((1, 0, [0, 1]), (2, 1, [0, 2]), (3, 2, [0, 3]))
    config = SessionKNNConfig(k=2)
    session = np.zeros(1, dtype=np.int32)
    index = index_of(data, config)
    near, sims = nearest_sessions(session, place_of(session), index, config=config)
    assert near.tolist() == [2, 1]
    assert sims[0] == sims[1] == pytest.approx(1 / np.sqrt(2))
    assert np.flatnonzero(score_session(session, index, config=config)).tolist() == [0, 2, 3]


def test_equal_scores_go_to_the_smaller_item():
    data = log((1, 0, [0, 5]), (2, 1, [0, 4]), (0, 2, [0]))
    ranked = fitted(data).recommend(ME, 2)
    assert ranked.items.tolist() == [[4, 5]]
    assert ranked.scores[0, 0] == ranked.scores[0, 1] > 0


def test_a_nearer_session_comes_before_a_more_recent_one():
    data = log((1, 0, [0, 1, 4]), (2, 1, [1, 2, 3]))
    config = SessionKNNConfig(k=1)
    session = np.array([1, 0], dtype=np.int32)
    near, _ = nearest_sessions(session, place_of(session), index_of(data, config), config=config)
    assert near.tolist() == [0]


PAST = ((1, 0, [0, 4]), (2, 1, [1, 5]))


def test_the_current_session_decides_not_older_ones():
    data = log(*PAST, (0, 2, [0]), (0, 9, [1]))
    model = fitted(data)
    scores = model.score(ME)[0]
    assert scores[5] > 0 > scores[4]
    then = model.with_history(log(*PAST, (0, 2, [0])))
    assert then.score(ME)[0, 4] > 0 > then.score(ME)[0, 5]


def test_older_sessions_count_as_seen_all_the_same():
    data = log(*PAST, (0, 2, [5]), (0, 9, [1]))
    ranked = fitted(data).recommend(ME, N_ITEMS)
    assert not {5, 1} & set(ranked.items[0].tolist())


def test_another_history_leaves_the_sessions_as_they_are():
    model = fitted(log(*PAST))
    other = model.with_history(log((0, 50, [1, 0])))
    assert other.index_ is model.index_
    assert other.score(ME)[0, 4] > other.score(ME)[0, 5] > 0
    assert model.score(ME)[0].max() < 0


def test_the_rest_of_a_list_is_popular():
    data = log(*PAST, (3, 3, [6, 7]), (4, 4, [7]), (0, 5, [0]))
    assert fitted(data).recommend(ME, 3).items[0].tolist() == [4, 7, 6]


def test_only_the_latest_items_of_a_long_session_are_asked_about():
    config = SessionKNNConfig(max_session_items=2)
    data = log(*PAST, (0, 5, [0, 1, 7]))
    scores = fitted(data, config).score(ME)[0]
    assert scores[5] > 0 > scores[4]


def test_a_reason_is_what_the_score_would_miss():
    data = log((1, 0, [0, 4]), (2, 1, [1, 5]), (0, 2, [1, 0]))
    model = fitted(data)
    reasons = model.explain(0, np.array([4, 5, 7], dtype=np.int32))
    scores = model.score(ME)[0]
    assert [(reason.kind, reason.item) for reason in reasons] == [
        ("because_of", 0),
        ("because_of", 1),
        ("popular", None),
    ]
    # Nothing else speaks for them, so that all of each score would go.
    assert [reason.amount for reason in reasons[:2]] == pytest.approx(scores[[4, 5]], rel=1e-6)
    assert reasons[2] == Reason("popular", None, 1.0 + float(model.beneath_[7]))


def test_a_loaded_one_can_be_asked_with_another_history(tmp_path):
    data = log(*PAST, (0, 2, [0]))
    fitted(data).save(tmp_path)
    loaded = SessionKNN.load(tmp_path)
    assert loaded.config == EXPONENTIAL
    other = loaded.with_history(log((0, 50, [1])))
    assert other.score(ME)[0, 5] > 0


def test_what_was_refused_is_part_of_no_session():
    data = log(*PAST, (0, 2, [0, 1]))
    told = data.interactions
    refused = told.take((told.user_idx == 0) & (told.item_idx == 1))
    data = replace(data, refusals=refused)
    model = fitted(data)
    assert sessions_of(model.index_) == [[0, 4], [1, 5]]
    assert model.score(ME)[0, 4] > 0 > model.score(ME)[0, 5]


def slow_scores(data, session, config):
    """Return the scores by the definitions, session by session."""
    latest, end, past, number = {}, {}, {}, {}
    told = data.interactions
    for row, (user, item, ts) in enumerate(
        zip(told.user_idx.tolist(), told.item_idx.tolist(), told.ts.tolist(), strict=True)
    ):
        if user not in latest or ts - latest[user] > config.session_gap_s * SECOND_US:
            number[user] = len(past)
            past[number[user]] = []
        visit = past[number[user]]
        visit[:] = [other for other in visit if other != item] + [item]
        latest[user], end[number[user]] = ts, row
    by_end = sorted((visit for visit in past if len(past[visit]) > 1), key=end.get)
    visits = [past[visit] for visit in by_end]
    kept = {
        visit
        for item in session
        for visit in [v for v, items in enumerate(visits) if item in items][-config.sample_size :]
    }

    def similarity(visit):
        shared = [session.index(item) for item in visits[visit] if item in session]
        return sum(np.exp(-place / config.reach) for place in shared) / np.sqrt(len(visits[visit]))

    scores = np.zeros(N_ITEMS)
    for visit in sorted(kept, key=lambda v: (-round(similarity(v), 12), -v))[: config.k]:
        items = visits[visit]
        place = min(session.index(item) for item in items if item in session)
        at = items.index(session[place])
        for position, item in enumerate(items):
            steps = place + abs(position - at)
            scores[item] += similarity(visit) * np.exp(-steps / config.reach)
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_those_by_the_definitions(seed):
    rng = np.random.default_rng(seed)
    n = 300
    users, items = rng.integers(6, size=n), (N_ITEMS * rng.random(n) ** 2).astype(np.int32)
    ts = START_US + rng.integers(100 * 60, size=n) * MINUTE_US
    data = dataset(users.astype(np.int32), items, ts, n_users=6, n_items=N_ITEMS)
    config = SessionKNNConfig(k=7, sample_size=12, decay="exponential", reach=1.7)
    index = index_of(data, config)
    for n_asked in (1, 2, 4):
        session = rng.permutation(N_ITEMS)[:n_asked].astype(np.int32)
        np.testing.assert_allclose(
            score_session(session, index, config=config),
            slow_scores(data, session.tolist(), config),
            rtol=1e-9,
        )
