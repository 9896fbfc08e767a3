import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.verdicts.config import GateConfig
from endcap.evaluation.verdicts.gate import decide
from endcap.evaluation.verdicts.record import keep_record, read_record, record_of
from endcap.evaluation.verdicts.sides import Side
from endcap.schema.errors import DataError, GateError, SettingsError
from kept_evaluations import (
    METRICS,
    changed_model,
    evaluation_of,
    exposure_result,
    kept_on_disk,
    shop_values,
)

NDCG = METRICS.index("ndcg")
NAMES = (
    *("time split", "not worse than live", "better than popular", "coverage", "diversity"),
    *("exposure by popularity", "ranking time", "short lists"),
)


def decided(tmp_path, candidate, live, *, change=None, values=None, config=None):
    """Decide between two models of one evaluation, after `change` of that evaluation."""
    values = shop_values() if values is None else values
    evaluation = evaluation_of(values)
    kept = kept_on_disk(tmp_path, change(evaluation) if change else evaluation, values)
    rng = np.random.default_rng(0)
    config = config or GateConfig()
    return decide(Side(kept, candidate), Side(kept, live), config=config, n_replicates=200, rng=rng)


def failed(decision):
    return [check.name for check in decision.checks if not check.passed]


def with_metric(evaluation, model, metric, mean):
    (view,) = evaluation.views.values()
    metrics = {**view.models[model].metrics, metric: Interval(mean, mean, mean, 500)}
    return changed_model(evaluation, model, metrics=metrics)


def with_parity(evaluation, model, parity):
    (name,) = evaluation.views
    view = evaluation.views[name]
    groups = {**view.exposure["popularity"], model: exposure_result(parity)}
    return replace(evaluation, views={name: replace(view, exposure={"popularity": groups})})


def with_ranking(evaluation, **ranking_s):
    return replace(evaluation, ranking_s={**evaluation.ranking_s, **ranking_s})


def test_a_better_model_within_all_guardrails_passes(tmp_path):
    decision = decided(tmp_path, "good", "popular", config=GateConfig(max_diversity_loss=0.3))
    assert decision.passed
    assert tuple(check.name for check in decision.checks) == NAMES
    assert decision.reasons == ()


def test_the_same_model_against_itself_passes(tmp_path):
    assert decided(tmp_path, "good", "good").passed


def test_random_against_popular_fails_on_accuracy(tmp_path):
    decision = decided(tmp_path, "random", "popular")
    assert failed(decision) == ["not worse than live", "better than popular"]


def test_a_candidate_better_than_live_but_not_than_popularity_fails(tmp_path):
    values = shop_values()
    values["good"] = values["popular"].copy()
    values["twin"] = values["popular"] - 0.2
    decision = decided(tmp_path, "good", "twin", values=values)
    assert failed(decision) == ["better than popular"]


def test_popularity_itself_is_no_candidate(tmp_path):
    decision = decided(tmp_path, "popular", "popular")
    assert failed(decision) == ["better than popular"]
    assert "is popular itself" in decision.reasons[0]


@pytest.mark.parametrize(("drop", "passes"), [(0.0, True), (0.004, True), (0.02, False)])
def test_a_candidate_may_be_worse_by_less_than_the_margin_alone(tmp_path, drop, passes):
    values = shop_values()
    values["twin"] = values["good"].copy()
    values["twin"][:, NDCG] -= drop  # the same for every user: the interval has no width
    decision = decided(tmp_path, "twin", "good", values=values)
    assert (failed(decision) == []) == passes
    check = decision.checks[1]
    assert check.value == pytest.approx(-drop)
    assert check.limit == pytest.approx(-0.01 * values["good"][:, NDCG].mean())


def test_a_candidate_whose_loss_is_not_known_well_enough_fails(tmp_path):
    values = shop_values()
    values["twin"] = values["good"] + np.random.default_rng(1).normal(0, 1, values["good"].shape)
    decision = decided(tmp_path, "twin", "good", values=values)
    assert "not worse than live" in failed(decision)
    lax = GateConfig(margin=0.9, max_diversity_loss=1.0)
    assert decided(tmp_path, "twin", "good", values=values, config=lax).passed


def test_better_than_popularity_is_corrected_for_the_models_chosen_from(tmp_path):
    draw = np.random.default_rng(3)
    values = {name: shop_values()[name] for name in ("random", "popular", "good")}
    values["good"] = values["popular"] + draw.normal(0.012, 0.1, values["popular"].shape)
    crowd = {
        f"model {n}": values["popular"] + draw.normal(0, 0.1, values["popular"].shape)
        for n in range(30)
    }
    few = decided(tmp_path / "few", "good", "good", values=values)
    many = decided(tmp_path / "many", "good", "good", values={**values, **crowd})
    assert failed(few) == []
    assert failed(many) == ["better than popular"]
    assert "corrected for 31 models" in many.reasons[0]


GUARDRAILS = {
    "coverage": lambda e: changed_model(
        e, "good", catalogue={"coverage": 0.39, "gini": 0.5, "entropy": 0.5}
    ),
    "diversity": lambda e: with_metric(e, "good", "diversity", 0.1),
    "exposure by popularity": lambda e: with_parity(e, "good", 0.26),
    "ranking time": lambda e: with_ranking(e, good=6.1),
    "short lists": lambda e: changed_model(e, "good", n_short_lists=6),
    "time split": lambda e: replace(e, protocol="leave-one-out"),
}
WITHIN = {
    "coverage": lambda e: changed_model(
        e, "good", catalogue={"coverage": 0.41, "gini": 0.5, "entropy": 0.5}
    ),
    "exposure by popularity": lambda e: with_parity(e, "good", 0.24),
    "ranking time": lambda e: with_ranking(e, good=5.9),
    "short lists": lambda e: changed_model(e, "good", n_short_lists=5),
}
UNKNOWN = {
    "coverage": lambda e: changed_model(e, "good", catalogue={}),
    "diversity": lambda e: with_metric(e, "twin", "diversity", math.nan),
    "exposure by popularity": lambda e: with_parity(e, "good", math.nan),
    "ranking time": lambda e: replace(e, ranking_s={"twin": 4.0}),
    "ranking time of live": lambda e: replace(e, ranking_s={"good": 0.1}),
    "ranking time of nobody": lambda e: with_ranking(e, good=0.0, twin=0.0),
}


@pytest.mark.parametrize("name", GUARDRAILS)
def test_each_guardrail_alone_stops_a_candidate(tmp_path, name):
    decision = decided(tmp_path, "good", "twin", change=GUARDRAILS[name])
    assert failed(decision) == [name]
    assert not decision.passed
    assert len(decision.reasons) == 1


@pytest.mark.parametrize("name", WITHIN)
def test_what_is_within_its_limit_passes(tmp_path, name):
    assert failed(decided(tmp_path, "good", "twin", change=WITHIN[name])) == []


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_number_that_is_missing_never_passes(tmp_path, name):
    decision = decided(tmp_path, "good", "twin", change=UNKNOWN[name])
    assert failed(decision) == [name.partition(" of ")[0]]
    assert "what is not known passes only when it is waived" in decision.reasons[0]
    json.dumps(record_of(decision).to_dict(), allow_nan=False)


def test_no_exposure_at_all_does_not_pass(tmp_path):
    def without(evaluation):
        views = {name: replace(view, exposure={}) for name, view in evaluation.views.items()}
        return replace(evaluation, views=views)

    assert failed(decided(tmp_path, "good", "twin", change=without)) == ["exposure"]
    waived = GateConfig(waived=("exposure",))
    assert decided(tmp_path, "good", "twin", change=without, config=waived).passed


def test_a_metric_that_nobody_has_does_not_pass(tmp_path):
    decision = decided(tmp_path, "good", "twin", config=GateConfig(metric="auc"))
    assert failed(decision) == ["not worse than live", "better than popular"]
    json.dumps(record_of(decision).to_dict(), allow_nan=False)


def test_a_guardrail_is_waived_by_name_and_the_record_says_so(tmp_path):
    config = GateConfig(waived=("ranking time", "exposure by popularity"))
    decision = decided(tmp_path, "good", "twin", change=GUARDRAILS["ranking time"], config=config)
    assert decision.passed
    reasons = {check.name: check.reason for check in decision.checks}
    assert reasons["ranking time"].startswith("waived; ranking time is 6.1000")
    assert reasons["exposure by popularity"].startswith("waived; ")


def test_accuracy_and_the_time_split_cannot_be_waived():
    for name in ("time split", "not worse than live", "better than popular", "covrage"):
        with pytest.raises(ValidationError, match="no guardrail is called"):
            GateConfig(waived=(name,))


def test_a_fast_candidate_passes_however_much_faster_the_live_model_is(tmp_path):
    fast = decided(tmp_path, "good", "twin", change=lambda e: with_ranking(e, good=0.9, twin=0.1))
    assert fast.passed


def test_validation_part_is_refused_with_its_reason(tmp_path):
    def on_validation(evaluation):
        return replace(evaluation, facts={"on": "validation"})

    decision = decided(tmp_path, "good", "twin", change=on_validation)
    assert failed(decision) == ["time split"]
    assert "on validation" in decision.reasons[0]


def test_models_of_unlike_splits_are_refused(tmp_path):
    values = shop_values()
    evaluation = evaluation_of(values)
    one = kept_on_disk(tmp_path, evaluation, values, name="aaa")
    other = kept_on_disk(tmp_path, replace(evaluation, split_id="x"), values, name="bbb")
    with pytest.raises(DataError, match="users or their targets"):
        decide(
            Side(one, "good"),
            Side(other, "good"),
            config=GateConfig(),
            rng=np.random.default_rng(0),
        )


def test_an_unknown_metric_or_view_is_a_wrong_setting(tmp_path):
    for config in (GateConfig(metric="speed"), GateConfig(view="repeat")):
        with pytest.raises(SettingsError, match=r"speed|repeat"):
            decided(tmp_path, "good", "twin", config=config)


def test_a_record_survives_being_written_and_read(tmp_path):
    decision = decided(tmp_path, "good", "twin", change=UNKNOWN["coverage"])
    record = record_of(decision, now=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    path = keep_record(record, root=tmp_path / "gates")
    assert path.name == "20260301T123000Z-aaa-good.json"
    assert read_record(path) == record
    found = json.loads(path.read_text())
    assert found["passed"] is False
    assert found["decision"]["split_id"] == "5011d"
    assert found["decision"]["live"] == "aaa:twin"
    check = found["decision"]["checks"][1]
    assert check["name"] == "not worse than live"
    assert check["passed"] is True
    assert check["value"] > check["limit"]
    assert "margin of 1.0%" in check["reason"]


def test_a_second_record_of_the_same_second_does_not_replace_the_first(tmp_path):
    record = record_of(decided(tmp_path, "good", "good"), now=datetime(2026, 3, 1, tzinfo=UTC))
    paths = [keep_record(record, root=tmp_path / "gates") for _ in range(3)]
    assert len(set(paths)) == len(list((tmp_path / "gates").iterdir())) == 3


def test_a_damaged_or_foreign_record_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("{}")
    with pytest.raises(DataError, match="no record of a gate"):
        read_record(path)
    record = record_of(decided(tmp_path / "var", "good", "good")).to_dict()
    path.write_text(json.dumps({**record, "format": 99}))
    with pytest.raises(DataError, match="of format 99"):
        read_record(path)


def test_a_failed_gate_is_an_error_that_says_why_and_a_passed_one_is_none(tmp_path):
    record_of(decided(tmp_path / "one", "good", "good")).require()
    refused = record_of(decided(tmp_path / "two", "random", "popular"))
    with pytest.raises(GateError, match="aaa:random did not pass: ndcg is -0") as raised:
        refused.require()
    assert raised.value.exit_code == 8


def test_the_same_generator_gives_the_same_decision(tmp_path):
    first, again = (decided(tmp_path / name, "good", "twin") for name in ("one", "two"))
    assert first == again
