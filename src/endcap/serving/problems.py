"""Errors as a client sees them: RFC 9457 problem details, one shape for all of them.

A person in a browser gets the same facts as a page. Nothing here decides what is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from endcap.feedback.arrivals import BadEventsError
from endcap.schema.errors import StoreError

MEDIA_TYPE = "application/problem+json"
_TYPES = "urn:endcap:problem:"
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that is an error; `ProblemError` carries it out of a handler.

    name: stands at the end of `type`; empty for an error that its status describes fully.
    detail: what is wrong with this request and how to mend it, for a person.
    errors: for wrong input, one entry a wrong field.
    """

    status: int
    detail: str
    name: str = ""
    title: str = ""
    errors: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the members of the problem document."""
        members: dict[str, Any] = {
            "type": f"{_TYPES}{self.name}" if self.name else "about:blank",
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            members["errors"] = list(self.errors)
        return members


class ProblemError(Exception):
    """Raised by a handler to answer with a problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


def problem_response(problem: Problem, *, request_id: str) -> Response:
    """Return the response of a problem as JSON."""
    return Response(
        orjson.dumps(problem.body(request_id)),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**problem.headers, "Cache-Control": "no-store"},
    )


def problem_of(request: Request, error: Exception) -> Problem:
    """Return the problem that an exception means to the client of this request."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, BadEventsError):
        return _bad_events(error)
    if isinstance(error, StoreError):
        return unavailable("This cannot be stored or read at the moment; nothing was acknowledged.")
    if isinstance(error, RequestValidationError):
        return _bad_parameters(error)
    if isinstance(error, HTTPException):
        return _http(request, error)
    return internal()


def internal() -> Problem:
    """Return the problem of a fault of ours; its cause stands in our log, not in the answer."""
    return Problem(500, "Something went wrong on our side; the log has it under this request id.")


def unavailable(detail: str) -> Problem:
    """Return the problem of a server that cannot answer now but soon may."""
    return Problem(503, detail, name="unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def _bad_events(error: BadEventsError) -> Problem:
    n_bad = len({bad.index for bad in error.fields})
    return Problem(
        422,
        f"{n_bad} of the events cannot be taken, so none was. {error}",
        name="events-refused",
        title="Events refused",
        errors=[
            {"index": bad.index, "field": bad.field, "reason": bad.reason} for bad in error.fields
        ],
    )


def _bad_parameters(error: RequestValidationError) -> Problem:
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]), "reason": one["msg"]}
        for one in error.errors()
    ]
    return Problem(
        422,
        "; ".join(f"{one['field']}: {one['reason']}" for one in errors),
        name="bad-parameter",
        title="A parameter is wrong",
        errors=errors,
    )


def _http(request: Request, error: HTTPException) -> Problem:
    details = {
        404: f"There is nothing at {request.url.path}. The API is described at /docs.",
        405: f"{request.method} is not possible on {request.url.path}.",
    }
    standard = HTTPStatus(error.status_code).phrase
    said = error.detail if error.detail and error.detail != standard else ""
    return Problem(
        error.status_code,
        said or details.get(error.status_code, standard),
        headers=dict(error.headers or {}),
    )
