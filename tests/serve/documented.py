"""Routes asked as their OpenAPI document says: a few questions a route, right ones and wrong ones, always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.transport.asgi import ASGI_TRANSPORT

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application


def documented(document: Mapping[str, Any]) -> BaseSchema:
    """The document as tests' parameters."""
    schema = schemathesis.openapi.from_dict(dict(document))
    schema.config.phases.coverage.enabled = False
    schema.config.generation.modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    return schema


def questions(count: int) -> settings:
    """So many a route."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def assert_answered_as_documented(case: schemathesis.Case[Any], lake: Lake, left_out: Sequence[Any]) -> None:
    """Ask one question; all of schemathesis' checks but those that are ``left_out`` have to hold of the answer."""
    response = ASGI_TRANSPORT.send(case, app=application(lake), base_url="http://localhost")

    case.validate_response(response, excluded_checks=list(left_out))
