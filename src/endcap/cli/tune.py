"""`endcap tune`: better settings of a model, found on the validation part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from endcap.cli.context import SnapshotName, settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.settings import DEFAULT_FILE, Settings

if TYPE_CHECKING:
    from endcap.training.tune import Search, Tried, Tuned

TUNE_EXAMPLES = """
**Examples**: `endcap tune item_knn`, `endcap tune als --trials 50 --minutes 30 --write`,
`endcap tune ease --protocol leave-one-out --no-refit`
"""
Trials = Annotated[
    int, typer.Option(min=1, help="Settings to try, those of earlier calls included.")
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0.0, help="Begin no further trial after so long; no limit when left out."),
]
N_SHOWN = 5
INTERRUPTED = 130


def tune(
    model: Annotated[str, typer.Argument(help="The model whose settings are looked for.")],
    snapshot: SnapshotName = "latest",
    trials: Trials = 30,
    minutes: Minutes = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Fit each setting so often, with other seeds.")
    ] = 1,
    protocol: Annotated[
        str | None, typer.Option(help="The question, as of `evaluate`; its validation part counts.")
    ] = None,
    refit: Annotated[
        bool | None, typer.Option("--refit/--no-refit", help="As of `evaluate`.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write what is found into the settings file.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Look for better settings of a model on the validation part; the test is never looked at.

    What is set now is tried first. The same command goes on with a search that was stopped.
    """
    settings = settings_with({"evaluation": {"protocol": protocol, "refit": refit}})
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset, open_snapshot
        from endcap.models.search_spaces import space_of
        from endcap.training.texts import with_wanted_texts
        from endcap.training.tracked import lineage, log_tuning
        from endcap.training.tracking import open_book
        from endcap.training.trial import validation_bench
        from endcap.training.tune import Budget, Search
    space, config = space_of(model), settings.training
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    data = load_dataset(opened.path)
    bench = validation_bench(
        with_wanted_texts(data, (model,), opened.path, config=config, cache=settings.var / "texts"),
        config=config,
        asking=settings.evaluation,
        weights=settings.kinds,
    )
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    with book.entry(f"tune {model}", kind="tune", tags=lineage(opened.snapshot_id)) as entry:
        search = Search(
            model,
            space=space,
            bench=bench,
            params=config.params.get(model, {}),
            folder=settings.var / "tuning",
            told=_told(opened.snapshot_id, settings, seeds),
            seed=config.seed,
            entry=entry,
        )
        tuned = search.run(Budget(n_trials=trials, minutes=minutes, n_seeds=seeds))
        log_tuning(entry, tuned)
    _tell(tuned, search, settings, write=write and not tuned.is_interrupted, as_json=as_json)
    if tuned.is_interrupted:
        raise typer.Exit(INTERRUPTED)


def _told(snapshot_id: str, settings: Settings, n_seeds: int) -> dict[str, Any]:
    """Return what the search is of, so that only the same one goes on."""
    config = settings.training
    return {
        "snapshot": snapshot_id,
        "asking": settings.evaluation.model_dump(mode="json", exclude={"n_seeds", "exact_auc"}),
        "weights": settings.kinds.model_dump(mode="json"),
        "windows": [config.test_days, config.k, config.max_test_users],
        "target_kinds": [kind.value for kind in config.target_kinds],
        "n_seeds": n_seeds,
    }


def _tell(tuned: Tuned, search: Search, settings: Settings, *, write: bool, as_json: bool) -> None:
    from endcap.training.tuned_settings import toml_block, write_block

    found = search.settings(tuned.best.settings) if tuned.best and tuned.is_better else {}
    path = Path(os.environ.get("ENDCAP_CONFIG") or DEFAULT_FILE)
    if write and found:
        write_block(path, tuned.model, found)
    if as_json:
        emit_json({"tuned": tuned, "settings": found, "written": path if write and found else None})
        return
    if tuned.best is None:
        out.print("no trial has finished yet; the same command goes on")
        return
    out.print(_table(tuned, k=settings.training.k))
    out.print(Text(f"kept as {tuned.study} in {search.folder}", style="dim"))
    if not found:
        out.print("nothing found is better than what is set")
        return
    out.print(Text(toml_block(tuned.model, found)), end="")
    out.print(Text(f"written to {path}" if write else f"--write puts it into {path}", style="dim"))


def _table(tuned: Tuned, *, k: int) -> Table:
    """Return the best trials, what is set among them."""
    ended = [one for one in tuned.trials if one.value is not None]
    shown = sorted(ended, key=lambda one: -(one.value or 0.0))[:N_SHOWN]
    if tuned.as_set is not None and tuned.as_set not in shown:
        shown.append(tuned.as_set)
    n_early = sum(one.state == "given up early" for one in tuned.trials)
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        title=f"{len(ended)} trials of {tuned.model}, {n_early} more given up early",
        title_justify="left",
    )
    for head in ("trial", f"NDCG@{k}", "seconds"):
        table.add_column(head, justify="right")
    table.add_column("settings")
    for one in shown:
        said = "as set" if one == tuned.as_set else _settings_text(one)
        table.add_row(str(one.number), f"{one.value:.4f}", f"{one.seconds:.1f}", said)
    return table


def _settings_text(tried: Tried) -> str:
    return ", ".join(f"{name} {value}" for name, value in tried.settings.items())
