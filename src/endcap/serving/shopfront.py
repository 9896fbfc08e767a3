"""The shop's page for a browser: looking as anybody, acting without JavaScript, asking why.

Programs use `api.py`; this is a demonstration of it, and a window for the merchandiser.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from endcap.schema.errors import EventError
from endcap.schema.events import MAX_ID_LENGTH, check_id
from endcap.serving.api import take
from endcap.serving.body import read_body
from endcap.serving.context import shop_of
from endcap.serving.envelope import new_request_id
from endcap.serving.problems import Problem, ProblemError
from endcap.serving.templating import render
from endcap.serving.views import page_values, why_values

router = APIRouter(include_in_schema=False)

_EVENT_FIELDS: tuple[str, ...] = ("kind", "user_id", "item_id", "request_id")
SESSION_COOKIE = "endcap_session"
_SHELF = re.compile(r"[a-z0-9_]{1,40}")
_LOOK_NEW, _LOOK_SESSION, _LOOK_USER = "new", "session", "user:"


@router.get("/")
async def home(
    request: Request,
    user: Annotated[str, Query(max_length=MAX_ID_LENGTH)] = "",
    look: Annotated[str, Query(alias="as")] = "",
    typed_id: Annotated[str, Query(alias="id", max_length=MAX_ID_LENGTH)] = "",
) -> Response:
    """The page as the visitor in the address, else as the anonymous session of this browser."""
    if look or typed_id:
        return RedirectResponse(_address(_looked_for(look, typed_id.strip())), status_code=303)
    shop = shop_of(request)
    session_id = _session_of(request)
    user_id = user or session_id or _made_up("session")
    _check_user(user_id)
    started_s = time.perf_counter()
    page = await shop.answers.home(shop.door.inside(user_id), request_id=new_request_id())
    choice_ms = (time.perf_counter() - started_s) * 1000
    values = page_values(shop, page, called=user_id, choice_ms=choice_ms)
    response = render("home.html", {**values, "is_session": not user, "address": _address(user)})
    if not user and not session_id:
        response.set_cookie(
            SESSION_COOKIE,
            user_id,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return response


@router.post("/act")
async def act(request: Request) -> Response:
    """What a button does without JavaScript: one event, then the same place on the new page."""
    shop = shop_of(request)
    data = await read_body(request, max_bytes=shop.config.max_body_bytes)
    form = dict(parse_qsl(data.decode("utf-8", "replace")))
    event = {name: form[name] for name in _EVENT_FIELDS if form.get(name)}
    if "request_id" in event:
        inside = shop.door.inside(event.get("user_id", ""))
        event["event_id"] = _event_id({**event, "user_id": inside})
    await take(shop, event)
    user_id = event["user_id"]
    address = _address("" if user_id == _session_of(request) else user_id)
    shelf = form.get("shelf", "")
    anchor = f"#shelf-{shelf}" if _SHELF.fullmatch(shelf) else ""
    return RedirectResponse(address + anchor, status_code=303)


@router.get("/why/{request_id}")
async def why(
    request: Request,
    request_id: Annotated[str, Path(min_length=1, max_length=MAX_ID_LENGTH)],
) -> Response:
    """For each item of an earlier page: what proposed it, by what score, for what reason."""
    shop = shop_of(request)
    slate = await shop.impressions.find(request_id)
    if slate is None:
        raise ProblemError(
            Problem(404, "No page with this request id is known here.", name="unknown-slate")
        )
    return render("why.html", why_values(shop, slate))


def _looked_for(look: str, typed_id: str) -> str:
    """Return the user id that the picker asks for; empty for the anonymous session."""
    if typed_id:
        return typed_id
    if look == _LOOK_NEW:
        return _made_up("visitor")
    return look.removeprefix(_LOOK_USER) if look.startswith(_LOOK_USER) else ""


def _address(user_id: str) -> str:
    return f"/?{urlencode({'user': user_id})}" if user_id else "/"


def _made_up(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(5)}"


def _session_of(request: Request) -> str:
    """Return the id in the cookie; empty when there is none that we could have made."""
    session_id = request.cookies.get(SESSION_COOKIE, "")
    return session_id if re.fullmatch(r"session-[0-9a-f]{10}", session_id) else ""


def _event_id(event: dict[str, str]) -> str:
    # One button of one page is one event, however often an impatient finger presses it. Made of
    # the id inside: a hash of the caller's own could be found out by trying ids.
    parts = "\n".join(event.get(name, "") for name in _EVENT_FIELDS)
    return f"act-{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def _check_user(user_id: str) -> None:
    try:
        check_id("user", user_id)
    except EventError as error:
        raise ProblemError(
            Problem(422, str(error), name="bad-parameter", title="A parameter is wrong")
        ) from error
