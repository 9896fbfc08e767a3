"""The command line's root: every verb by name, and what an error looks like to a person."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer
from rich.text import Text

from endcap import __version__
from endcap.cli.check import (
    CHECK_CONTRACT_EXAMPLES,
    CONTRACT_EXAMPLES,
    DRIFT_EXAMPLES,
    QUARANTINE_EXAMPLES,
    check_contract,
    contract,
    drift,
    quarantine,
)
from endcap.cli.demo import DEMO_EXAMPLES, demo
from endcap.cli.evaluate import EVALUATE_EXAMPLES, evaluate
from endcap.cli.explore import EXPLORE_EXAMPLES, explore
from endcap.cli.features import FEATURES_EXAMPLES, features
from endcap.cli.ingest import INGEST_EXAMPLES, ingest
from endcap.cli.learn import BUNDLE_EXAMPLES, TRAIN_EXAMPLES, bundle, train
from endcap.cli.lists import LISTS_EXAMPLES, lists
from endcap.cli.off_policy import OFF_POLICY_EXAMPLES, off_policy
from endcap.cli.output import out
from endcap.cli.privacy import IDENTITIES_EXAMPLES, identities
from endcap.cli.runs import RUNS_EXAMPLES, runs
from endcap.cli.shop import (
    DOCTOR_EXAMPLES,
    RECOMMEND_EXAMPLES,
    SERVE_EXAMPLES,
    doctor,
    recommend,
    serve,
)
from endcap.cli.simulate import simulate
from endcap.cli.tune import TUNE_EXAMPLES, tune
from endcap.cli.verdict import COMPARE_EXAMPLES, GATE_EXAMPLES, compare, gate
from endcap.schema.errors import EndcapError
from endcap.telemetry import console

EXIT_CODES = """
**Exit codes**: 0 done, 1 failed, 2 wrong flag or setting, 3 wrong data, 4 download refused,
5 wrong bundle, 6 a store cannot be used, 7 a data contract is broken, 8 a gate is not passed,
130 interrupted.
"""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # without room, ENOENT for /tmp

app = typer.Typer(
    name="endcap",
    help="Home-page recommendations for online shops: personal, live, measured.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("demo", epilog=DEMO_EXAMPLES)(demo)
app.command("ingest", epilog=INGEST_EXAMPLES)(ingest)
app.command("check-contract", epilog=CHECK_CONTRACT_EXAMPLES)(check_contract)
app.command("contract", epilog=CONTRACT_EXAMPLES)(contract)
app.command("drift", epilog=DRIFT_EXAMPLES)(drift)
app.command("quarantine", epilog=QUARANTINE_EXAMPLES)(quarantine)
app.command("explore", epilog=EXPLORE_EXAMPLES)(explore)
app.command("features", epilog=FEATURES_EXAMPLES)(features)
app.command("train", epilog=TRAIN_EXAMPLES)(train)
app.command("tune", epilog=TUNE_EXAMPLES)(tune)
app.command("runs", epilog=RUNS_EXAMPLES)(runs)
app.command("evaluate", epilog=EVALUATE_EXAMPLES)(evaluate)
app.command("compare", epilog=COMPARE_EXAMPLES)(compare)
app.command("gate", epilog=GATE_EXAMPLES)(gate)
app.command("off-policy", epilog=OFF_POLICY_EXAMPLES)(off_policy)
app.command("lists", epilog=LISTS_EXAMPLES)(lists)
app.command("bundle", epilog=BUNDLE_EXAMPLES)(bundle)
app.command("serve", epilog=SERVE_EXAMPLES)(serve)
app.command("recommend", epilog=RECOMMEND_EXAMPLES)(recommend)
app.command("identities", epilog=IDENTITIES_EXAMPLES)(identities)
app.command("doctor", epilog=DOCTOR_EXAMPLES)(doctor)
app.add_typer(simulate, name="simulate")


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Home-page recommendations for online shops: personal, live, measured."""


def main() -> None:
    """Run the command line; an `EndcapError` becomes one readable line and its exit code.

    So does what the system says about a file or a full disk: that is no fault of the program.
    """
    try:
        app()
    except EndcapError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None and error.errno not in {*FULL, errno.ENOENT}:
            raise
        where = f": {error.filename}" if error.filename else ""
        _complain(f"{error.strerror}{where}{_advice(error)}")
        sys.exit(1)


def _advice(error: OSError) -> str:
    if error.errno not in FULL:
        return ""
    return ". Nothing half-written was put to use. Free some space, or set var to another disk"


def _complain(text: str) -> None:
    console.print(Text("error ", style="bold red").append(text, style="default"))
