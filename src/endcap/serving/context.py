"""What the handlers of one app share, and how they get at it.

Made once by `app.create_app`; holds no logic but the reading of events by the app's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from endcap.bundle.read import Bundle
from endcap.feedback.arrivals import ArrivalRules, read_events
from endcap.feedback.impressions import Impressions
from endcap.feedback.intake import Intake
from endcap.feedback.state import LiveState
from endcap.schema.events import Event
from endcap.schema.pseudonym import Door
from endcap.serving.answers import Answers
from endcap.serving.beliefs import Beliefs
from endcap.serving.config import ServingConfig
from endcap.serving.envelope import new_request_id
from endcap.serving.labels import Labels
from endcap.serving.metrics import ServingMetrics
from endcap.serving.shoppers import Shoppers


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Everything that a handler may ask.

    now_us: the wall clock, UTC microseconds.
    beliefs: what is known about single visitors, as features.
    labels, shoppers: the words for items and for known users.
    door: between the ids of callers and those inside; `intake` passes it by itself.
    """

    config: ServingConfig
    bundle: Bundle
    state: LiveState
    intake: Intake
    door: Door
    impressions: Impressions
    answers: Answers
    beliefs: Beliefs
    labels: Labels
    metrics: ServingMetrics
    shoppers: Shoppers
    now_us: Callable[[], int]

    def read_events(self, body: object) -> list[Event]:
        """Return the events of a decoded body; see `endcap.feedback.arrivals`."""
        return read_events(
            body,
            now_us=self.now_us(),
            new_id=new_request_id,
            rules=ArrivalRules(
                max_batch=self.config.max_batch, max_ahead_s=self.config.max_ahead_s
            ),
        )

    def data_now_us(self) -> int:
        """Return the present moment on the timeline of the bundle."""
        return self.bundle.data_time(self.now_us())

    @property
    def snapshot(self) -> str:
        """The id of the snapshot that the bundle learnt from; empty when it is not recorded."""
        snapshot = self.bundle.manifest.get("snapshot", {})
        return str(snapshot.get("snapshot_id", "")) if isinstance(snapshot, dict) else str(snapshot)


def shop_of(request: Request) -> Shop:
    """Return what the app of this request was made with."""
    return cast("Shop", request.app.state.shop)
