"""Asks the server without a socket: the same app, the same answer, for the command line.

What is shown this way is no impression: nothing is written to any store.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Message

from endcap.bundle.read import Bundle
from endcap.schema.errors import EndcapError
from endcap.schema.pseudonym import Pseudonyms
from endcap.schema.types import UserId
from endcap.serving.config import ServingConfig
from endcap.serving.run import opened
from endcap.serving.templating import STATIC, asset
from endcap.stores.config import StoresConfig

EMBEDDED = StoresConfig(events="memory://", rows="memory://", cache="memory://")


async def home_answer(
    bundle: Bundle, user_id: UserId, *, events: str, pseudonyms: Pseudonyms | None = None
) -> bytes:
    """Return the JSON that `GET /v1/home/{user_id}` would answer now.

    Args:
        bundle: what to serve.
        user_id: anybody.
        events: URL of the event log; it is replayed, not written.
        pseudonyms: of the key in the settings, which a bundle with hashed user ids needs.

    Raises:
        EndcapError: the server would have answered with an error; says which.
    """
    stores = EMBEDDED.model_copy(update={"events": events})
    path = f"/v1/home/{quote(user_id, safe='')}"
    return await _ask(bundle, path, stores=stores, pseudonyms=pseudonyms)


async def still_page(
    bundle: Bundle, user_id: UserId, *, pseudonyms: Pseudonyms | None = None
) -> str:
    """Return the home page as one HTML file that looks right without the server.

    Style and pictures are put into it; buttons need a server.
    """
    path = f"/?user={quote(user_id, safe='')}"
    html = (await _ask(bundle, path, stores=EMBEDDED, pseudonyms=pseudonyms)).decode()
    style = (STATIC / "shop.css").read_text(encoding="utf-8")
    icons = (STATIC / "icons.svg").read_text(encoding="utf-8")
    link = f'<link rel="stylesheet" href="{asset("shop.css")}">'
    html = html.replace(link, f"<style>{style}</style>")
    return html.replace(f"{asset('icons.svg')}#", "#").replace(
        "<body>", f"<body><div hidden>{icons[icons.index('<svg') :]}</div>", 1
    )


async def _ask(
    bundle: Bundle, path: str, *, stores: StoresConfig, pseudonyms: Pseudonyms | None
) -> bytes:
    config = ServingConfig()
    async with opened(bundle, config=config, stores=stores, pseudonyms=pseudonyms) as served:
        await served.intake.replay()
        status, body = await _get(served.app, path)
    if status != 200:
        raise EndcapError(f"the server would answer {status}: {body.decode()}", where=path)
    return body


async def _get(app: ASGIApp, path: str) -> tuple[int, bytes]:
    raw_path, _, query = path.partition("?")
    status, body = 500, b""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, body
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return status, body
