"""`endcap evaluate` under the protocols of ratings: what is printed, and what is kept."""

import json
from types import SimpleNamespace

import pytest

from endcap.cli.evaluate_ratings import RATING_PROTOCOLS, evaluate_ratings_of
from endcap.evaluation.pointwise.result import RatingEvaluation
from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.schema.errors import SettingsError
from endcap.settings import Settings
from endcap.training.config import TrainingConfig
from rated import electronics_like

SAYS = {
    "rating": "worse than global_mean",
    "seed-1": "P@10: this number cannot tell models apart",
    "seed-2": "P@10: this number cannot tell models apart",
}


@pytest.fixture
def opened(monkeypatch, tmp_path):
    data = electronics_like(n_rows=3_000, n_users=400, n_items=60)
    monkeypatch.setattr("endcap.ingest.snapshot.load_dataset", lambda _: data)
    cut = data.end_us // 5
    monkeypatch.setattr(
        "endcap.training.judge_ratings.days_before_end", lambda data, days: data.end_us - cut
    )
    return SimpleNamespace(path=tmp_path / "snapshot", snapshot_id="0a1b")


@pytest.fixture
def settings(tmp_path):
    return Settings(var=tmp_path, training=TrainingConfig(bootstrap_replicates=100))


@pytest.mark.parametrize("protocol", RATING_PROTOCOLS)
def test_each_protocol_prints_its_table_and_keeps_it(protocol, opened, settings, capsys):
    evaluate_ratings_of(opened, settings, protocol=protocol)
    said = " ".join(capsys.readouterr().out.split())
    assert SAYS[protocol] in said
    path = settings.var / "ratings" / f"0a1b-{protocol}.json"
    text = path.read_text()
    if protocol == "rating":
        assert RatingEvaluation.from_json(text).counts.n_rows == 600
    else:
        assert SeedEvaluation.from_dict(json.loads(text)).blind == ("precision@10",)


def test_json_is_one_object_that_names_where_it_is_kept(opened, settings, capsys):
    evaluate_ratings_of(opened, settings, protocol="seed-2", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["protocol"] == "seed-2"
    assert found["path"].endswith("0a1b-seed-2.json")
    assert found["rows"]["random"]["precision@10"]["n_users"] > 0


def test_models_can_be_chosen(opened, settings, capsys):
    evaluate_ratings_of(opened, settings, protocol="rating", models="biased_mean", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert set(found["models"]) == {"global_mean", "user_mean", "item_mean", "biased_mean"}


def test_an_unknown_model_is_refused(opened, settings):
    with pytest.raises(SettingsError, match="no model of ratings"):
        evaluate_ratings_of(opened, settings, protocol="rating", models="popular")
