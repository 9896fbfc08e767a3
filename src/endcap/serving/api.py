"""The JSON API under /v1: each handler reads the request, asks, and writes the answer.

What an answer is, is decided in `answers.py` and `endcap.feedback`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from endcap.feedback.arrivals import BadEventsError
from endcap.feedback.intake import Receipt
from endcap.schema.errors import EventError, StoreError
from endcap.schema.events import MAX_ID_LENGTH, check_id
from endcap.serving.body import read_body
from endcap.serving.context import Shop, shop_of
from endcap.serving.envelope import new_request_id
from endcap.serving.page import Page, Slot, UnknownItemError
from endcap.serving.problems import Problem, ProblemError
from endcap.serving.wire import (
    BATCH_EXAMPLE,
    EventBatchIn,
    EventIn,
    HomeOut,
    ProblemOut,
    ReceiptOut,
    SimilarOut,
    SlateOut,
)
from endcap.serving.wire_features import UserFeaturesOut

router = APIRouter(prefix="/v1")

UserPath = Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH, examples=["1023"])]
ItemPath = Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH, examples=["826249"])]
MAX_K = 100
SCHEMAS = "#/components/schemas/"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the errors that a route may answer with."""
    texts = {
        400: "The body is not JSON, or broke off.",
        401: "The API key is missing or wrong.",
        404: "Unknown.",
        413: "The body is too large.",
        422: "Something in the request is wrong; `errors` names it.",
        503: "The event log cannot be written now; nothing was acknowledged.",
    }
    return {
        status: {"description": texts[status], "model": ProblemOut} for status in (401, *statuses)
    }


@router.get(
    "/home/{user_id:path}",
    summary="The home page of a visitor",
    responses={200: {"model": HomeOut}, **problems(422)},
    tags=["pages"],
)
async def home(request: Request, user_id: UserPath) -> Response:
    """Shelves for any visitor; one who is unknown gets what is popular and trending, no error."""
    shop = shop_of(request)
    _check("user_id", user_id)
    page = await shop.answers.home(shop.door.inside(user_id), request_id=new_request_id())
    return _json(_home(shop, page, user_id=user_id))


@router.get(
    "/items/{item_id:path}/similar",
    summary="What goes with an item",
    responses={200: {"model": SimilarOut}, **problems(404, 422)},
    tags=["pages"],
)
async def similar(
    request: Request,
    item_id: ItemPath,
    k: Annotated[int, Query(ge=1, le=MAX_K, description="List length.")] = 10,
) -> Response:
    """Items that go with this one, best first."""
    shop = shop_of(request)
    _check("item_id", item_id)
    try:
        slots = await shop.answers.similar(item_id, k=k)
    except UnknownItemError as error:
        raise ProblemError(Problem(404, str(error), name="unknown-item")) from error
    return _json(
        {"item_id": item_id, "bundle_id": shop.bundle.bundle_id, "items": _items(shop, slots)}
    )


@router.post(
    "/events",
    summary="Tell what visitors did",
    responses={200: {"model": ReceiptOut}, **problems(400, 413, 422, 503)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": f"{SCHEMAS}{EventIn.__name__}"},
                            {"type": "array", "items": {"$ref": f"{SCHEMAS}{EventIn.__name__}"}},
                            {"$ref": f"{SCHEMAS}{EventBatchIn.__name__}"},
                        ]
                    },
                    "examples": {
                        "one": {
                            "summary": "One event; its id and time are made up",
                            "value": {"kind": "view", "user_id": "1023", "item_id": "826249"},
                        },
                        "batch": {
                            "summary": "Several, safe to send again",
                            "value": BATCH_EXAMPLE,
                        },
                    },
                }
            },
        }
    },
    tags=["events"],
)
async def events(request: Request) -> Response:
    """Take one event, a list, or {"events": [...]}: all or none.

    The answer comes once they are durable; the next page knows them. Sending an event id again
    is harmless.
    """
    shop = shop_of(request)
    body = parse_json(await read_body(request, max_bytes=shop.config.max_body_bytes))
    return _json(_receipt(await take(shop, body)))


@router.get(
    "/slates/{request_id:path}",
    summary="What a page showed, and why",
    responses={200: {"model": SlateOut}, **problems(404, 422, 503)},
    tags=["pages"],
)
async def slate(
    request: Request,
    request_id: Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH)],
) -> Response:
    """The slate of an earlier page by its request id."""
    _check("request_id", request_id)
    shop = shop_of(request)
    found = await shop.impressions.find(request_id)
    if found is None:
        raise ProblemError(
            Problem(404, "No page with this request id is known here.", name="unknown-slate")
        )
    return _json({**found, "user_id": shop.door.outside(found["user_id"])})


@router.get(
    "/users/{user_id:path}/features",
    summary="What is believed about a visitor now",
    responses={200: {"model": UserFeaturesOut}, **problems(422)},
    tags=["visitors"],
)
async def user_features(request: Request, user_id: UserPath) -> Response:
    """The features of any visitor, the latest event included; an unknown one is no error."""
    shop = shop_of(request)
    _check("user_id", user_id)
    inside, now_us = shop.door.inside(user_id), shop.now_us()
    found = shop.beliefs.about(inside, shop.bundle.data_time(now_us))
    return _json(
        {
            "user_id": user_id,
            "visitor": shop.beliefs.visitor(inside),
            "bundle_id": shop.bundle.bundle_id,
            "ts": now_us,
            "window_days": shop.beliefs.spec.window_days,
            "features": shop.beliefs.told(found),
            "incomplete": sorted(found.incomplete),
        }
    )


async def take(shop: Shop, body: object) -> Receipt:
    """Return the receipt of what was sent; counts it, whatever becomes of it.

    Raises:
        BadEventsError: it is wrong; nothing was taken.
        StoreError: the log refuses; nothing is acknowledged.
    """
    try:
        events = shop.read_events(body)
        receipt = await shop.intake.accept(events)
    except BadEventsError:
        shop.metrics.count_events("refused", _size(body))
        raise
    except StoreError:
        shop.metrics.count_events("unavailable", _size(body))
        raise
    shop.metrics.count_events("accepted", receipt.accepted)
    shop.metrics.count_events("duplicate", receipt.duplicates)
    return receipt


def parse_json(data: bytes) -> object:
    """Return the decoded body.

    Raises:
        ProblemError: it is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        reason = f"The body is not JSON: {error}"
        raise ProblemError(Problem(400, reason, name="not-json")) from error


def _check(name: str, value: str) -> None:
    try:
        check_id(name, value)
    except EventError as error:
        raise ProblemError(
            Problem(
                422,
                f"{error}",
                name="bad-parameter",
                title="A parameter is wrong",
                errors=[{"field": name, "reason": error.what}],
            )
        ) from error


def _size(body: object) -> int:
    inner = body.get("events", [body]) if isinstance(body, dict) else body
    return len(inner) if isinstance(inner, list) else 1


def _home(shop: Shop, page: Page, *, user_id: str) -> dict[str, Any]:
    """Return the answer, under the id by which the caller asked."""
    return {
        "request_id": page.request_id,
        "user_id": user_id,
        "visitor": page.visitor,
        "bundle_id": page.bundle_id,
        "shelves": [
            {"shelf": shelf.shelf_id, "title": shelf.title, "items": _items(shop, shelf.slots)}
            for shelf in page.shelves
        ],
    }


def _items(shop: Shop, slots: Sequence[Slot]) -> list[dict[str, Any]]:
    return [
        {
            "item_id": slot.item_id,
            "position": slot.position,
            "score": slot.score,
            "source": slot.source,
            "reason": slot.reason,
            "propensity": slot.propensity,
            **shop.labels.facts(slot.item_id),
        }
        for slot in slots
    ]


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "event_ids": receipt.event_ids,
    }


def _json(answer: Mapping[str, Any]) -> Response:
    return Response(
        orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
