"""What those who run the server ask: is it alive, is it ready, how is it doing, what can it do.

Holds no page of the shop.
"""

from __future__ import annotations

from pathlib import Path

import orjson
import swagger_ui_bundle
from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.staticfiles import StaticFiles

from endcap.serving.context import shop_of
from endcap.serving.problems import ProblemError, unavailable
from endcap.serving.templating import render
from endcap.serving.wire import HealthOut, ProblemOut, ReadyOut

router = APIRouter()

_NO_STORE = {"Cache-Control": "no-store"}
# Swagger UI writes style attributes and shows pictures from data URLs; it runs no inline script.
_DOCS_CSP = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get(
    "/healthz", summary="Is the process alive?", tags=["operations"], response_model=HealthOut
)
async def health() -> Response:
    """Always the same answer, without looking at anything."""
    return _json({"status": "ok"})


@router.get(
    "/readyz",
    summary="May visitors be sent here?",
    tags=["operations"],
    response_model=ReadyOut,
    responses={503: {"description": "The event log is still being read.", "model": ProblemOut}},
)
async def ready(request: Request) -> Response:
    """Ready once the event log was read to its end, so that every visitor is known."""
    shop = shop_of(request)
    if not shop.intake.is_ready:
        raise ProblemError(unavailable("The event log is still being read."))
    return _json(
        {
            "status": "ready",
            "bundle_id": shop.bundle.bundle_id,
            "live_events": len(shop.state),
        }
    )


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    tags=["operations"],
    responses={200: {"content": {"text/plain": {"example": "endcap_ready 1.0"}}}},
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """Everything that is counted, in the text format of Prometheus."""
    shop = shop_of(request)
    shop.metrics.set_ready(shop.intake.is_ready)
    return Response(
        shop.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST, **_NO_STORE}
    )


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """The API to read and to try; every file of it comes from this server."""
    response = render("docs.html", {})
    response.headers["Content-Security-Policy"] = _DOCS_CSP
    return response


def docs_assets() -> StaticFiles:
    """Return the files of Swagger UI, from the installed package.

    Raises:
        FileNotFoundError: the package holds no Swagger UI.
    """
    package = Path(swagger_ui_bundle.__file__).parent
    found = sorted(package.glob("vendor/swagger-ui-*/swagger-ui-bundle.js"))
    if not found:
        raise FileNotFoundError(f"no Swagger UI in {package}")
    return StaticFiles(directory=found[-1].parent)


def _json(answer: dict[str, object]) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json", headers=_NO_STORE)
