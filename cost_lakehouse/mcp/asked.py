"""Asks a route of ``/v1`` inside this process: a tool has the grammar, the limits and the answer of the route."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.serve import ahead, changes, v1
from cost_lakehouse.serve.served import Handler, Served

_HANDLERS: Mapping[str, Handler] = dict((*v1.ROUTES, *ahead.ROUTES, *changes.ROUTES))


def document(served: Served, path: str, inner: Mapping[str, str], **parameters: Any) -> dict[str, Any]:
    """``{"meta": …, "data": […]}`` as the route answers; ``inner`` are the parts of its path, None stands for no parameter.

    Raises CostLakehouseError with what the route says is wrong.
    """
    pairs = [(name, text) for name, value in parameters.items() for text in _texts(value)]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "path_params": dict(inner),
        "query_string": urlencode(pairs).encode(),
        "headers": [],
    }
    reply = _HANDLERS[path](served, Request(scope))
    said: dict[str, Any] = json.loads(bytes(reply.body))
    if reply.status_code != 200:
        raise CostLakehouseError(said["error"], said["fix"])
    return said


def _texts(value: Any) -> Iterable[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
