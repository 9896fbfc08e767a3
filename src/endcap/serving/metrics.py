"""What the server counts about itself, for Prometheus; one registry an app, nothing global.

Names end in their unit. What the numbers should be is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from endcap.feedback.impressions import Impressions

_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_FILL_BUCKETS = (0, 2, 4, 6, 8, 10, 20)


class ServingMetrics:
    """Counters, histograms and facts of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "endcap_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["route", "method", "status"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._choice = Histogram(
            "endcap_page_choice_seconds",
            "Time to choose what stands on a page, without rendering.",
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._events = Counter(
            "endcap_events",
            "Events by what became of them: accepted, duplicate, refused or unavailable.",
            ["outcome"],
            registry=self.registry,
        )
        self._pages = Counter(
            "endcap_pages",
            "Pages chosen, by what is known about the visitor.",
            ["visitor"],
            registry=self.registry,
        )
        self._fill = Histogram(
            "endcap_shelf_items",
            "Items on each shelf that was shown.",
            ["shelf"],
            buckets=_FILL_BUCKETS,
            registry=self.registry,
        )
        self._cache_errors = Counter(
            "endcap_cache_errors",
            "Failures of the cache; each cost time, none an answer.",
            registry=self.registry,
        )
        self._ready = Gauge(
            "endcap_ready", "1 once the event log was replayed.", registry=self.registry
        )
        self._bundle = Info("endcap_bundle", "The bundle being served.", registry=self.registry)
        for outcome in ("accepted", "duplicate", "refused", "unavailable"):
            self._events.labels(outcome)  # a series that starts at 0 can be alerted on

    def watch_impressions(self, impressions: Impressions) -> None:
        """Read the queue of slates at each scrape."""
        self.registry.register(_ImpressionCollector(impressions))

    def observe_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(route, method, str(status)).observe(seconds)

    def observe_page(
        self, *, visitor: str, fills: Iterable[tuple[str, int]], seconds: float
    ) -> None:
        """Count one page; `fills` holds (shelf id, number of items)."""
        self._pages.labels(visitor).inc()
        self._choice.observe(seconds)
        for shelf_id, n_items in fills:
            self._fill.labels(shelf_id).observe(n_items)

    def count_events(self, outcome: str, amount: int = 1) -> None:
        """Count events by what became of them."""
        self._events.labels(outcome).inc(amount)

    def count_cache_error(self) -> None:
        """Count one failure of the cache."""
        self._cache_errors.inc()

    def set_ready(self, is_ready: bool) -> None:
        """Note whether the log was replayed."""
        self._ready.set(is_ready)

    def set_bundle(self, *, bundle_id: str, snapshot: str) -> None:
        """Note which bundle is being served."""
        self._bundle.info({"bundle_id": bundle_id, "snapshot": snapshot})

    def render(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)


class _ImpressionCollector(Collector):
    def __init__(self, impressions: Impressions) -> None:
        self._impressions = impressions

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(
            "endcap_impressions_dropped",
            "Slates lost because their queue was full or their store refused them.",
            value=self._impressions.n_dropped,
        )
        yield CounterMetricFamily(
            "endcap_impressions_written", "Slates written.", value=self._impressions.n_written
        )
        yield GaugeMetricFamily(
            "endcap_impressions_waiting", "Slates to be written.", value=len(self._impressions)
        )
