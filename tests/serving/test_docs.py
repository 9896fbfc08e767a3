"""The description of the API: valid, complete, with examples, and shown without the Internet."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from endcap.serving import wire, wire_features
from endcap.serving.openapi import as_3_0

MODELS = [
    model
    for model in (*vars(wire).values(), *vars(wire_features).values())
    if isinstance(model, type)
    and issubclass(model, wire.BaseModel)
    and "example" in (model.model_config.get("json_schema_extra") or {})
]


@pytest.fixture
async def description(client) -> dict[str, Any]:
    return (await client.get("/openapi.json")).json()


def walk(node: Any):
    yield node
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from walk(child)


async def test_every_route_for_programs_is_described(description):
    assert set(description["paths"]) == {
        "/v1/home/{user_id}",
        "/v1/items/{item_id}/similar",
        "/v1/events",
        "/v1/slates/{request_id}",
        "/v1/users/{user_id}/features",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert names >= set(re.findall(r"{(\w+)}", path))


async def test_every_reference_leads_somewhere(description):
    references = [
        node["$ref"] for node in walk(description) if isinstance(node, dict) and "$ref" in node
    ]
    assert references
    for reference in references:
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


async def test_it_is_openapi_3_0_which_our_swagger_ui_reads(description):
    assert description["openapi"] == "3.0.3"
    for node in walk(description):
        if isinstance(node, dict):
            assert node.get("type") != "null"
            assert not isinstance(node.get("examples"), list)
            assert "const" not in node
            assert "$defs" not in node
            assert not isinstance(node.get("exclusiveMinimum"), float | int) or isinstance(
                node.get("exclusiveMinimum"), bool
            )


async def test_errors_are_problem_details(description):
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and path.startswith("/v1"):
                    assert set(response["content"]) == {"application/problem+json"}, (path, status)
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema["$ref"].endswith("/ProblemOut")


async def test_every_answer_has_an_example(description):
    schemas = description["components"]["schemas"]
    for path, operations in description["paths"].items():
        content = next(iter(operations.values()))["responses"]["200"]["content"]
        for kind in content.values():
            name = kind.get("schema", {}).get("$ref", "").rpartition("/")[2]
            assert "example" in kind or "example" in schemas[name], path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_example_is_valid(model):
    TypeAdapter(model).validate_python(model.model_config["json_schema_extra"]["example"])


async def test_the_examples_of_events_are_taken_as_they_stand(client, description):
    content = description["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert set(examples) == {"one", "batch"}
    for example in examples.values():
        response = await client.post("/v1/events", json=example["value"])
        assert response.status_code == 200, response.text


def test_what_openapi_3_1_writes_otherwise():
    assert as_3_0({"anyOf": [{"type": "string"}, {"type": "null"}], "title": "A"}) == {
        "title": "A",
        "nullable": True,
        "type": "string",
    }
    assert as_3_0({"schema": {"examples": ["a", "b"]}}) == {"schema": {"example": "a"}}
    assert as_3_0({"const": "x"}) == {"enum": ["x"]}


async def test_the_docs_load_nothing_from_elsewhere(client):
    page = await client.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        assert (await client.get(address)).status_code == 200, address
    assert "<script>" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'self'" in policy
    script = (await client.get("/static/docs.js")).text
    assert "http" not in script
    assert "validatorUrl: null" in script
