"""The description of the API at /openapi.json, in the version that our copy of Swagger UI shows.

Says how to send the key, and rewrites the few things that OpenAPI 3.1 writes otherwise than 3.0.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from endcap.serving.problems import MEDIA_TYPE
from endcap.serving.wire import EventBatchIn

VERSION = "3.0.3"
_TEXT = """
Home pages for every visitor of a shop, and the way to tell what the visitors did.

1. `GET /v1/home/{user_id}` gives shelves of items, each with a reason.
2. `POST /v1/events` tells what the visitor did; the next page knows it.
3. `GET /v1/slates/{request_id}` says what was shown on an earlier page, and why.
4. `GET /v1/users/{user_id}/features` says what is believed about a visitor now.

Errors are problem details (RFC 9457).
"""
_TAGS = [
    {"name": "pages", "description": "What visitors see."},
    {"name": "events", "description": "What visitors do."},
    {"name": "visitors", "description": "What is known about them."},
    {"name": "operations", "description": "For those who run the server."},
]


def describe(app: FastAPI) -> None:
    """Make the app answer /openapi.json with its description; worked out once, when asked."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _description(app: FastAPI) -> dict[str, Any]:
    description: dict[str, Any] = as_3_0(
        get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=VERSION,
            description=_TEXT,
            routes=app.routes,
            tags=_TAGS,
            separate_input_output_schemas=False,
        )
    )
    for operations in description["paths"].values():
        for operation in operations.values():
            _name_problems(operation["responses"])
    components = description["components"]
    components["schemas"].update(as_3_0(_schemas_of_events()))
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic"},
    }
    # An empty requirement: a server on a loopback address may have no key.
    description["security"] = [{}, {"bearer": []}, {"basic": []}]
    return description


def _name_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}


def _schemas_of_events() -> dict[str, Any]:
    schema = EventBatchIn.model_json_schema(ref_template="#/components/schemas/{model}")
    inner: dict[str, Any] = schema.pop("$defs")
    return {**inner, EventBatchIn.__name__: schema}


def as_3_0(node: Any) -> Any:
    """Return a part of an OpenAPI 3.1 description as OpenAPI 3.0 has it."""
    if isinstance(node, list):
        return [as_3_0(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {key: as_3_0(value) for key, value in node.items()}
    options = node.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        del node["anyOf"]
        node |= {"nullable": True} | (rest[0] if len(rest) == 1 else {"anyOf": rest})
    if isinstance(node.get("examples"), list):
        node["example"] = node.pop("examples")[0]
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node
