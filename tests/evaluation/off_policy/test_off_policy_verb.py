"""The verb `off-policy`: tables in, an answer or a refusal out; also on the Open Bandit sample."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from endcap.cli.off_policy import off_policy
from endcap.evaluation.off_policy.value import METHODS
from endcap.schema.errors import DataError, SettingsError

alone = typer.Typer()
alone.command()(off_policy)


def ask(*arguments, catch=False):
    result = CliRunner().invoke(alone, [str(word) for word in arguments])
    if result.exception and not catch and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def answer(*arguments):
    return json.loads(ask(*arguments, "--json"))


@pytest.fixture
def log_file(tmp_path):
    """3,000 rounds of three items at two places: `b` is liked best, the log shows each alike."""
    rng = np.random.default_rng(0)
    liked = {"a": 0.1, "b": 0.6, "c": 0.2}
    lines = ["item_id,position,click,propensity_score,user,age,town"]
    for row in range(3000):
        item, place = "abc"[rng.integers(3)], ("top", "side")[rng.integers(2)]
        click = int(rng.random() < liked[item] * (1.0 if place == "top" else 0.5))
        lines.append(f"{item},{place},{click},{1 / 3},u{row // 2},{row % 50},{'xyz'[row % 3]}")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def table(tmp_path):
    """Write a small CSV file."""

    def write(*lines, name="target.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_a_target_by_item_is_judged_by_every_method(log_file, table):
    always_b = table("item_id,probability", "b,1")
    found = answer(log_file, "--target", always_b)
    assert list(found["estimates"]) == sorted(METHODS)
    for method in METHODS:
        assert found["estimates"][method]["value"] == pytest.approx(0.45, abs=0.05)
    assert found["lifts"]["dr"]["low"] > 0
    assert found["overlap"]["ess"] == pytest.approx(1000, abs=60)
    assert found["truth"] is None


def test_a_target_may_depend_on_the_position_and_on_the_round(log_file, table):
    by_place = table("item_id,position,probability", "b,top,1", "a,side,1")
    found = answer(log_file, "--target", by_place)
    assert found["estimates"]["dr"]["value"] == pytest.approx((0.6 + 0.05) / 2, abs=0.03)
    rows = [f"{row},{'b' if row % 2 else 'a'},1" for row in range(1, 3001)]
    by_round = table("round,item_id,probability", *rows)
    found = answer(log_file, "--target", by_round)
    assert found["estimates"]["dr"]["value"] == pytest.approx((0.45 + 0.075) / 2, abs=0.03)


def test_parquet_and_csv_give_the_same_answer(log_file, table, tmp_path):
    packed = tmp_path / "log.parquet"
    with duckdb.connect() as db:
        db.read_csv(str(log_file)).write_parquet(str(packed))
    target = table("item_id,probability", "b,0.5", "c,0.5")
    assert answer(packed, "--target", target) == answer(log_file, "--target", target)


def test_columns_of_other_names_users_and_contexts_are_read(log_file, table):
    renamed = table(
        log_file.read_text().replace("item_id,position,click,propensity_score", "i,k,r,p", 1),
        name="renamed.csv",
    )
    names = ("--action", "i", "--position", "k", "--reward", "r", "--propensity", "p")
    target = table("i,probability", "b,1")
    more = ("--user", "user", "--context", "age,town", "--method", "dr,ips")
    found = answer(renamed, "--target", target, *names, *more)
    assert list(found["estimates"]) == ["dr", "ips"]
    assert found["overlap"]["n_groups"] == 1500
    plain = answer(log_file, "--target", table("item_id,probability", "b,1"), "--method", "ips")
    assert found["estimates"]["ips"]["value"] == plain["estimates"]["ips"]["value"]
    assert found["estimates"]["ips"]["low"] != plain["estimates"]["ips"]["low"]


def test_a_log_of_the_targets_own_gives_the_truth_beside_it(log_file):
    found = answer(log_file, "--target-log", log_file)
    assert found["truth"] == pytest.approx(found["logged"], rel=0.05)
    text = ask(log_file, "--target-log", log_file, "--clip", 2)
    assert "the target's own log" in text
    assert "Clipping to 2" in text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["item_id,probability", "b,0.5"], "do not sum to 1"),
        (["item_id,probability", "b,1", "b,0"], "1 rows state a chance once more"),
        (["item_id,probability", "d,1"], "100.0% of what the target does was never shown"),
        (["item_id,probability", "7,1"], "item_id is a number in one table and text in another"),
        (["item_id,chance", "b,1"], "there is no column 'probability'"),
        (["item_id,probability", "b,much"], "probability holds no numbers"),
        (["item_id,round,probability", "b,3001,1"], r"round is none of 1 \.\. 3,000"),
        (["item_id,position,probability", "b,top,1"], "do not sum to 1"),
    ],
)
def test_a_target_that_cannot_be_right_is_refused(log_file, table, lines, message):
    with pytest.raises(DataError, match=message):
        ask(log_file, "--target", table(*lines))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0.3333333333333333,u0,", ",0,u0,", r"propensity is not in \(0, 1\] in .* rows: 1, 2"),
        (",0.3333333333333333,u0,", ",,u0,", "propensity_score is missing in .* rows: 1, 2"),
        ("item_id", "thing", "there is no column 'item_id'"),
    ],
)
def test_a_log_that_cannot_be_right_is_refused(log_file, table, old, new, message):
    log_file.write_text(log_file.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        ask(log_file, "--target", table("item_id,probability", "b,1"))


def test_one_target_is_asked_for(log_file, table):
    target = table("item_id,probability", "b,1")
    for flags in ([], ["--target", target, "--target-log", log_file]):
        with pytest.raises(SettingsError, match="one target"):
            ask(log_file, *flags)
    with pytest.raises(DataError, match="no such file"):
        ask(log_file, "--target", target.with_name("absent.csv"))


@pytest.fixture(scope="module")
def open_bandit():
    """The Open Bandit sample: two policies, the campaigns `all` and `women`, 10,000 rounds each."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", beside)) / "open_bandit_sample"
    if not folder.is_dir():
        pytest.skip(f"no Open Bandit sample at {folder}; set ENDCAP_TEST_DATA")
    return folder


def judged(folder, logging, target, campaign, *more):
    return answer(
        folder / f"{logging}_{campaign}.parquet",
        "--target-log",
        folder / f"{target}_{campaign}.parquet",
        *more,
    )


@pytest.mark.parametrize(
    ("campaign", "truth", "ess", "rewards"),
    [("all", 0.0042, 2639, 15.4), ("women", 0.0046, 3492, 23.2)],
)
def test_of_random_rounds_the_value_of_thompson_sampling_is_held_by_the_intervals(
    open_bandit, campaign, truth, ess, rewards
):
    found = judged(open_bandit, "random", "bts", campaign)
    assert found["truth"]["value"] == pytest.approx(truth)
    assert found["overlap"]["ess"] == pytest.approx(ess, abs=1)
    assert found["overlap"]["effective_rewards"] == pytest.approx(rewards, abs=0.1)
    for method in ("ips", "snips", "dr", "sndr", "switch_dr"):
        estimate = found["estimates"][method]
        assert estimate["low"] < truth < estimate["high"]
        assert abs(estimate["value"] - truth) / truth < 0.3
        assert estimate["high"] - estimate["low"] > truth  # wide: 38 and 46 clicks
    assert any("rewards are worth" in words for words in found["warnings"])


@pytest.mark.parametrize("campaign", ["all", "women"])
def test_of_thompson_sampling_the_value_of_random_is_refused(open_bandit, campaign):
    with pytest.raises(DataError, match="not enough overlap"):
        judged(open_bandit, "bts", "random", campaign)
    found = judged(open_bandit, "bts", "random", campaign, "--method", "dm")
    assert list(found["estimates"]) == ["dm"]
    assert found["overlap"]["ess"] < 500
    assert len(found["warnings"]) >= 2
