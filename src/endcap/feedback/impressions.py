"""What was shown to whom, at which position and why: written behind the answer.

A slate may be lost when the process dies; an answer never waits for it, and an event never
travels this way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from endcap.schema.errors import StoreError
from endcap.schema.protocols import Row, Store
from endcap.schema.request_id import first_request_id

TABLE = "slates"
_BATCH = 500
_LINGER_S = 0.1  # a commit costs an fsync, so pages of the same moment share one
_RETRY_S = 1.0
_PRUNE_S = 60.0
_PRUNE_BATCH = 200

logger = logging.getLogger(__name__)


class Impressions:
    """Keeps served slates under their request id.

    Between `record` and the table a slate waits in a bounded queue; when that is full, further
    slates are dropped and counted in `n_dropped`.

    Args:
        store: where slates end up, in the table `slates`.
        max_waiting: length of the queue.
        linger_s: how long the first slate of a batch waits for others.
        retry_s: pause after a write that failed.
        keep_s: slates older than this are deleted, about once a minute; None keeps all. Request
            ids must be those of `endcap.schema.request_id`.
        clock_s: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_waiting: int = 10_000,
        linger_s: float = _LINGER_S,
        retry_s: float = _RETRY_S,
        keep_s: float | None = None,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._linger_s = linger_s
        self._retry_s = retry_s
        self._keep_s, self._clock_s = keep_s, clock_s
        self._pruned_s = -math.inf
        self._waiting: dict[str, Row] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.n_dropped = 0
        self.n_written = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Begin to write behind; needs a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._write_behind())

    def record(self, request_id: str, slate: Row) -> bool:
        """Take a slate to be written soon; False when the queue is full and it was dropped."""
        if len(self._waiting) >= self._max_waiting:
            self.n_dropped += 1
            return False
        self._waiting[request_id] = slate
        self._wake.set()
        return True

    async def find(self, request_id: str) -> Row | None:
        """Return the slate of a request, also one that is not written yet; None when unknown."""
        waiting = self._waiting.get(request_id)
        if waiting is not None:
            return waiting
        (row,) = await self._store.get_many(TABLE, [request_id])
        return row

    async def flush(self) -> None:
        """Return once everything that waits is written.

        Raises:
            StoreError: the store refuses; what was not written keeps waiting.
        """
        while self._waiting:
            batch = dict(list(self._waiting.items())[:_BATCH])
            await self._store.put_many(TABLE, batch)
            for request_id, slate in batch.items():
                if self._waiting.get(request_id) is slate:
                    del self._waiting[request_id]
            self.n_written += len(batch)

    async def prune(self) -> int:
        """Delete the slates older than `keep_s`, oldest first; return how many there were.

        Raises:
            StoreError: the store refuses; what is left is deleted another time.
        """
        if self._keep_s is None:
            return 0
        oldest_kept = first_request_id(round((self._clock_s() - self._keep_s) * 1000))
        n_deleted = 0
        while True:
            rows, _ = await self._store.page(TABLE, limit=_PRUNE_BATCH)
            old = [request_id for request_id, _ in rows if request_id < oldest_kept]
            await self._store.delete_many(TABLE, old)
            n_deleted += len(old)
            if len(old) < _PRUNE_BATCH:
                return n_deleted

    async def close(self) -> None:
        """Stop writing behind and write what still waits; calling twice is harmless.

        Slates that the store refuses now are lost: counted in `n_dropped` and logged.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        try:
            await self.flush()
        except StoreError as error:
            logger.error("%d slates are lost: %s", len(self._waiting), error)
            self.n_dropped += len(self._waiting)
            self._waiting.clear()

    async def _write_behind(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._linger_s)
            self._wake.clear()
            try:
                await self.flush()
                if self._clock_s() - self._pruned_s > _PRUNE_S:
                    self._pruned_s = self._clock_s()
                    await self.prune()
            except StoreError as error:
                logger.warning("slates wait to be written: %s", error)
                await asyncio.sleep(self._retry_s)
                self._wake.set()
