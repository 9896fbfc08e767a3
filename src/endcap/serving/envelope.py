"""What every answer carries and counts: request id, security headers, latency, and a calm 500.

Answers HEAD like GET, without the body. The outermost middleware of ours, pure ASGI; who may ask
is decided in `guard.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.schema.errors import EventError
from endcap.schema.events import check_id
from endcap.schema.request_id import new_request_id as timed_id
from endcap.serving.metrics import ServingMetrics
from endcap.serving.problems import internal, problem_response

REQUEST_ID = "X-Request-ID"
_SCOPE_KEY = "endcap.request_id"

logger = logging.getLogger(__name__)


def new_request_id() -> str:
    """Return a fresh id of this moment; see `endcap.schema.request_id`."""
    return timed_id(time.time_ns() // 1_000_000)


def request_id_of(scope: Scope) -> str:
    """Return the id of the request: what the client sent as X-Request-ID, else one of ours."""
    return cast("str", scope[_SCOPE_KEY])


def security_headers(image_hosts: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the headers that keep a browser from doing more than our pages need.

    Args:
        image_hosts: hosts whose pictures a page may show, besides our own.
    """
    images = " ".join(["'self'", *(f"https://{host}" for host in image_hosts)])
    return {
        "Content-Security-Policy": (
            f"default-src 'self'; img-src {images}; object-src 'none'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


class Envelope:
    """Wraps every exchange; an exception that nobody caught becomes a 500 without its text."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServingMetrics,
        headers: dict[str, str],
        clock_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = headers
        self._clock_s = clock_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope[_SCOPE_KEY] = _sent_id(scope) or new_request_id()
        started_s = self._clock_s()
        status = 0
        is_head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if is_head else scope

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, send_enveloped)
        except Exception:
            # The route and not the path, which may hold the id of a person.
            logger.exception(
                "request %s failed: %s %s", request_id, scope["method"], _route_of(inner)
            )
            if status:
                raise  # half an answer is out; the server must break the connection
            response = problem_response(internal(), request_id=request_id)
            await response(scope, receive, send_enveloped)
        finally:
            self._metrics.observe_request(
                route=_route_of(inner),
                method=scope["method"],
                status=status,
                seconds=self._clock_s() - started_s,
            )


def _sent_id(scope: Scope) -> str | None:
    sent = Headers(scope=scope).get(REQUEST_ID)
    if sent is None or not sent.isascii():
        return None
    try:
        check_id(REQUEST_ID, sent)
    except EventError:
        return None
    return sent


def _route_of(scope: Scope) -> str:
    # The template, never the path: a metric must not grow with every user id.
    return getattr(scope.get("route"), "path", "unmatched")
