"""Writes a simulation to files in the form of a published data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from endcap.schema.errors import SettingsError
from endcap.simulate.amazon import Amazon2014Lines, Amazon2018Lines, Amazon2023Lines
from endcap.simulate.block import Block
from endcap.simulate.catalogue import Catalogue
from endcap.simulate.events import SimulatedEvents
from endcap.simulate.files import whole_file
from endcap.simulate.shop_logs import PlainCsv, PlainJsonLines, RetailRocket
from endcap.simulate.spec import EventSpec, Format
from endcap.telemetry import track

LINES_AT_ONCE = 4096


class LineWriter(Protocol):
    """What turns events into the lines of a format."""

    header: bytes

    def lines(self, block: Block) -> bytes:
        """Return a line for each event."""
        ...


WRITERS: Mapping[Format, Callable[[EventSpec], LineWriter]] = {
    Format.AMAZON_2014: Amazon2014Lines,
    Format.AMAZON_2018: Amazon2018Lines,
    Format.AMAZON_2023: Amazon2023Lines,
    Format.RETAILROCKET: RetailRocket,
    Format.CSV: PlainCsv,
    Format.JSONL: PlainJsonLines,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    n_users, n_items: how many of them have an event.
    n_bytes: size of the file of events as it lies on disk.
    """

    n_events: int
    n_users: int
    n_items: int
    n_bytes: int


def write_events(
    spec: EventSpec,
    path: Path,
    *,
    items_path: Path | None = None,
    lines_at_once: int = LINES_AT_ONCE,
) -> Written:
    """Return what was written: the events of a simulation, sorted by time, in one file.

    The same spec gives the same bytes. A name that ends in `.gz` or `.zst` is packed.

    Args:
        spec: what to simulate.
        path: the file of events; an older one is replaced when the new one is whole.
        items_path: the file for the catalogue in the form of the same data set; None: none.
        lines_at_once: how many lines are made before they are written; changes no byte.

    Raises:
        SettingsError: both files are the same, one is a folder, or a packer is not installed.

    Cost: a few microseconds an event; memory for users, items and a block of events.
    """
    if items_path is not None and items_path.resolve() == path.resolve():
        raise SettingsError(
            "events and catalogue would be the same file", where=str(path), mend="Name two files"
        )
    simulated = SimulatedEvents(spec)
    writer = WRITERS[spec.format](spec)
    with (
        whole_file(path) as file,
        track(f"simulating {path.name}", spec.n_events, unit="events") as task,
    ):
        file.write(writer.header)
        for block in simulated:
            for begin in range(0, len(block), lines_at_once):
                file.write(writer.lines(block.take(slice(begin, begin + lines_at_once))))
            task.advance(len(block))
    if items_path is not None:
        write_catalogue(simulated, items_path)
    return Written(
        n_events=spec.n_events,
        n_users=spec.n_users,
        n_items=simulated.n_items,
        n_bytes=path.stat().st_size,
    )


def write_catalogue(simulated: SimulatedEvents, path: Path) -> None:
    """Write every item of a simulation, also those that have no event."""
    spec = simulated.spec
    with (
        whole_file(path) as file,
        track(f"simulating {path.name}", spec.n_items, unit="items") as task,
    ):
        for n_items, lines in Catalogue(spec, simulated.population):
            file.write(lines)
            task.advance(n_items)
