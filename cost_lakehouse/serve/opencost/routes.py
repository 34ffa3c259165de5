"""The routes below ``/model``, and the same without it, as OpenCost's own server has them: cloud costs, and clusters' costs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.answer import Answer
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.serve.exact_json import exact_json
from cost_lakehouse.serve.opencost import allocation, assets
from cost_lakehouse.serve.opencost.costs import Days, days_of, graph, sets_document, table_rows, totals
from cost_lakehouse.serve.opencost.query import (
    COST_PARAMETERS,
    METRICS,
    VIEW_PARAMETERS,
    Query,
    outside_clusters,
    query_of,
    question_of,
)
from cost_lakehouse.serve.opencost.status import status_document
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import CSV, JSON, Reply, as_csv, etag_of, kind_of, sent_text, unchanged
from cost_lakehouse.serve.served import Handler, Served
from cost_lakehouse.serve.viewer import NotForRole

_COLUMNS = ("Name", "K8s Utilization", "Total", "Window")
Shape = Callable[[Query, Days], Any]


def _answering(handler: Handler) -> Handler:
    """What goes wrong, in OpenCost's envelope."""

    def answered(served: Served, request: Request) -> Response:
        try:
            return handler(served, request)
        except CostLakehouseError as error:
            status = 400 if isinstance(error, ConfigurationError) else 403 if isinstance(error, NotForRole) else 503
            text = exact_json({"code": status, "data": None, "message": f"{error.problem} {error.fix}"})
            return Response(text, status_code=status, media_type=JSON)

    return answered


def _route(shape: Shape, known: Collection[str], metrics: Collection[str] | None = None) -> Handler:
    """One route: what is asked, of these metrics (None: the one that is asked for), in this shape."""

    def handler(served: Served, request: Request) -> Response:
        """Costs of a window."""
        query = query_of(Parameters(request.query_params.multi_items(), known), datetime.now(UTC))
        currency = query.currency or served.usual_currency()
        asked = metrics or (query.metric,)
        questions = [question_of(query, metric, currency, shape is not table_rows and shape is not totals) for metric in asked]
        etag = etag_of(query.window, currency, *(served.etag_of_costs(request, outside_clusters(one)) for one in questions))
        if there := unchanged(request, etag):
            return there
        days: Days = {}
        has_clusters = True
        for metric, question in zip(asked, questions, strict=True):
            answer = served.answer(question)
            outside = served.answer(outside_clusters(question)) if has_clusters else answer
            # The same lines cost every metric: where none is a cluster's, nobody is asked again.
            has_clusters = _lines(outside) != _lines(answer)
            days_of(query, metric, answer.rows, outside.rows, days)
        found = shape(query, days)
        if shape is table_rows and (query.as_csv or kind_of(request) == CSV):
            lines = [(row["name"], f"{row['kubernetesPercent']:.3f}", row["cost"], str(query.window)) for row in found]
            rows_of_csv = [dict(zip(_COLUMNS, line, strict=True)) for line in lines]
            return sent_text(request, as_csv(Reply(_COLUMNS, rows_of_csv)), CSV, etag)
        return sent_text(request, _enveloped(found, _other_currencies(served, currency)), JSON, etag)

    return _answering(handler)


def _allocations(served: Served, request: Request) -> Response:
    """``/allocation``: what ran in clusters, out of the bill."""
    query = allocation.query_of(Parameters(request.query_params.multi_items(), allocation.PARAMETERS), datetime.now(UTC))
    found = allocation.Found(query)
    if not served.lake.settings.clusters:
        return _without_clusters(request, found.document)
    currency = query.currency or served.usual_currency()
    idle = allocation.idle_question_of(query, currency)
    questions: dict[Question, bool] = {allocation.question_of(query, currency): False, **({idle: True} if idle else {})}
    etag = etag_of(query.window, currency, *(served.etag_of_costs(request, question) for question in questions))
    if there := unchanged(request, etag):
        return there
    for question, are_idle in questions.items():
        found.add(served.answer(question).rows, question.groups, are_idle)
    return sent_text(request, _enveloped(found.document, _other_currencies(served, currency)), JSON, etag)


def _assets(served: Served, request: Request) -> Response:
    """``/assets``: nodes and volumes of clusters."""
    query = assets.query_of(Parameters(request.query_params.multi_items(), assets.PARAMETERS), datetime.now(UTC))
    if not served.lake.settings.clusters:
        return _without_clusters(request, {})
    currency = query.currency or served.usual_currency()
    question = assets.question_of(query, currency)
    etag = etag_of(query.window, currency, served.etag_of_costs(request, question))
    if there := unchanged(request, etag):
        return there
    found = assets.assets_document(query, served.answer(question).rows, question.groups)
    return sent_text(request, _enveloped(found, _other_currencies(served, currency)), JSON, etag)


def _without_clusters(request: Request, data: Any) -> Response:
    text = _enveloped(data, "lakehouse.yaml names no clusters: see docs/clusters.md.")
    return sent_text(request, text, JSON, etag_of(text))


def _other_currencies(served: Served, currency: str) -> str | None:
    """What is said of costs that are left out; None where all are in this currency."""
    others = [code for code in served.currencies() if code != currency]
    return f"These are the costs in {currency}; those in {', '.join(others)} are asked for apart." if others else None


def _enveloped(data: Any, warning: str | None = None) -> str:
    return exact_json({"code": 200, "data": data, **({"warning": warning} if warning else {})})


def _lines(answer: Answer) -> int:
    return sum(total.line_item_count for total in answer.totals)


def _status(served: Served, request: Request) -> Response:
    """``/cloudCost/status``: how every source does."""
    Parameters(request.query_params.multi_items(), ())
    text = _enveloped(status_document(served))
    return sent_text(request, text, JSON, etag_of(text))


_HANDLERS: tuple[tuple[str, Handler], ...] = (
    ("/cloudCost", _route(sets_document, COST_PARAMETERS, tuple(METRICS))),
    ("/cloudCost/view/table", _route(table_rows, VIEW_PARAMETERS)),
    ("/cloudCost/view/totals", _route(totals, VIEW_PARAMETERS)),
    ("/cloudCost/view/graph", _route(graph, VIEW_PARAMETERS)),
    ("/cloudCost/status", _answering(_status)),
    ("/allocation", _answering(_allocations)),
    ("/allocation/compute", _answering(_allocations)),
    ("/assets", _answering(_assets)),
)
ROUTES: tuple[tuple[str, Handler], ...] = tuple(
    (f"{prefix}{path}", handler) for prefix in ("/model", "") for path, handler in _HANDLERS
)
