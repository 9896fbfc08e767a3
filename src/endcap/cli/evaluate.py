"""`endcap evaluate`: models on the past, measured on the future, under any protocol."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from endcap.cli.context import (
    Models,
    SnapshotName,
    model_names,
    settings_with,
    training_libraries,
)
from endcap.cli.evaluate_ratings import RATING_PROTOCOLS, evaluate_ratings_of
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.ingest.privacy.keys import open_id_key
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import KEEP, Pseudonyms
from endcap.settings import Settings
from endcap.telemetry import console

if TYPE_CHECKING:
    from endcap.evaluation.protocols.config import Part
    from endcap.ingest.lists import GivenLists
    from endcap.ingest.snapshot import Snapshot

EVALUATE_EXAMPLES = """
**Examples**: `endcap evaluate`, `endcap evaluate --on validation --models als,two_tower`,
`endcap evaluate --protocol leave-one-out --no-refit`, `endcap evaluate --seeds 3 --brief`,
`endcap evaluate --check-leaks`, `endcap evaluate --markdown > table.md`
"""
Protocol = Annotated[
    str | None,
    typer.Option(help="The question: temporal, leave-one-out, sessions, …; setting evaluation."),
]
Refit = Annotated[
    bool | None,
    typer.Option(
        "--refit/--no-refit",
        help="Learn from all before the test, or from what comes before the validation.",
    ),
]
On = Annotated[
    str, typer.Option(help="`test`: the last days; `validation`: as many days before those.")
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Fit each model so often, with other seeds.")
]
TheirLists = Annotated[
    list[str] | None,
    typer.Option(help="Measure lists of another system too: name=FILE of user, item, rank."),
]
CheckLeaks = Annotated[
    bool, typer.Option("--check-leaks", help="Only tell whether a model has seen the future.")
]
Report = Annotated[
    bool, typer.Option("--report/--no-report", help="Write a page with plots and examples.")
]
Brief = Annotated[
    bool, typer.Option("--brief", help="Print only the headline metrics of each view.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]


def evaluate(
    snapshot: SnapshotName = "latest",
    models: Models = "",
    on: On = "test",
    protocol: Protocol = None,
    refit: Refit = None,
    seeds: Seeds = None,
    lists: TheirLists = None,
    check_leaks: CheckLeaks = False,
    report: Report = True,
    brief: Brief = False,
    markdown: Markdown = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit models on the past, rank all that could be shown, print what that foresees and what not.

    Random, popularity and what a perfect ranking scores stand beside every number.
    """
    flags = {"evaluation": {"protocol": protocol, "refit": refit, "n_seeds": seeds}}
    settings = settings_with(flags)
    with training_libraries():
        from endcap.ingest.snapshot import open_snapshot
    part = _part(on)
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    asked = settings.evaluation.protocol
    if asked in RATING_PROTOCOLS:
        has_refit, is_validation = refit is not None, part == "validation"
        said = (is_validation, has_refit, seeds, lists, check_leaks, brief, markdown)
        _refuse_unused(asked, *said)
        evaluate_ratings_of(opened, settings, protocol=asked, models=models, as_json=as_json)
        return
    names = model_names(models, settings)
    if check_leaks:
        _refuse_beside_leaks(settings, lists or seeds)
        _tell_leaks(opened, names, settings, part=part, as_json=as_json)
        return
    show = _Show(report=report, brief=brief, markdown=markdown, as_json=as_json)
    _evaluate_lists(opened, names, settings, part=part, lists=lists or (), show=show)


@dataclass(frozen=True, slots=True)
class _Show:
    report: bool
    brief: bool
    markdown: bool
    as_json: bool


def _evaluate_lists(
    opened: Snapshot,
    names: Sequence[str],
    settings: Settings,
    *,
    part: Part,
    lists: Sequence[str],
    show: _Show,
) -> None:
    with training_libraries():
        from endcap.evaluation.report.page.write import write_page
        from endcap.evaluation.report.terminal import BRIEF, FULL, render_markdown, render_terminal
        from endcap.ingest.snapshot import load_dataset, read_user_attributes
        from endcap.training.examples import examples_of
        from endcap.training.judge import Setup, judge, save_evaluation
        from endcap.training.texts import with_wanted_texts
        from endcap.training.tracked import log_evaluation
        from endcap.training.tracking import open_book
    config, weights, asking = settings.training, settings.kinds, settings.evaluation
    data = with_wanted_texts(
        load_dataset(opened.path), names, opened.path, config=config, cache=settings.var / "texts"
    )
    given = _given(lists, opened, settings)
    judged = judge(
        data,
        names,
        config=config,
        weights=weights,
        on=part,
        asking=asking,
        attributes=read_user_attributes(opened.path),
        given=given,
    )
    setup = Setup.of(
        names,
        snapshot_id=opened.snapshot_id,
        config=config,
        weights=weights,
        on=part,
        asking=asking,
        given=given,
    )
    path = save_evaluation(judged.measured, setup, root=settings.var / "evaluations")
    if show.report:
        source = Path(opened.manifest.source).name or opened.manifest.source
        examples = examples_of(judged, opened.path)
        write_page(judged.evaluation, examples, path / "report.html", source=source)
    book = open_book(config.tracking, var=settings.var, experiment=config.experiment)
    told = {"snapshot_id": opened.snapshot_id, "on": part}
    log_evaluation(book, judged.evaluation, path, params=setup.params, **told)
    tables = BRIEF if show.brief else FULL
    if show.as_json:
        emit_json({**judged.evaluation.to_dict(), "path": path})
    elif show.markdown:
        sys.stdout.write(render_markdown(judged.evaluation, tables=tables) + "\n")
    else:
        render_terminal(judged.evaluation, out, tables=tables)
        out.print(f"[dim]kept in {path}[/dim]")
        if show.report:
            out.print(f"[dim]page: {path / 'report.html'}[/dim]")


def _part(on: str) -> Part:
    from endcap.evaluation.protocols.config import Part

    part: Part = "validation" if on == "validation" else "test"
    if on != part:
        raise SettingsError(
            f"--on {on} is unknown", where="--on", mend=f"Say {' or '.join(get_args(Part))}"
        )
    return part


def _refuse_unused(protocol: str, *values: object) -> None:
    flags = ("on validation", "refit", "seeds", "lists", "check-leaks", "brief", "markdown")
    unused = [f"--{flag}" for flag, value in zip(flags, values, strict=True) if value]
    if unused:
        raise SettingsError(
            f"the protocol {protocol} measures ratings, no lists, and knows no {', '.join(unused)}",
            where="--protocol",
            mend="Leave that out",
        )


def _given(lists: Sequence[str], opened: Snapshot, settings: Settings) -> dict[str, GivenLists]:
    if not lists:
        return {}
    from endcap.ingest.lists import read_lists
    from endcap.ingest.snapshot import read_ids

    ids, pseudonyms = read_ids(opened.path), None
    if opened.manifest.user_ids != KEEP:
        pseudonyms = Pseudonyms(open_id_key(settings.privacy, var=settings.var))
    found: dict[str, GivenLists] = {}
    for said in lists:
        name, _, file = said.partition("=")
        if not name or not file or name in found or ":" in name:
            raise SettingsError(
                f"--lists {said} names no file, a name twice, or one with a colon",
                where="--lists",
                mend="Say --lists name=FILE",
            )
        found[name] = read_lists(Path(file), ids, pseudonyms=pseudonyms)
        if found[name].n_strangers:
            console.print(
                f"  {found[name].n_strangers:,} rows of {file} are of users whom the snapshot does "
                "not know",
                markup=False,
            )
    return found


def _refuse_beside_leaks(settings: Settings, others: object) -> None:
    from endcap.evaluation.split import TEMPORAL

    if settings.evaluation.protocol != TEMPORAL or others:
        raise SettingsError(
            f"--check-leaks knows the protocol {TEMPORAL} alone, no --lists and no --seeds",
            where="--check-leaks",
            mend="Leave those out",
        )


def _tell_leaks(
    opened: Snapshot, names: Sequence[str], settings: Settings, *, part: Part, as_json: bool
) -> None:
    with training_libraries():
        from endcap.ingest.snapshot import load_dataset
        from endcap.training.judge import leaks_of
    leaks = leaks_of(
        load_dataset(opened.path),
        names,
        config=settings.training,
        weights=settings.kinds,
        on=part,
        asking=settings.evaluation,
    )
    if as_json:
        emit_json({"leaks": [{**asdict(leak), "is_leak": leak.is_leak} for leak in leaks]})
    else:
        for leak in leaks:
            out.print(str(leak), markup=False)
    found = [leak.model for leak in leaks if leak.is_leak]
    if found:
        raise DataError(
            f"seen the future: {', '.join(found)}",
            where="--check-leaks",
            mend="Let the model read nothing but what fit is given",
        )
