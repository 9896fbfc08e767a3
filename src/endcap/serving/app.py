"""Puts the server together from its parts, as an ASGI app.

Opens nothing and starts nothing; that is `run.py`'s part.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from endcap import __version__
from endcap.feedback.arrivals import BadEventsError
from endcap.feedback.impressions import Impressions
from endcap.feedback.intake import Intake
from endcap.schema.errors import SettingsError, StoreError
from endcap.schema.protocols import Cache
from endcap.serving import api, operations, shopfront
from endcap.serving.answers import Answers, Lifetimes
from endcap.serving.beliefs import Beliefs
from endcap.serving.config import ServingConfig
from endcap.serving.context import Shop
from endcap.serving.door import user_ids_of
from endcap.serving.engine import Engine
from endcap.serving.envelope import Envelope, request_id_of, security_headers
from endcap.serving.guard import Guard
from endcap.serving.labels import Labels
from endcap.serving.metrics import ServingMetrics
from endcap.serving.openapi import describe
from endcap.serving.problems import ProblemError, problem_of, problem_response
from endcap.serving.shoppers import Shoppers
from endcap.serving.templating import STATIC, render

# What FastAPI would send to a collector, should the environment name one, stays off.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
_ANSWERED_ERRORS = (
    HTTPException,
    RequestValidationError,
    ProblemError,
    BadEventsError,
    StoreError,
)
_FOR_PROGRAMS = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")


def wall_clock_us() -> int:
    """Return the time: UTC, microseconds."""
    return time.time_ns() // 1000


def create_app(
    engine: Engine,
    intake: Intake,
    impressions: Impressions,
    cache: Cache,
    *,
    config: ServingConfig,
    now_us: Callable[[], int] = wall_clock_us,
) -> FastAPI:
    """Return the server of one bundle.

    Events are refused (503) until `intake.replay()` was awaited. Running the app's lifespan starts
    and ends the writing of impressions; stores are opened and closed by the caller.

    Raises:
        SettingsError: the door of the intake does not make the user ids of the bundle.
    """
    shop = _shop(engine, intake, impressions, cache, config=config, now_us=now_us)
    app = FastAPI(
        title="Endcap",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.shop = shop
    for router in (api.router, operations.router, shopfront.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.mount("/docs/assets", operations.docs_assets())
    for error in _ANSWERED_ERRORS:
        app.add_exception_handler(error, _answer_error)
    describe(app)
    app.add_middleware(Guard, config=config)
    app.add_middleware(Envelope, metrics=shop.metrics, headers=security_headers(config.image_hosts))
    return app


def _shop(
    engine: Engine,
    intake: Intake,
    impressions: Impressions,
    cache: Cache,
    *,
    config: ServingConfig,
    now_us: Callable[[], int],
) -> Shop:
    if intake.door.user_ids != user_ids_of(engine.bundle):
        raise SettingsError(
            f"the intake makes other user ids ({intake.door.user_ids}) than the bundle has "
            f"({user_ids_of(engine.bundle)})",
            mend="Make it with `open_door` of this bundle",
        )
    metrics = ServingMetrics()
    metrics.watch_impressions(impressions)
    shop = Shop(
        config=config,
        bundle=engine.bundle,
        state=engine.state,
        intake=intake,
        door=intake.door,
        impressions=impressions,
        answers=Answers(
            engine,
            cache,
            impressions=impressions,
            metrics=metrics,
            now_us=now_us,
            lifetimes=Lifetimes(page_s=config.page_ttl_s, similar_s=config.similar_ttl_s),
        ),
        beliefs=Beliefs(engine.bundle, engine.state),
        labels=Labels(engine.bundle),
        metrics=metrics,
        shoppers=Shoppers(engine.bundle),
        now_us=now_us,
    )
    metrics.set_bundle(bundle_id=engine.bundle.bundle_id, snapshot=shop.snapshot)
    return shop


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    impressions: Impressions = app.state.shop.impressions
    impressions.start()
    yield
    await impressions.close()


async def _answer_error(request: Request, error: Exception) -> Response:
    problem = problem_of(request, error)
    request_id = request_id_of(request.scope)
    is_for_person = "text/html" in request.headers.get("accept", "")
    if not is_for_person or request.url.path.startswith(_FOR_PROGRAMS):
        return problem_response(problem, request_id=request_id)
    shop: Shop = request.app.state.shop
    values = {
        "shop_name": shop.config.shop_name,
        "problem": problem.body(request_id),
    }
    page = render("error.html", values, status=problem.status)
    page.headers.update(problem.headers)
    return page
