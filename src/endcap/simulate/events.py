"""The events of a simulation in the order of time, block by block, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from endcap.simulate.block import Block, joined, rank_order
from endcap.simulate.population import Population, build_population
from endcap.simulate.seasons import Clock
from endcap.simulate.spec import EventSpec
from endcap.simulate.split import Stretch, stretches
from endcap.simulate.visits import events_of


class SimulatedEvents:
    """The events of one simulation; going through them again gives the same ones.

    Attributes:
        spec: what was asked for.
        population: users and items.
        n_items: how many items have an event.
    """

    def __init__(self, spec: EventSpec) -> None:
        self.spec = spec
        self.population: Population = build_population(spec)
        self.n_items = int(np.count_nonzero(self.population.item_counts))

    def __iter__(self) -> Iterator[Block]:
        """Yield blocks sorted by time, each after the last one, together `spec.n_events` rows.

        Cost: about a microsecond an event; memory for one block, users and items.
        """
        spec, n_sessions = self.spec, 0
        clock = Clock(spec.start, spec.n_days, growth=spec.growth)
        waiting: list[Block] = []
        for stretch in stretches(spec, self.population, clock):
            events, n_new = events_of(
                stretch, self.population, clock, spec, first_session=n_sessions
            )
            n_sessions += n_new
            events = joined([*waiting, events])
            is_due = events.ts_ms < _end_ms(stretch, clock)
            waiting = [events.take(~is_due)]
            yield in_order(events.take(is_due))
        yield from (in_order(block) for block in waiting if len(block))


def in_order(block: Block) -> Block:
    """Return the rows sorted by time, those of one millisecond in the order they stand in."""
    if not len(block):
        return block
    since_first = (block.ts_ms - block.ts_ms.min()).astype(np.uint64)
    return block.take(rank_order(since_first))


def _end_ms(stretch: Stretch, clock: Clock) -> int:
    """Return the time from which on later stretches may have events."""
    return int(clock.time_ms(np.array([stretch.end]))[0])
