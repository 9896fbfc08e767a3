"""Endcap against RecTools, ranx and RecPack, which live in an environment of their own."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from peer_cases import (
    CUTS,
    case_of,
    check_page,
    n_relevant,
    ours,
    random_case,
    ranked,
    targets,
)

from endcap.evaluation.metrics.accuracy import find_hits
from endcap.evaluation.metrics.exposure import coverage, exposure
from endcap.evaluation.metrics.ground import Ground, Groups, percentiles, tenths
from endcap.evaluation.metrics.variety import diversity, novelty, serendipity
from endcap.schema.errors import RankingError

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".peers" / "bin" / "python"
N_USERS, N_ITEMS = 300, 60

SAME = {
    "rectools": {
        **{name: name for name in ("recall", "precision", "hit_rate", "mrr")},
        "ndcg": "ndcg divide_by_achievable",
    },
    "ranx": {name: name for name in ("recall", "precision", "ndcg", "hit_rate", "mrr")},
    "recpack": {name: name for name in ("recall", "precision", "ndcg", "mrr")},
}
"""Our name and theirs, by library, where the definition is the same."""


def grouped_by_n_relevant(case):
    """Return the case once for each number of targets, cut to that many users."""
    for n in np.unique(n_relevant(case)):
        rows = [user for user, count in enumerate(n_relevant(case)) if count == n]
        lists, relevant = (
            [case["lists"][user] for user in rows],
            [case["relevant"][user] for user in rows],
        )
        yield int(n), case_of(lists, relevant, n_items=25, cuts=[25 - int(n)], rectools_only=True)


def had_by_ever_more(n_users, n_items):
    """Return histories in which item i was had by i + 1 users, so that no two are as popular."""
    return [[item for item in range(n_items) if item >= user] for user in range(n_users)]


RANDOM = random_case(n_users=N_USERS, n_items=N_ITEMS, seed=11)
RANDOM["had"] = had_by_ever_more(N_USERS, N_ITEMS)
WHOLE = random_case(n_users=120, n_items=25, seed=12, whole=True)
WHOLE["lists"] = [np.random.default_rng(u).permutation(25).tolist() for u in range(120)]
BY_N = dict(grouped_by_n_relevant(WHOLE))
EXAMPLE = case_of([[3, 1, 4, 0, 2], [3, 1]], [[1, 2, 9], []], n_items=10, cuts=[1, 2, 5])
TWICE = case_of([[1, 1]], [[1, 2]], n_items=10, cuts=[2], rectools_only=True)
CASES = {
    "random": RANDOM,
    "example": EXAMPLE,
    "twice": TWICE,
    **{f"whole {n}": case for n, case in BY_N.items()},
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    if not PYTHON.exists():
        message = "no libraries to compare with in .peers: run `make test-peers`"
        if os.environ.get("ENDCAP_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("peers")
    cases, values = folder / "cases.json", folder / "values.json"
    cases.write_text(json.dumps(CASES))
    script = Path(__file__).with_name("measure_with_peers.py")
    done = subprocess.run(
        [str(PYTHON), str(script), str(cases), str(values)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(values.read_text())


def theirs(measured, case, library, metric):
    return np.array(measured["values"][case][library][metric], dtype=float)


@pytest.mark.parametrize("library", SAME)
def test_a_library_agrees_where_the_definition_is_the_same(measured, library):
    n_compared = 0
    for k in CUTS:
        found = ours(RANDOM, k)
        for name, their_name in SAME[library].items():
            values = theirs(measured, "random", library, f"{their_name}@{k}")
            np.testing.assert_allclose(found[name], values, atol=1e-9, err_msg=f"{name}@{k}")
            n_compared += len(values)
    assert n_compared == N_USERS * len(CUTS) * len(SAME[library])


@pytest.mark.parametrize("library", ["rectools", "ranx"])
def test_average_precision_differs_by_its_denominator_alone(measured, library):
    for k in CUTS:
        found, n = ours(RANDOM, k)["map"], n_relevant(RANDOM)
        values = theirs(measured, "random", library, f"map@{k}")
        np.testing.assert_allclose(found * np.minimum(k, n) / n, values, atol=1e-9)
        np.testing.assert_allclose(found[n <= k], values[n <= k], atol=1e-9)
        assert (found > values + 1e-3).any() or (n <= k).all()


def test_rectools_divides_average_precision_by_k_if_asked(measured):
    for k in CUTS:
        found, n = ours(RANDOM, k)["map"], n_relevant(RANDOM)
        values = theirs(measured, "random", "rectools", f"map divide_by_k@{k}")
        np.testing.assert_allclose(found * np.minimum(k, n) / k, values, atol=1e-9)


def test_rectools_agrees_on_auc_over_all_other_items(measured):
    n_compared = 0
    for n, case in BY_N.items():
        values = theirs(measured, f"whole {n}", "rectools", f"partial auc@{25 - n}")
        np.testing.assert_allclose(ours(case, 25)["auc"], values, atol=1e-9)
        n_compared += len(values)
    assert n_compared == len(WHOLE["lists"])
    assert len(BY_N) > 5


@pytest.mark.parametrize("library", ["rectools", "recpack"])
def test_a_library_agrees_on_coverage(measured, library):
    for k in CUTS:
        shown = exposure(ranked(RANDOM).items[:, :k], n_items=N_ITEMS)
        assert theirs(measured, "random", library, f"coverage@{k}") == pytest.approx(
            coverage(shown), abs=1e-9
        )


def ground_of_case(case):
    """Return what is known of a case's items: how many had each of them."""
    counts = np.bincount(np.concatenate(case["had"]).astype(int), minlength=case["n_items"])
    n_users = sum(bool(row) for row in case["had"])
    return Ground(
        n_items=case["n_items"],
        n_users=n_users,
        n_users_who_had=counts,
        percentile=percentiles(counts),
        tenth=tenths(counts),
        groups={},
        history_percentile=np.full(len(case["lists"]), np.nan),
        taste=None,
    )


@pytest.mark.parametrize("name", ["random", "example"])
def test_rectools_agrees_on_novelty_also_of_what_nobody_had(measured, name):
    case = CASES[name]
    for k in case["cuts"]:
        found = novelty(ranked(case).items[:, :k], ground_of_case(case))
        values = theirs(measured, name, "rectools", f"novelty@{k}")
        np.testing.assert_allclose(found, values, atol=1e-9)  # NaN for an empty list in both


def test_rectools_agrees_on_serendipity_when_no_two_items_are_as_popular(measured):
    lists = ranked(RANDOM)
    hits, lengths = find_hits(lists, targets(RANDOM)), np.array([len(r) for r in RANDOM["lists"]])
    for k in CUTS:
        found = serendipity(lists.items[:, :k], hits, ground_of_case(RANDOM), k=k)
        values = theirs(measured, "random", "rectools", f"serendipity@{k}")
        # RecTools takes the mean over what is listed, and knows nothing of empty lists.
        values = np.nan_to_num(values) * np.minimum(lengths, k) / k
        np.testing.assert_allclose(found, values, atol=1e-9)
    assert (values > 0.01).sum() > 50


def test_rectools_agrees_on_diversity_up_to_the_number_of_attributes(measured):
    features = np.array(RANDOM["features"], dtype=np.int32)
    groups = [Groups(("a", "b", "c"), column) for column in features.T]
    lengths = np.array([len(row) for row in RANDOM["lists"]])
    for k in CUTS:
        found = diversity(ranked(RANDOM).items[:, :k], groups)
        values = theirs(measured, "random", "rectools", f"diversity@{k}") / len(groups)
        has_pairs = np.minimum(lengths, k) >= 2
        np.testing.assert_allclose(found[has_pairs], values[has_pairs], atol=1e-9)
        # One item alone: RecTools says 0, Endcap says nothing.
        assert np.isnan(found[~has_pairs]).all()


def test_the_table_of_differences_on_the_page_is_what_was_measured(measured):
    def their(metric, case="example", library="rectools", user=0):
        return theirs(measured, case, library, metric)[user]

    def our(metric, k):
        return ours(EXAMPLE, k)[metric][0]

    ranx_mean = theirs(measured, "example", "ranx", "recall@5").mean()
    rectools_map, ranx_map = their("map@2"), their("map@2", library="ranx")
    assert rectools_map == ranx_map
    check_page(
        {
            "RecTools `NDCG(5)`": (their("ndcg@5"), our("ndcg", 5)),
            "RecTools `MAP(2)`, ranx `map@2`": (rectools_map, our("map", 2)),
            "RecTools `MAP(5, divide_by_k=True)`": (their("map divide_by_k@5"), our("map", 5)),
            "RecTools `Precision(5, r_precision=True)`": (
                their("precision r_precision@5"),
                our("precision", 5),
            ),
            "RecPack `CalibratedRecallK(2)`": (
                their("recall calibrated@2", library="recpack"),
                our("recall", 2),
            ),
            "RecPack `HitK(5)`": (their("hits@5", library="recpack"), our("hit_rate", 5)),
            "ranx `mrr`": (their("mrr", library="ranx"), our("mrr", 1)),
            "RecTools `PartialAUC(5)`": (their("partial auc@5"), our("auc", 5)),
            "ranx `recall@5`, mean of two users": (
                ranx_mean,
                np.nanmean(ours(EXAMPLE, 5)["recall"]),
            ),
            "RecTools `Recall(2)`, an item twice": (their("recall@2", case="twice"), "refused"),
            "RecTools `LastNSplitter(1)`": (measured["recall_after_splitter"], 1 / 2),
        },
        libraries=("RecTools", "ranx", "RecPack"),
    )


def test_a_list_that_names_an_item_twice_is_refused():
    with pytest.raises(RankingError, match="listed twice"):
        ours(TWICE, 2)
