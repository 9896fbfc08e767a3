"""The verb that says what another policy would have earned, from a log with propensities."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from endcap.cli.context import split_names, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError

if TYPE_CHECKING:
    from endcap.evaluation.off_policy.feedback import LoggedFeedback
    from endcap.evaluation.off_policy.intervals import Estimate

OFF_POLICY_EXAMPLES = """
**Examples**: `endcap off-policy random.parquet --target-log bts.parquet`,
`endcap off-policy log.csv --target chances.csv --user user_id --clip 50 --json`,
`endcap off-policy log.csv --target chances.csv --method dm`.
Exit code 3 when there is not enough overlap.
"""
POSITION = "position"


TargetTable = Annotated[
    Path | None,
    typer.Option(
        help="The policy to judge: rows of an action, its probability, and, if it depends on "
        "them, the position and the round (the row of the log, from 1)."
    ),
]
TargetLog = Annotated[
    Path | None,
    typer.Option(
        help="Or a log of its own: how often it showed each action at each position is taken for "
        "the policy, its mean reward for the truth."
    ),
]
RewardName = Annotated[str, typer.Option(help="Column of what came of it.")]
ActionName = Annotated[str, typer.Option(help="Column of what was shown.")]
PropensityName = Annotated[str, typer.Option(help="Column of the chance with which it was shown.")]
PositionName = Annotated[
    str | None, typer.Option(help="Column of the place on the page; `position` if there is one.")
]
UserName = Annotated[
    str | None, typer.Option(help="Column of whom it was shown to; intervals resample users.")
]
ContextNames = Annotated[
    str, typer.Option(help="Columns for the reward model, separated by commas.")
]
Methods = Annotated[str, typer.Option(help="Methods, separated by commas; all when empty.")]
Clip = Annotated[float, typer.Option(min=0, help="Cut weights to this; 0: leave them as they are.")]


def off_policy(
    log: Annotated[Path, typer.Argument(help="What was shown: Parquet or CSV, a row a round.")],
    target: TargetTable = None,
    target_log: TargetLog = None,
    reward: RewardName = "click",
    action: ActionName = "item_id",
    propensity: PropensityName = "propensity_score",
    position: PositionName = None,
    user: UserName = None,
    context: ContextNames = "",
    method: Methods = "",
    clip: Clip = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and resampling.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Say what another policy would have earned, from a log with propensities; or refuse to."""
    with training_libraries():
        from endcap.cli.off_policy_tables import (
            Columns,
            code_book,
            feedback_from,
            read_table,
            target_from,
        )
        from endcap.evaluation.off_policy.report import render_text
        from endcap.evaluation.off_policy.target import action_shares, same_in_every_context
        from endcap.evaluation.off_policy.value import METHODS, policy_value
    if (target is None) == (target_log is None):
        raise SettingsError(
            "a policy is judged against one target", mend="Give either --target or --target-log"
        )
    table = read_table(log)
    place = POSITION if position is None and POSITION in table else position
    columns = Columns(reward, action, propensity, place, user, split_names(context))
    other = read_table(target or target_log or log)
    book = code_book([table, other], columns)
    feedback = feedback_from(table, columns, book)
    truth: Estimate | None = None
    if target is None:
        own = feedback_from(other, columns, book)
        judged, truth = same_in_every_context(action_shares(own)), mean_reward(own, seed=seed)
    else:
        judged = target_from(other, columns, book, n_rounds=len(feedback))
    value = policy_value(
        feedback,
        judged,
        rng=np.random.default_rng(seed),
        methods=split_names(method) or METHODS,
        clip=clip or math.inf,
    )
    if as_json:
        emit_json({**{one.name: getattr(value, one.name) for one in fields(value)}, "truth": truth})
        return
    out.print(render_text(value, truth=truth), end="", markup=False)


def mean_reward(feedback: LoggedFeedback, *, seed: int) -> Estimate:
    """Return what a log earned a round, with its interval."""
    from endcap.evaluation.off_policy.intervals import estimates_of

    rng = np.random.default_rng(seed)
    return estimates_of({}, feedback.reward, feedback.groups, rng=rng)[2]
