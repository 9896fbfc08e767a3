import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from endcap.evaluation.certainty.effect import effect
from endcap.evaluation.verdicts.compare import compare
from endcap.evaluation.verdicts.compare_text import (
    comparison_record,
    comparison_text,
    print_comparison,
    scope,
    sentence,
    verdict,
)
from endcap.evaluation.verdicts.sides import Side, find_side
from endcap.schema.errors import DataError, SettingsError
from kept_evaluations import METRICS, evaluation_of, kept_on_disk, shop_values


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def root(tmp_path):
    values = shop_values()
    kept_on_disk(tmp_path, evaluation_of(values), values, name="aaa")
    return tmp_path


def compared(root, first, second, **options):
    options = {"n_replicates": 300, "rng": rng(), **options}
    return compare(find_side(root, first), find_side(root, second), **options)


def verdicts(comparison):
    return {row.metric: verdict(row, comparison) for row in comparison.rows}


def test_each_metric_has_a_verdict_that_knows_which_end_is_better(root):
    assert verdicts(compared(root, "good", "popular")) == {
        "recall": "good beats popular",
        "ndcg": "good beats popular",
        "diversity": "popular beats good",
        "calibration": "good beats popular",  # its values are lower, and lower is better
        "novelty": "good is higher than popular",
        "auc": "not measured",
    }


def test_the_other_way_round_says_the_same(root):
    there, back = compared(root, "good", "popular"), compared(root, "popular", "good")
    assert verdicts(there) == verdicts(back)
    for one, other in zip(there.rows, back.rows, strict=True):
        assert one.difference.n_users == other.difference.n_users
        if one.difference.n_users:
            assert one.difference.mean == pytest.approx(-other.difference.mean)


def test_a_model_is_not_shown_to_differ_from_itself(root):
    comparison = compared(root, "good", "good")
    assert set(verdicts(comparison).values()) == {"no difference shown", "not measured"}
    measured = [row for row in comparison.rows if row.metric != "auc"]
    assert {row.difference.p_adjusted for row in measured} == {1.0}
    assert {row.effect.size for row in measured} == {"none"}
    assert {row.n_users_needed for row in measured} == {None}


def test_a_twin_is_not_shown_to_differ_and_what_would_have_been_is_said(root):
    comparison = compared(root, "good", "twin", metrics=["ndcg"])
    (row,) = comparison.rows
    assert row.finding == "neither"
    assert abs(row.difference.mean) < row.smallest_difference
    text = sentence(row, comparison)
    assert f"a difference of {row.smallest_difference:.4f} would have been" in text
    assert f"this one takes {row.n_users_needed:,} users" in text
    assert row.n_users_needed > row.difference.n_users


def test_all_metrics_of_a_comparison_are_one_family(root):
    alone = compared(root, "good", "twin", metrics=["recall"])
    together = compared(root, "good", "twin")
    assert (alone.n_comparisons, together.n_comparisons) == (1, 5)
    (single,) = alone.rows
    (recall,) = (row for row in together.rows if row.metric == "recall")
    assert single.difference.p_adjusted == single.difference.p_value
    assert recall.difference.p_adjusted > recall.difference.p_value
    assert recall.smallest_difference > single.smallest_difference
    assert "one comparison" in scope(alone)[0]
    assert "all 5 metrics here as one family" in scope(together)[0]


def test_numbers_are_those_of_the_users(root):
    values = shop_values()
    column = METRICS.index("calibration")
    mine, theirs = values["good"][:, column], values["popular"][:, column]
    (row,) = compared(root, "good", "popular", metrics=["calibration"]).rows
    assert row.difference.n_users == 450, "every tenth user has no calibration"
    assert row.difference.mean == pytest.approx(np.nanmean(mine - theirs))
    assert row.first - row.second == pytest.approx(row.difference.mean)
    assert row.effect == effect(mine, theirs)
    assert row.effect.n_higher + row.effect.n_equal + row.effect.n_lower == 450


def test_models_of_two_evaluations_are_compared_when_the_split_is_the_same(root):
    values = shop_values()
    better = {
        "random": values["random"],
        "popular": values["popular"],
        "good": values["good"] + 0.1,
    }
    kept_on_disk(root, evaluation_of(better), better, name="bbb")
    comparison = compared(root, "bbb:good", "aaa:good", metrics=["ndcg"])
    assert verdicts(comparison) == {"ndcg": "bbb:good beats aaa:good"}
    assert comparison.rows[0].difference.mean == pytest.approx(0.1)
    assert find_side(root, "good").name == find_side(root, "latest:good").name == "bbb:good"
    assert find_side(root, "a:twin").name == "aaa:twin", "by the beginning of its name"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 20}, "k is 20 and 10"),
        ({"split_id": "other", "protocol": "leave-one-out"}, "protocol is leave-one-out and temp"),
        ({"split_id": "other", "cut_us": 5}, "cut_us is 5 and 1000000"),
        ({"split_id": "other", "facts": {"on": "validation"}}, "facts is {'on': 'validation'} and"),
        ({"split_id": "other"}, "the users or their targets"),
    ],
)
def test_another_split_is_refused_and_what_differs_is_named(root, change, said):
    values = shop_values()
    kept_on_disk(root, replace(evaluation_of(values), **change), values, name="bbb")
    with pytest.raises(DataError, match=re.escape(said)):
        compared(root, "bbb:good", "aaa:good")


def test_other_users_under_the_same_split_are_refused(root):
    values = shop_values(n_users=499)
    kept_on_disk(root, evaluation_of(values), values, name="bbb")
    with pytest.raises(DataError, match="not the same users in view all"):
        compared(root, "bbb:good", "aaa:good")


@pytest.mark.parametrize(
    ("names", "options", "error", "said"),
    [
        (("best", "popular"), {}, SettingsError, "It has random, popular, good, twin"),
        (("zzz:good", "popular"), {}, DataError, "'zzz'"),
        (("good", "popular"), {"metrics": ["speed"]}, SettingsError, "no metric speed"),
        (("good", "popular"), {"view": "repeat"}, SettingsError, "no view 'repeat'"),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_that_names_those_that_do(
    root, names, options, error, said
):
    with pytest.raises(error) as raised:
        compared(root, *names, **options)
    assert said in str(raised.value)


def test_the_text_fits_and_says_what_was_compared(root):
    text = comparison_text(compared(root, "good", "popular"))
    assert max(map(len, text.splitlines())) <= 110
    assert "good (first) against popular (second), all targets" in text
    assert "500 users of aaa" in " ".join(text.split())
    assert re.search(r"NDCG@10: good beats popular \(\+0\.\d+ \[", text)
    assert "of the training seed it is not, as there is one" in " ".join(text.split())


def test_a_terminal_shows_the_same_verdicts(root):
    comparison = compared(root, "good", "popular", metrics=["ndcg"])
    plain = Console(width=110, record=True, force_terminal=False)
    colour = Console(width=110, record=True, force_terminal=True)
    for console in (plain, colour):
        print_comparison(comparison, console)
        assert "NDCG@10: good beats popular" in console.export_text()


def test_the_record_is_json_with_the_verdicts_and_nothing_undefined(root):
    comparison = compared(root, "good", "popular")
    record = json.loads(json.dumps(comparison_record(comparison), allow_nan=False))
    rows = {row["metric"]: row for row in record["rows"]}
    assert rows["ndcg"]["verdict"] == "good beats popular"
    assert rows["ndcg"]["finding"] == "first"
    assert rows["ndcg"]["effect"]["size"] == "large"
    assert rows["ndcg"]["difference"]["n_users"] == 500
    assert rows["auc"]["difference"]["mean"] is None
    assert record["split_id"] == "5011d"


def test_the_same_generator_gives_the_same_comparison(root):
    first, again = (comparison_record(compared(root, "good", "twin")) for _ in range(2))
    assert first == again


def test_a_side_goes_by_its_evaluation_and_model(root):
    side = find_side(root, "good")
    assert side == Side(side.kept, "good")
    assert side.name == "aaa:good"


def test_the_luck_of_training_seeds_is_allowed_for(tmp_path):
    values, draw = shop_values(), rng(1)
    fits = {name: 0.2 * draw.standard_normal((4, len(METRICS))) for name in values}
    evaluation = replace(evaluation_of(values), n_seeds=4)
    kept_on_disk(tmp_path / "one", evaluation_of(values), values)
    kept_on_disk(tmp_path / "four", evaluation, values, fit_means=fits)
    one = compared(tmp_path / "one", "good", "popular", metrics=["ndcg"])
    four = compared(tmp_path / "four", "good", "popular", metrics=["ndcg"])
    assert (one.rows[0].finding, four.rows[0].finding) == ("first", "neither")
    assert four.rows[0].difference.mean == pytest.approx(one.rows[0].difference.mean)
    assert (one.n_seeds, four.n_seeds) == (1, 4)
    assert "training seed (4 of each model) is covered" in scope(four)[1]
