"""Settings of the server: where it listens, who may ask, and how much at a time.

Which back ends it uses stands in `stores/config.py`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ServingConfig(BaseModel):
    """How one server process listens, protects itself and remembers what it showed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; anything but a loopback address needs an api_key.",
    )
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Key that all requests but health probes must carry; 16 characters or more.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "::1"),
        description="Names by which visitors may address this server; others are refused.",
    )
    image_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts whose pictures the page may show; other items get a drawn tile.",
    )
    shop_name: str = Field(
        "The Corner Shop", min_length=1, max_length=60, description="Name on the page."
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body.")
    max_batch: int = Field(1000, ge=1, description="Most events in one request.")
    max_ahead_s: float = Field(
        300.0, ge=0, description="How far ahead of our clock the time of an event may lie."
    )
    page_ttl_s: float = Field(
        1.0, gt=0, description="How long the page of visitors without any history is reused."
    )
    similar_ttl_s: float = Field(
        60.0, gt=0, description="How long the answer about similar items is reused."
    )
    impression_queue: int = Field(
        10_000,
        ge=1,
        description="Most slates waiting to be written; more are dropped, and counted.",
    )
    keep_slates_s: float = Field(
        86_400.0, gt=0, description="How long it is remembered what a page showed, and why."
    )
    drain_s: float = Field(
        10.0, ge=0, description="How long open requests may take to finish after a stop signal."
    )
