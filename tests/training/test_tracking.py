"""What the book of runs takes down, and that nothing which befalls it stops the work."""

import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from endcap.models.popular import Popular
from endcap.schema.errors import SettingsError
from endcap.training.config import TrainingConfig
from endcap.training.judge import Setup
from endcap.training.run import ModelRecord, train
from endcap.training.tracked import (
    N_POINTS,
    curve_svg,
    environment_json,
    evaluation_metrics,
    lineage,
    log_bundle,
    log_evaluation,
    log_model,
    log_training,
    thinned,
    training_curves,
)
from endcap.training.tracked_runs import tracked_runs
from endcap.training.tracking import (
    CLOSED,
    KIND,
    NESTED,
    PARENT,
    Book,
    flat,
    metric_name,
    open_book,
    uri_of,
)
from endcap.training.tracking_page import page_command, page_environment, serve_page
from kept_evaluations import evaluation_of, shop_values
from rated import electronics_like


@dataclass
class Recorder:
    """Stands in for MLflow's client: remembers runs and how they ended."""

    runs: list[dict] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)

    def create_run(self, _experiment, *, run_name, tags):
        self.runs.append({"name": run_name, "tags": tags})
        return SimpleNamespace(info=SimpleNamespace(run_id=f"r{len(self.runs)}"))

    def set_terminated(self, run_id, status):
        self.ended[run_id] = status


class Burning:
    """A book that burns at the first touch."""

    def create_run(self, *_, **__):
        raise OSError("no route to https://me:secret@host/x")


def test_a_closed_book_takes_down_nothing_and_nobody_notices(tmp_path):
    with CLOSED.entry("a", kind="train") as entry:
        entry.params({"a": 1})
        entry.metrics({"b": 2.0})
        entry.curves({"c": [1.0, 2.0]})
        entry.tag("d", "e")
        entry.text("f/g.txt", "h")
        entry.file(tmp_path / "not-there")
        with entry.part("i", kind="trial") as part:
            part.metrics({"j": 3.0})
    assert (entry.run_id, part.run_id, CLOSED.is_open) == ("", "", False)
    log_bundle(CLOSED, "run", tmp_path / "not-there")


def test_off_says_so_in_one_line(tmp_path, capsys):
    assert not open_book("off", var=tmp_path).is_open
    assert capsys.readouterr().err == "  runs are not tracked: training.tracking is off\n"
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_work_goes_on_and_the_mend_is_one_line(tmp_path, capsys, monkeypatch):
    for name in ("mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not open_book("local", var=tmp_path).is_open
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install 'endcap[tracking]'" in said


def test_a_book_that_burns_is_closed_and_the_work_goes_on(capsys):
    book = Book(Burning(), "0")
    with book.entry("a", kind="train") as entry, entry.part("b", kind="trial"):
        entry.metrics({"a": 1.0})
    said = capsys.readouterr().err
    assert not book.is_open
    assert said.count("runs are not tracked") == 1
    assert "secret" not in said


@pytest.mark.parametrize(
    ("raised", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_an_entry_ends_as_the_work_did(raised, status):
    client = Recorder()
    with pytest.raises(raised), Book(client, "0").entry("a", kind="train"):
        raise raised
    assert client.ended == {"r1": status}


def test_an_entry_that_is_done_is_finished():
    client = Recorder()
    with Book(client, "0").entry("a", kind="train", tags={"x": 1, "y": None}):
        pass
    assert client.ended == {"r1": "FINISHED"}
    assert client.runs == [{"name": "a", "tags": {KIND: "train", NESTED: "no", "x": "1"}}]


def test_a_part_belongs_to_its_entry():
    client = Recorder()
    with Book(client, "0").entry("grid", kind="grid") as entry, entry.part("one", kind="setting"):
        pass
    assert client.runs[1]["tags"] == {PARENT: entry.run_id, NESTED: "yes", KIND: "setting"}
    assert client.ended == {"r1": "FINISHED", "r2": "FINISHED"}


def test_names_and_settings_as_the_book_takes_them():
    assert metric_name("all/als/ndcg@10") == "all/als/ndcg_at_10"
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}}, prefix="m.") == {
        "m.a": 1,
        "m.b.c": 2,
        "m.b.d.e": 3,
    }


def test_where_the_book_lies_is_no_part_of_what_was_evaluated():
    here, there = TrainingConfig(), TrainingConfig(tracking="https://a", experiment="b")
    setups = [Setup.of(("popular",), snapshot_id="s", config=config) for config in (here, there)]
    assert setups[0].name == setups[1].name


def test_an_evaluation_is_told_with_its_intervals():
    evaluation = evaluation_of(shop_values())
    found = evaluation_metrics(evaluation)
    mean = evaluation.views["all"].models["good"].metrics["ndcg"].mean
    assert found["ndcg.good"] == found["all/good/ndcg"] == mean
    assert {"all/good/ndcg_low", "all/good/ndcg_high", "all/good/coverage"} <= set(found)


def test_curves_are_those_of_the_epochs_or_of_the_steps():
    trained = SimpleNamespace(trained_=SimpleNamespace(losses=[3.0, 2.0], qualities=[0.1]))
    curves = training_curves(trained)
    assert {name: values.tolist() for name, values in curves.items()} == {
        "loss": [3.0, 2.0],
        "quality": [0.1],
    }
    steps = training_curves(SimpleNamespace(losses_=np.arange(6000.0)))
    assert len(steps["loss"]) == N_POINTS
    assert steps["loss"].mean() == pytest.approx(2999.5)
    assert training_curves(Popular()) == {}
    assert thinned([1.0]).tolist() == [1.0]
    assert "<svg" in curve_svg(np.array([3.0, 2.0]), "loss of ncf")


def test_the_environment_names_versions_and_nobody():
    told = json.loads(environment_json())
    assert told["libraries"]["numpy"] == np.__version__
    assert set(told) == {"endcap", "commit", "python", "platform", "n_cpus", "libraries"}
    assert socket.gethostname() not in json.dumps(told)


def test_the_page_is_served_to_this_machine_alone_and_tells_nobody(tmp_path):
    command = page_command("local", var=tmp_path, port=5055)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == uri_of("local", var=tmp_path)
    assert command[command.index("--workers") + 1] == "1"
    assert page_environment()["MLFLOW_DISABLE_TELEMETRY"] == "true"
    with pytest.raises(SettingsError, match="not tracked"):
        serve_page("off", var=tmp_path, port=5055)


def test_a_book_on_a_server_has_a_page_already(tmp_path, capsys):
    assert serve_page("https://me:secret@runs.shop", var=tmp_path, port=5055) == 0
    assert "runs.shop" in (said := capsys.readouterr().err)
    assert "secret" not in said


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    return tmp_path_factory.mktemp("tracked")


@pytest.fixture(scope="module")
def book(var):
    pytest.importorskip("mlflow", reason="the extra `tracking` is not installed")
    return open_book("local", var=var)


def files_of(book, run_id, folder=None):
    return {one.path for one in book.client.list_artifacts(run_id, folder)}


@pytest.mark.slow
def test_a_training_stands_in_the_book_with_all_that_it_rests_on(book, var):
    data = electronics_like(n_rows=500, n_users=80, n_items=40)
    with book.entry("popular", kind="train", tags=lineage("5a9")) as entry:
        run, folder = train(data, ("popular",), seed=3, snapshot_id="5a9", root=var / "models")
        log_training(entry, run, folder, data=data)
        model = SimpleNamespace(trained_=SimpleNamespace(losses=[3.0, 2.0, math.nan], qualities=[]))
        log_model(entry, "ncf", model, ModelRecord({"loop": {"n_epochs": 3}}, 1.5))
    (folder / "bundle.json").write_text("{}")
    log_bundle(book, run.run_id, folder / "bundle.json")
    found = book.client.get_run(entry.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["popular.half_life_days"] == "28.0"
    assert found.data.params["ncf.loop.n_epochs"] == "3"
    assert found.data.params["n_interactions"] == "500"
    assert found.data.metrics["machine/peak_memory_bytes"] > 1e7
    assert {"fit_s", "popular/fit_s"} <= set(found.data.metrics)
    curve = book.client.get_metric_history(entry.run_id, "ncf/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 3.0), (2, 2.0)]
    assert {"snapshot", "commit", "machine", "endcap_version"} <= set(found.data.tags)
    assert files_of(book, entry.run_id) == {"run", "plots", "environment.json", "bundle"}
    assert files_of(book, entry.run_id, "run") == {"run/manifest.json"}
    assert files_of(book, entry.run_id, "bundle") == {"bundle/bundle.json"}
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


@pytest.mark.slow
def test_an_evaluation_stands_in_the_book_and_runs_are_listed_newest_first(book, tmp_path):
    (tmp_path / "evaluation.json").write_text("{}")
    time.sleep(0.01)  # the book's clock ticks in milliseconds
    log_evaluation(
        book,
        evaluation_of(shop_values()),
        tmp_path,
        snapshot_id="5a9",
        on="test",
        params={"als": {"reg": 3.0}},
    )
    newest = tracked_runs(book, n_at_most=1)[0]
    assert (newest.kind, newest.status, newest.snapshot) == ("evaluate", "FINISHED", "5a9")
    assert set(newest.metrics) == {"ndcg.random", "ndcg.popular", "ndcg.good", "ndcg.twin"}
    with book.entry("grid", kind="grid") as entry, entry.part("one", kind="grid setting") as part:
        part.metrics({"rmse": 1.25, "precision@10": 0.8})
    assert "one" not in [run.name for run in tracked_runs(book)]
    (one,) = tracked_runs(book, kind="grid setting", nested=True)
    assert one.parent_id == entry.run_id
    assert one.metrics == {"rmse": 1.25, "precision_at_10": 0.8}
    starts = [run.started_us for run in tracked_runs(book, nested=True)]
    assert starts == sorted(starts, reverse=True)
    with pytest.raises(SettingsError, match="no run is of kind"):
        tracked_runs(book, kind="' OR 1")


@pytest.mark.slow
def test_a_second_opening_finds_the_same_book(book, var):
    again = open_book("local", var=var)
    assert again.experiment_id == book.experiment_id
    assert str(var) in again.address


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_of_the_runs_comes_up(book, var):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = page_command("local", var=var, port=port)
    with subprocess.Popen(
        command, env=page_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert b"MLflow" in page(f"http://127.0.0.1:{port}/", until_s=time.monotonic() + 200)
        finally:
            server.terminate()


def page(address, *, until_s):
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                assert answer.status == 200
                return answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > until_s:
                raise
            time.sleep(1)
