"""The verbs around a running shop: serve, recommend, doctor."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from endcap.cli.context import settings_with
from endcap.cli.doctor import examine, is_unused
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.cli.privacy import bundle_pseudonyms
from endcap.schema.errors import BundleError
from endcap.telemetry import configure_logging

SERVE_EXAMPLES = """
**Examples**: `endcap serve`, `endcap serve --port 9000`,
`ENDCAP_SERVING__API_KEY=… endcap serve --host 0.0.0.0`
"""
RECOMMEND_EXAMPLES = """
**Examples**: `endcap recommend 1023`, `endcap recommend nobody-we-know --json`
"""
DOCTOR_EXAMPLES = """
**Examples**: `endcap doctor`, `endcap doctor --json`. Exit code 1 when something has failed.
"""
MARKS = {"ok": "[green]ok[/green]", "missing": "[yellow]--[/yellow]", "failed": "[red]!![/red]"}

BundleName = Annotated[str, typer.Option(help="A bundle id, or `current`.")]


def serve(
    bundle: BundleName = "current",
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; other than loopback needs a key.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve the home page, the API and its documentation until Ctrl-C.

    With --json the address is printed as JSON once the server is ready.
    """
    from endcap.serving.run import serve as serve_bundle

    settings = settings_with({"serving": {"host": host, "port": port}})
    configure_logging()
    folder = bundle_folder(settings.var / "bundles", bundle)
    serve_bundle(
        folder,
        config=settings.serving,
        stores=settings.stores,
        pseudonyms=bundle_pseudonyms(folder, settings),
        on_ready=_announce_json if as_json else _announce,
    )


def _announce(url: str) -> None:
    out.print(f"serving on [bold]{url}[/bold] (Ctrl-C stops)")


def _announce_json(url: str) -> None:
    emit_json({"url": url})
    sys.stdout.flush()


def recommend(
    user: Annotated[str, typer.Argument(help="A user id; somebody unknown gets a page too.")],
    bundle: BundleName = "current",
    as_json: JsonFlag = False,
) -> None:
    """Print the home page of one visitor, with what the event log knows, without a server."""
    from endcap.bundle.read import read_bundle
    from endcap.serving.inside import home_answer

    settings = settings_with()
    folder = bundle_folder(settings.var / "bundles", bundle)
    opened = read_bundle(folder)
    events = settings.stores.events
    # Looking makes nothing: a log that nobody has written to is not begun here.
    answer = home_answer(
        opened,
        user,
        events="memory://" if is_unused(events) else events,
        pseudonyms=bundle_pseudonyms(folder, settings),
    )
    record = orjson.loads(asyncio.run(answer))
    if as_json:
        emit_json(record)
        return
    if not record["shelves"]:
        out.print("nothing to show: no shelf finds enough items that may be shown")
    for shelf in record["shelves"]:
        table = Table(title=Text(shelf["title"]), title_justify="left", box=None, pad_edge=False)
        for heading in ("item", "name", "department", "price", "why"):
            table.add_column(heading, no_wrap=heading != "why")
        for item in shelf["items"]:
            price = "" if item["price"] is None else f"{item['price']:.2f}"
            cells = (item["item_id"], item["name"], item["department"], price, item["reason"])
            table.add_row(*(Text(cell or "") for cell in cells))  # a name may hold [brackets]
        out.print(table)
        out.print()


def doctor(as_json: JsonFlag = False) -> None:
    """Look at the install, the data, the bundle and every store; say how to mend what fails."""
    findings = examine(settings_with())
    if as_json:
        emit_json({"findings": findings})
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for finding in findings:
            table.add_row(MARKS[finding.state], finding.what, Text(finding.detail))
        out.print(table)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


def bundle_folder(root: Path, name: str) -> Path:
    """Return the folder of a bundle by its id, or of the current one.

    Raises:
        BundleError: there is none of that name.
    """
    from endcap.bundle.write import current

    if name == "current":
        return current(root)
    folder = root / name
    if not folder.is_dir():
        known = sorted(path.name for path in root.glob("[0-9a-f]*") if path.is_dir())
        raise BundleError(
            f"there is no bundle {name!r}",
            where=str(root),
            mend=f"There are: {', '.join(known) or 'none'}",
        )
    return folder
