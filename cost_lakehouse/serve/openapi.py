"""``/v1/openapi.json``: what ``/v1`` takes and answers, out of ``openapi.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import JSON, as_json, etag_of, sent_text
from cost_lakehouse.serve.served import Handler, Served


def openapi(served: Served, request: Request) -> Response:
    """``/v1/openapi.json``."""
    Parameters(request.query_params.multi_items(), ())
    text = as_json(openapi_document())
    return sent_text(request, text, JSON, etag_of(text))


@cache
def openapi_document() -> Any:
    """The whole document."""
    return yaml.safe_load(Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8"))


ROUTES: tuple[tuple[str, Handler], ...] = (("/v1/openapi.json", openapi),)
