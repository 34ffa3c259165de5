"""``/v1/diff/{source}/{month}`` and ``/v1/invoices``: what a delivery changed, and what was invoiced beside the bill."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.invoices.comparison import compared_invoices
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.changes import dimensions_of
from cost_lakehouse.proof.diff import bounds_of, difference, loads_of, moment_of
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import Reply, columns_of, problem, sent
from cost_lakehouse.serve.served import Handler, Served
from cost_lakehouse.serve.v1 import slice_of_path


def diff(served: Served, request: Request) -> Response:
    """``/v1/diff/{source}/{month}``: what came, went and changed, biggest first; changes add up to the difference."""
    parameters = Parameters(request.query_params.multi_items(), ("since", "from", "to", "group_by", "format"))
    source, month = slice_of_path(request)
    if source not in {settings.name for settings in served.lake.settings.sources}:
        return problem(404, f"There is no source {source}.", "/v1/sources has them.")
    served.for_all_alone("Differences")
    by = dimensions_of(",".join(parameters.listed("group_by")) or "service,account")
    since = parameters.text("since")
    slice_ = Slice(source, month)
    bounds = bounds_of(
        loads_of(served.lake, slice_), moment_of(since) if since else None, parameters.text("from"), parameters.text("to")
    )
    found = difference(served.lake, slice_, bounds, by)
    rows = [
        {
            **dict(zip(found.by, cell.values, strict=True)),
            "currency": cell.currency_code,
            "kind": cell.kind,
            "before": cell.before,
            "after": cell.after,
            "change": cell.change,
            "line_item_change": cell.lines_after - cell.lines_before,
        }
        for cell in found.cells
    ]
    meta = {
        **served.meta(["raw.receipts"], served.state(source, month)),
        "from": bounds.after.delivery_id if bounds.after else None,
        "to": bounds.until.delivery_id,
        "totals": [{"currency": currency or None, "change": change} for currency, change in sorted(found.totals.items())],
    }
    return sent(request, Reply(columns_of(rows), rows, meta))


def invoices(served: Served, request: Request) -> Response:
    """``/v1/invoices``: each invoice beside the lines of the bill that name it."""
    parameters = Parameters(request.query_params.multi_items(), ("source", "month", "state", "format"))
    served.for_all_alone("Invoices")
    source, month, state = parameters.text("source"), parameters.month("month"), parameters.text("state")
    rows = [
        {
            "source": row.source,
            "month": f"{row.billing_period:%Y-%m}",
            "invoice_id": row.invoice_id,
            "currency": row.currency_code,
            "invoiced": row.invoiced,
            "billed": row.billed,
            "difference": row.difference,
            "allowance": row.allowance,
            "state": row.state,
            "explanation": row.explanation,
        }
        for row in compared_invoices(served.lake)
        if source in (None, row.source) and month in (None, row.billing_period) and state in (None, row.state)
    ]
    return sent(request, Reply(columns_of(rows), rows, served.meta(["marts.invoices"], served.state(source, month))))


ROUTES: tuple[tuple[str, Handler], ...] = (
    ("/v1/diff/{source}/{month}", diff),
    ("/v1/invoices", invoices),
)
