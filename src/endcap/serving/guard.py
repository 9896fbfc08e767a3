"""Who may ask: a middleware that refuses foreign host names, missing keys and forged forms.

Pure ASGI, before any routing. What is wrong with the content of a request is not its business.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from endcap.schema.errors import SettingsError
from endcap.serving.config import ServingConfig
from endcap.serving.envelope import request_id_of
from endcap.serving.problems import Problem, problem_response

PROBES = frozenset({"/healthz", "/readyz"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_exposure(config: ServingConfig) -> None:
    """Raise `SettingsError` when the server would be open to the network without a key."""
    if config.api_key is None and not is_loopback(config.host):
        raise SettingsError(
            f"refusing to listen on {config.host} without an API key: anybody who reaches this "
            "machine could read what your customers bought",
            where="serving.host",
            mend="Set serving.api_key (ENDCAP_SERVING__API_KEY), or listen on 127.0.0.1",
        )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens on this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Lets a request through, or answers 401, 403 or 421.

    - The Host header must be one of `allowed_hosts` ("*": any), so that a foreign page cannot
      reach a server on this machine under its own name (DNS rebinding).
    - With an `api_key`, everything but the probes needs it: as a bearer token, in `X-API-Key`, or
      as the password of basic authentication, which a browser asks for.
    - What changes something must not come from a page of another site (CSRF).
    """

    def __init__(self, app: ASGIApp, config: ServingConfig) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in config.allowed_hosts)
        self._key = config.api_key.get_secret_value().encode() if config.api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand the request on."""
        if scope["type"] == "http" and scope["path"] not in PROBES:
            problem = self._objection(scope, Headers(scope=scope))
            if problem is not None:
                response = problem_response(problem, request_id=request_id_of(scope))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _objection(self, scope: Scope, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if "*" not in self._hosts and host_name(host) not in self._hosts:
            return Problem(
                421,
                "This server does not answer under that host name. Its owner can add the name to "
                "serving.allowed_hosts.",
                name="host-not-allowed",
            )
        if self._key is not None and not _carries(self._key, headers):
            return Problem(
                401,
                "Send the API key as a bearer token, in X-API-Key, or as the password of basic "
                "authentication.",
                name="key-needed",
                headers={"WWW-Authenticate": 'Basic realm="Endcap", Bearer'},
            )
        if scope["method"] not in _SAFE_METHODS and _is_cross_site(headers, host):
            return Problem(403, "The request comes from a page of another site.", name="cross-site")
        return None


def host_name(host: str) -> str:
    """Return the name in a Host header: lower case, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _carries(key: bytes, headers: Headers) -> bool:
    # Headers are decoded as Latin-1; encoding them so gives back the bytes that were sent.
    offered = headers.get("x-api-key", "").encode("latin-1")
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        offered = credentials.strip().encode("latin-1")
    elif scheme.lower() == "basic":
        offered = _basic_password(credentials)
    return hmac.compare_digest(offered, key)


def _basic_password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except ValueError:  # no base64
        return b""


def _is_cross_site(headers: Headers, host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and _authority(origin) != host.lower()


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # such as http://[
        return ""
