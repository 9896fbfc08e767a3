"""The verbs that decide between models that were evaluated: compare, gate."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer
from rich.text import Text

from endcap.cli.context import settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out

COMPARE_EXAMPLES = """
**Examples**: `endcap compare item_knn popular`, `endcap compare blend als --metric ndcg`,
`endcap compare 0a1b2c3d:als latest:als --view discovery --json`
"""
GATE_EXAMPLES = """
**Examples**: `endcap gate blend --against item_knn`,
`endcap gate latest:two_tower --against 0a1b2c3d:two_tower --json`.
Exit code 8 when the candidate does not pass.
"""

MODEL = (
    "A model of the latest evaluation, or EVALUATION:MODEL: by the name of an evaluation, or a "
    "beginning of it that no other has."
)


def compare(
    first: Annotated[str, typer.Argument(help=MODEL)],
    second: Annotated[str, typer.Argument(help="The model that it is compared with, named alike.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Compare by this metric alone; all of them when left out."),
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="Whose targets count; the headline view when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say which of two evaluated models is better, by how much, and how sure that is."""
    settings = settings_with()
    with training_libraries():
        from endcap.evaluation.verdicts.compare import compare as compare_sides
        from endcap.evaluation.verdicts.compare_text import comparison_record, print_comparison
        from endcap.evaluation.verdicts.sides import find_side
    root = settings.var / "evaluations"
    comparison = compare_sides(
        find_side(root, first),
        find_side(root, second),
        metrics=metric or (),
        view=view,
        n_replicates=settings.training.bootstrap_replicates,
        rng=np.random.default_rng(settings.training.seed),
    )
    if as_json:
        emit_json(comparison_record(comparison))
        return
    print_comparison(comparison, out)


def gate(
    candidate: Annotated[str, typer.Argument(help=MODEL)],
    against: Annotated[str, typer.Option(help="The model that is live, named alike.")],
    as_json: JsonFlag = False,
) -> None:
    """Say whether a candidate may take the place of the live model, and keep why."""
    settings = settings_with()
    with training_libraries():
        from endcap.evaluation.verdicts.gate import decide
        from endcap.evaluation.verdicts.record import keep_record, record_of
        from endcap.evaluation.verdicts.sides import find_side
    root = settings.var / "evaluations"
    decision = decide(
        find_side(root, candidate),
        find_side(root, against),
        config=settings.gate,
        n_replicates=settings.training.bootstrap_replicates,
        rng=np.random.default_rng(settings.training.seed),
    )
    record = record_of(decision)
    path = keep_record(record, root=settings.var / "gates")
    if as_json:
        emit_json({"path": path, **record.to_dict()})
    else:
        for check in decision.checks:
            mark = Text("passed  " if check.passed else "failed  ")
            out.print(mark.append(f"{check.name}: {check.reason}"))
        out.print(Text(f"kept in {path}", style="dim"))
    record.require()
