"""Endcap against trec_eval, the reference of information retrieval, through pytrec_eval."""

import numpy as np
import pytest
import pytrec_eval
from peer_cases import CUTS, case_of, check_page, n_relevant, ours, random_case

from endcap.evaluation.lists.rivals import expected_metrics_of_random

SAME = {"recall": "recall", "precision": "P", "ndcg": "ndcg_cut", "hit_rate": "success"}


@pytest.fixture(scope="module")
def case():
    return random_case(n_users=200, n_items=60, seed=1)


def trec(lists, relevant, measures):
    """Return the values of trec_eval by measure, one a user."""
    qrel = {str(u): {str(item): 1 for item in row} for u, row in enumerate(relevant)}
    run = {
        str(u): {str(item): -float(place) for place, item in enumerate(row)} or {"-": 0.0}
        for u, row in enumerate(lists)
    }
    found = pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run)
    names = found["0"]
    return {name: np.array([found[str(u)][name] for u in range(len(lists))]) for name in names}


def test_trec_eval_agrees_on_recall_precision_ndcg_and_hit_rate(case):
    cuts = ",".join(map(str, CUTS))
    theirs = trec(case["lists"], case["relevant"], {f"{name}.{cuts}" for name in SAME.values()})
    n_compared = 0
    for k in CUTS:
        found = ours(case, k)
        for name, trec_name in SAME.items():
            np.testing.assert_allclose(found[name], theirs[f"{trec_name}_{k}"], atol=1e-9)
            n_compared += len(found[name])
    assert n_compared == 200 * len(CUTS) * len(SAME)


@pytest.mark.parametrize("k", CUTS)
def test_trec_eval_has_no_cut_off_for_reciprocal_rank_so_the_list_is_cut(case, k):
    theirs = trec([row[:k] for row in case["lists"]], case["relevant"], {"recip_rank"})
    np.testing.assert_allclose(ours(case, k)["mrr"], theirs["recip_rank"], atol=1e-9)
    whole = trec(case["lists"], case["relevant"], {"recip_rank"})["recip_rank"]
    assert k > 10 or (whole > ours(case, k)["mrr"]).any()


@pytest.mark.parametrize("k", CUTS)
def test_trec_eval_divides_average_precision_by_all_that_is_relevant(case, k):
    theirs = trec(case["lists"], case["relevant"], {f"map_cut.{k}"})[f"map_cut_{k}"]
    relevant = n_relevant(case)
    found = ours(case, k)["map"]
    np.testing.assert_allclose(found * np.minimum(k, relevant) / relevant, theirs, atol=1e-9)
    np.testing.assert_allclose(found[relevant <= k], theirs[relevant <= k], atol=1e-9)
    assert (found > theirs + 1e-3).any() or (relevant <= k).all()


def test_the_table_of_differences_on_the_page_is_what_was_measured():
    lists, relevant = [[3, 1, 4, 0, 2]], [[1, 2, 9]]
    case = case_of(lists, relevant, n_items=10, cuts=[])
    of_example = trec(lists, relevant, {"map_cut.2", "recip_rank"})
    tied = expected_metrics_of_random(np.array([1]), np.array([4]), k=4)["mrr"][0]
    check_page(
        {
            "trec_eval `map_cut.2`": (of_example["map_cut_2"][0], ours(case, 2)["map"][0]),
            "trec_eval `recip_rank`": (of_example["recip_rank"][0], ours(case, 1)["mrr"][0]),
            "trec_eval `recip_rank`, all scores equal, the target is `d1`": (of_tie("d1"), tied),
            "trec_eval `recip_rank`, all scores equal, the target is `d4`": (of_tie("d4"), tied),
        },
        libraries=("trec_eval",),
    )


def of_tie(target):
    """Return the reciprocal rank of one of four items of equal score: ties go by name."""
    run = {"user": {f"d{i}": 0.5 for i in range(1, 5)}}
    found = pytrec_eval.RelevanceEvaluator({"user": {target: 1}}, {"recip_rank"}).evaluate(run)
    return found["user"]["recip_rank"]
