"""Every route of ``/v1`` takes what its own OpenAPI document says, refuses what it does not, and answers by its schemas.

Some 10 s: so many questions a route, right ones and wrong ones, always the same.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method
from schemathesis.transport.asgi import ASGI_TRANSPORT
from starlette.testclient import TestClient

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve import ahead, changes, explained, v1
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.openapi import openapi_document

DOCUMENT = schemathesis.openapi.from_dict(openapi_document())
DOCUMENT.config.phases.coverage.enabled = False
DOCUMENT.config.generation.modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
# What fits the schema may make no sense together (from without to): that is refused too. TRACE is answered by the guard.
LEFT_OUT = [positive_data_acceptance, unsupported_method]


@DOCUMENT.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_a_route_does_what_its_document_says(case: schemathesis.Case[Any], lake: Lake) -> None:
    response = ASGI_TRANSPORT.send(case, app=application(lake), base_url="http://localhost")

    case.validate_response(response, excluded_checks=LEFT_OUT)


def test_every_route_is_in_the_document() -> None:
    routes = (*v1.ROUTES, *ahead.ROUTES, *changes.ROUTES, *explained.ROUTES)

    assert set(openapi_document()["paths"]) == {path for path, _ in routes}


def test_the_document_is_served(client: TestClient) -> None:
    answer = client.get("/v1/openapi.json")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")
    assert answer.json()["paths"] == openapi_document()["paths"]
    assert len(CHECKS.get_all()) > 5
