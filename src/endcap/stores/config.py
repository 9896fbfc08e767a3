"""Which back end holds what, by URL.

Defaults need no server: SQLite for what must not be lost, memory for what may.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StoresConfig(BaseModel):
    """URLs of the back ends; `endcap doctor` opens each of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: str = Field("sqlite:///./var/events.db", description="The event log: every click kept.")
    rows: str = Field("sqlite:///./var/rows.db", description="Rows that must not be lost.")
    cache: str = Field("memory://", description="Answers kept for a moment; losing them is fine.")
