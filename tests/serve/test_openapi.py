"""Every route of ``/v1`` takes what its own OpenAPI document says, refuses what it does not, and answers by its schemas.

Some 10 s: so many questions a route, right ones and wrong ones, always the same.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method
from starlette.testclient import TestClient

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve import ahead, changes, explained, v1
from cost_lakehouse.serve.openapi import openapi_document
from tests.serve.documented import assert_answered_as_documented, documented, questions

DOCUMENT = documented(openapi_document())
# What fits the schema may make no sense together (from without to): that is refused too. TRACE is answered by the guard.
LEFT_OUT = [positive_data_acceptance, unsupported_method]


@DOCUMENT.parametrize()
@questions(6)
def test_a_route_does_what_its_document_says(case: schemathesis.Case[Any], lake: Lake) -> None:
    assert_answered_as_documented(case, lake, LEFT_OUT)


def test_every_route_is_in_the_document() -> None:
    routes = (*v1.ROUTES, *ahead.ROUTES, *changes.ROUTES, *explained.ROUTES)

    assert set(openapi_document()["paths"]) == {path for path, _ in routes}


def test_the_document_is_served(client: TestClient) -> None:
    answer = client.get("/v1/openapi.json")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")
    assert answer.json()["paths"] == openapi_document()["paths"]
    assert len(CHECKS.get_all()) > 5
