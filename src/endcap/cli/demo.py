"""`endcap demo`: from raw purchases to a home page in the browser, with every step shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from endcap.cli.context import (
    CatalogueFile,
    ColumnPairs,
    KCore,
    SampleUsers,
    settings_with,
    training_libraries,
)
from endcap.cli.ingest import given_mapping, places_of, print_snapshot
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.cli.privacy import bundle_pseudonyms
from endcap.settings import Settings
from endcap.telemetry import console, step

if TYPE_CHECKING:
    from endcap.ingest.snapshot import Snapshot

DEMO_EXAMPLES = """
**Examples**: `endcap demo`, `endcap demo --no-serve`, `endcap demo --data amazon-electronics-2014`,
`endcap demo --data clicks.csv.gz --map user_id=visitor --map item_id=sku`
"""


def demo(
    data: Annotated[
        str, typer.Option(help="A file, or complete-journey, amazon-electronics-2014 or -2018.")
    ] = "complete-journey",
    mapping: ColumnPairs = None,
    items: CatalogueFile = None,
    k_core: KCore = 0,
    sample_users: SampleUsers = None,
    serve: Annotated[
        bool, typer.Option(help="Serve the page until Ctrl-C; else write it to a file and stop.")
    ] = True,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ingest real purchases, evaluate and train six models, write a bundle, serve a home page."""
    settings = settings_with({"serving": {"port": port}})
    with training_libraries():
        from endcap.ingest.run import Given, ingest
        from endcap.ingest.work import Thinning
    started_s = time.monotonic()
    with step(f"1/5  Ingest {data}"):
        snapshot = ingest(
            data,
            root=settings.var / "snapshots",
            places=places_of(settings),
            given=Given(mapping=given_mapping(None, mapping or []), items=items),
            thinning=Thinning(sample_users=sample_users, k_core=k_core),
            config=settings.ingest,
            privacy=settings.privacy,
        )
        if not as_json:
            print_snapshot(snapshot)
    result = _learn(snapshot, settings, quiet=as_json)
    with step("5/5  Render one page"):
        page = _render(settings)
    result |= {"page": page, "took_s": time.monotonic() - started_s}
    if as_json:
        emit_json(result)
    else:
        _say_what_next(result, settings, will_serve=serve)
    if serve:
        from endcap.cli.shop import serve as serve_command

        serve_command(bundle="current", host=None, port=port, as_json=as_json)


def _learn(snapshot: Snapshot, settings: Settings, *, quiet: bool) -> dict[str, object]:
    from endcap.evaluation.report.terminal import render_terminal
    from endcap.ingest.snapshot import load_dataset
    from endcap.training.export import export
    from endcap.training.judge import Setup, judge, save_evaluation
    from endcap.training.run import peak_memory_bytes, train

    # What the page will show, and every model fitted once only.
    blending = settings.training.blend.model_copy(update={"as_served": True})
    config = settings.training.model_copy(update={"blend": blending})
    data = load_dataset(snapshot.path)
    with step(f"2/5  Evaluate: learn from the past, foresee the last {config.test_days} days"):
        # The AUC is in no table of the demo, and costs as much as all the rest.
        asking = settings.evaluation.model_copy(update={"exact_auc": False})
        judged = judge(data, config.models, config=config, weights=settings.kinds, asking=asking)
    setup = Setup.of(
        config.models,
        snapshot_id=snapshot.snapshot_id,
        config=config,
        weights=settings.kinds,
        asking=asking,
    )
    evaluation_path = save_evaluation(judged.measured, setup, root=settings.var / "evaluations")
    if not quiet:
        render_terminal(judged.evaluation, out)
    with step("3/5  Train the same models on all of the data"):
        run, run_path = train(
            data,
            config.models,
            seed=config.seed,
            snapshot_id=snapshot.snapshot_id,
            root=settings.var / "models",
            weights=settings.kinds,
            params=config.params,
        )
    with step("4/5  Write the bundle"):
        bundle_path = export(run, var=settings.var, config=config, asking=settings.evaluation)
        console.print(f"  {bundle_path}")
    return {
        "snapshot": snapshot.path,
        "evaluation": evaluation_path,
        "run": run_path,
        "bundle": bundle_path,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def _render(settings: Settings) -> Path:
    """Write the page of a loyal shopper as one HTML file and return its path."""
    from endcap.bundle.read import read_bundle
    from endcap.bundle.write import current
    from endcap.serving.door import open_door
    from endcap.serving.inside import still_page
    from endcap.serving.shoppers import Shoppers

    folder = current(settings.var / "bundles")
    bundle, pseudonyms = read_bundle(folder), bundle_pseudonyms(folder, settings)
    shopper = open_door(bundle, pseudonyms).outside(Shoppers(bundle).picked[0].user_id)
    path = settings.var / "page.html"
    page = still_page(bundle, shopper, pseudonyms=pseudonyms)
    path.write_text(asyncio.run(page), encoding="utf-8")
    console.print(f"  the page of shopper {shopper}: {path}")
    return path


def _say_what_next(result: Mapping[str, Any], settings: Settings, *, will_serve: bool) -> None:
    out.print(
        f"\n[bold]Done[/bold] in {result['took_s']:.0f} s, "
        f"at most {result['peak_memory_bytes'] / 1e9:.1f} GB of memory.\n"
    )
    for what in ("snapshot", "evaluation", "run", "bundle", "page"):
        out.print(f"  {what:<11} {result[what]}")
    out.print("\n[bold]Try next[/bold]")
    if will_serve and settings.serving.port:
        address = f"http://{settings.serving.host}:{settings.serving.port}"
        out.print(f"  open {address}       look as any shopper, click, and watch the page change")
        out.print(f"  open {address}/docs  the API")
    elif not will_serve:
        out.print(
            f"  .venv/bin/endcap serve               the live page on port {settings.serving.port}"
        )
    out.print("  .venv/bin/endcap recommend nobody    the page of somebody new")
    out.print("  .venv/bin/endcap evaluate --help     the same table for other models or windows")
    out.print("  .venv/bin/endcap doctor              what is installed, and whether it works\n")
