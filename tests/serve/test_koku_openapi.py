"""Koku's routes take what their own OpenAPI document says, refuse what it does not, and answer by its schemas.

Some 10 s: a few questions a route, right ones and wrong ones, always the same.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qsl

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, unsupported_method
from starlette.testclient import TestClient

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.koku import routes
from cost_lakehouse.serve.koku.kinds import KINDS
from cost_lakehouse.serve.koku.openapi import document, report_parameters
from cost_lakehouse.serve.koku.query import PROVIDERS, query_of
from tests.serve.documented import assert_answered_as_documented, documented, questions

DOCUMENT = documented(document(routes.BASE))
# What fits the schema may make no sense together (a limit without a group): that is refused too. What does not fit may be
# taken all the same: `type=` of a short list has no wrong value. TRACE is answered by the guard.
LEFT_OUT = [positive_data_acceptance, negative_data_rejection, unsupported_method]


@DOCUMENT.parametrize()
@questions(3)
def test_a_route_does_what_its_document_says(case: schemathesis.Case[Any], lake: Lake) -> None:
    assert_answered_as_documented(case, lake, LEFT_OUT)


def test_every_route_that_only_reads_is_in_the_document() -> None:
    others = {f"{routes.BASE}/download/", f"{routes.BASE}/openapi.json"}

    assert set(document(routes.BASE)["paths"]) == {path for path, _ in routes.ROUTES} - others


@pytest.mark.parametrize(("provider", "report"), list(KINDS))
def test_each_parameter_of_the_document_is_taken(provider: str, report: str) -> None:
    names = {"account", "region", "service", "az", "product_family", "instance_type", "tag:team", "aws_category:team"}
    names |= {"payer_tenant_id", "product_service", "account_alias"}
    beside = {
        "filter[limit]": "group_by[region]=*",
        "filter[offset]": "group_by[region]=*",
        "start_date": "end_date=2026-10-01",
    }
    beside |= {"end_date": "start_date=2026-10-01", "order_by[delta]": "delta=usage" if report != "costs" else "delta=cost"}
    beside |= {"filter[time_scope_units]": "filter[time_scope_value]=-10"}
    for name, schema in report_parameters(provider, KINDS[provider, report]).items():
        inner = name.partition("[")[2].rstrip("]")
        if name.startswith("order_by") and inner in names:
            beside[name] = f"group_by[{inner.replace('_alias', '')}]=*"
        value = "EUR" if name == "currency" else "2026-10-01" if "date" in name else schema.get("enum", ["1"])[0]
        pairs = parse_qsl(f"{name}={value}&{beside.get(name, '')}")

        query_of(pairs, PROVIDERS[provider], date(2026, 10, 3), date(2026, 1, 1), KINDS[provider, report])


def test_the_document_is_served(client: TestClient) -> None:
    answer = client.get(f"{routes.BASE}/openapi.json")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")
    assert answer.json()["paths"].keys() == document(routes.BASE)["paths"].keys()
