"""Koku's lists: one page of rows, the few parameters that they take, and what is wrong with others. Pure but for the reply."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.serve.koku.report import links_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.parameters import Pairs
from cost_lakehouse.serve.replies import JSON, as_json, etag_of, sent_text
from cost_lakehouse.serve.served import Handler, Served

MOST_LISTED = 1_000


def answering(handler: Callable[[Served, Request], Response]) -> Handler:
    """What is wrong with a parameter, as Koku says it."""

    def answered(served: Served, request: Request) -> Response:
        try:
            return handler(served, request)
        except WrongParameter as error:
            wrong: Any = error.message if error.field == "details" else [error.message]
            return Response(as_json({error.field: wrong}), status_code=400, media_type=JSON)

    return answered


def known_only(pairs: Pairs, known: Collection[str]) -> dict[str, str]:
    """The parameters, each of which is known and there once. Raises WrongParameter."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if key not in known or key in found:
            raise WrongParameter(key)
        found[key] = value
    return found


def truth(name: str, text: str) -> bool:
    """A parameter that is true or false. Raises WrongParameter."""
    if text.lower() not in ("true", "false"):
        raise WrongParameter(name, "Must be a valid boolean.")
    return text.lower() == "true"


def page(
    request: Request,
    pairs: Pairs,
    rows: Sequence[Any],
    usual: int = 10,
    most: int = MOST_LISTED,
    says: Mapping[str, Any] | None = None,
) -> Response:
    """One page of a list, of ``usual`` rows unless more are asked for, ``most`` at most; ``says`` stands in ``meta``, too.

    Raises WrongParameter.
    """
    numbers = {"limit": usual, "offset": 0}
    for name, value in pairs:
        if name in numbers:
            if not (value.isascii() and value.isdigit() and int(value[:7]) <= most):
                raise WrongParameter(name, "A valid integer is required.")
            numbers[name] = int(value[:7])
    limit, offset = numbers["limit"] or most, numbers["offset"]
    document = {
        "meta": {"count": len(rows), "limit": limit, "offset": offset, **(says or {})},
        "links": links_of(request.url.path, pairs, limit, offset, len(rows)),
        "data": rows[offset : offset + limit],
    }
    return sent_document(request, document)


def sent_document(request: Request, document: Mapping[str, Any]) -> Response:
    """A document with an ETag of its content."""
    text = as_json(document)
    return sent_text(request, text, JSON, etag_of(text))


def not_found(request: Request) -> Response:
    """404, as Koku says it."""
    return Response(as_json({"detail": "Not found."}), status_code=404, media_type=JSON)
