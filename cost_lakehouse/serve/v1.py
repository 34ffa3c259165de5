"""``/v1``: costs and what they can be asked by, sources, bills, what is odd about them, and receipts."""

from __future__ import annotations

import re
from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.dimensions import USAGE, dimension, dimensions, keyed_families, measure, measures
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.request import Condition, Granularity, Range
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.last_polls import last_polls
from cost_lakehouse.loading.statuses import SliceStatus, source_statuses, statuses
from cost_lakehouse.serve.costs import range_meta, reply_of
from cost_lakehouse.serve.parameters import COST_PARAMETERS, Pairs, Parameters, month_of, range_of, request_of
from cost_lakehouse.serve.replies import Reply, columns_of, problem, sent, unchanged
from cost_lakehouse.serve.served import STATES, Handler, Served, least_settled, snapshot_meta

_ALL_BILLS = Range(date(1970, 1, 1), date(2200, 1, 1), of_bills=True)
_SOURCE = re.compile(r"[a-z0-9-]{1,40}")


def costs(served: Served, request: Request) -> Response:
    """``/v1/costs``: what it cost."""
    parameters = Parameters(_pairs(request), (*COST_PARAMETERS, "as_of", "format"))
    question = request_of(parameters, served.newest_month(), served.rates())
    as_of = served.moment(parameters.text("as_of"))
    etag = served.etag_of_costs(request, question, as_of)
    return unchanged(request, etag) or sent(request, reply_of(served.answer(question, as_of)), etag)


def all_dimensions(served: Served, request: Request) -> Response:
    """``/v1/dimensions``: what costs can be grouped and filtered by, and (``basis``) what is added up."""
    Parameters(_pairs(request), ("format",))
    rows = [{"name": known.name, "kind": "dimension", "says": known.says} for known in dimensions()]
    rows += [{"name": f"{name}:KEY", "kind": "family", "says": says} for name, says in keyed_families().items()]
    rows += [{"name": known.name, "kind": "basis", "says": known.says} for known in (*measures(), measure(USAGE))]
    return sent(request, Reply(columns_of(rows), rows, served.meta((), None)))


def dimension_values(served: Served, request: Request) -> Response:
    """``/v1/dimensions/{name}/values``: the values that lines of a range have, the dearest of each currency first."""
    parameters = Parameters(_pairs(request), ("from", "to", "month", "contains", "format"))
    name = dimension(request.path_params["name"]).name
    contains = parameters.text("contains")
    filters = (Condition(name, (contains,), contains=True),) if contains else ()
    asked = Question(range_of(parameters, served.newest_month()), groups=(name,), filters=filters)
    etag = served.etag_of_costs(request, asked)
    if known := unchanged(request, etag):
        return known
    answer = served.answer(asked)
    rows = [
        {
            "value": row.values[0],
            "currency": row.currency_code,
            "cost": row.cost,
            "line_item_count": row.line_item_count,
        }
        for row in answer.rows
    ]
    meta = {
        **range_meta(asked.range),
        "dimension": name,
        "as_of": answer.as_of,
        "state": least_settled({bill.state for bill in answer.bills}),
        "snapshots": snapshot_meta(answer.snapshots),
    }
    return sent(request, Reply(("value", "currency", "cost", "line_item_count"), rows, meta), etag)


def sources(served: Served, request: Request) -> Response:
    """``/v1/sources``: how every configured source does, and what the lake holds of it, month by month."""
    Parameters(_pairs(request), ("format",))
    settings = served.lake.settings
    found = statuses(served.lake)
    seen = None if served.sees_all else served.sources()
    months: dict[str, list[SliceStatus]] = {}
    for status in found:
        months.setdefault(status.slice_.source, []).append(status)
    rows = [
        {
            "source": source.source,
            "kind": source.kind,
            "state": source.state,
            "last_polled_at": source.looked_at,
            "newest_delivery_at": source.newest_delivery,
            "problem": source.problem or None,
            "months": [_month(status, served.sees_all) for status in months.get(source.source, [])],
        }
        for source in source_statuses(settings, last_polls(settings), found)
        if seen is None or source.source in seen
    ]
    columns = ("source", "kind", "state", "last_polled_at", "newest_delivery_at", "problem")
    return sent(request, Reply(columns, rows, served.meta(["raw.receipts"], served.state())))


def _month(status: SliceStatus, sees_all: bool) -> dict[str, object]:
    known: dict[str, object] = {"month": status.slice_.month, "state": status.state, "delivery_id": status.shown.delivery_id}
    if not sees_all:  # how much the whole bill holds is not theirs to know
        return known
    return known | {
        "files": status.sum("files"),
        "rows": status.sum("rows"),
        "bytes": status.sum("bytes"),
        "totals": status.totals,
        "loaded_at": status.held[-1].loaded_at if status.held else None,
        "summarized": status.summarized,
        "problem": status.refused.reason if status.refused else None,
    }


def bills(served: Served, request: Request) -> Response:
    """``/v1/bills``: the published bills, each with its state and what it comes to."""
    if not served.sees_all:
        return _bills_of_accounts(served, request)
    return _published(served, request, STATES, "bill_status_id", ("source", "month"))


def _bills_of_accounts(served: Served, request: Request) -> Response:
    """What the accounts that are shown add to each bill."""
    parameters = Parameters(_pairs(request), ("source", "month", "format"))
    source, month = parameters.text("source"), parameters.month("month")
    asked = Question(
        bill_of(month) if month else _ALL_BILLS,
        granularity=Granularity.MONTH,
        groups=("source",),
        filters=(Condition("source", (source,)),) if source else (),
    )
    answer = served.answer(asked)
    bills = {(bill.source, bill.billing_period): bill for bill in answer.bills}
    rows = []
    for row in sorted(answer.rows, key=lambda one: (one.values, one.bucket or _ALL_BILLS.begin, one.currency_code or "")):
        bill = bills.get((row.values[0] or "", row.bucket or _ALL_BILLS.begin))
        rows.append(
            {
                "source": row.values[0],
                "month": f"{row.bucket:%Y-%m}",
                "delivery_id": bill.delivery_id if bill else None,
                "state": bill.state if bill else None,
                "currency_code": row.currency_code,
                "billed_cost": row.cost,
                "line_item_count": row.line_item_count,
                "loaded_at": bill.loaded_at if bill else None,
            }
        )
    state = least_settled({bill.state for bill in answer.bills})
    meta = {"as_of": None, "state": state, "snapshots": snapshot_meta(answer.snapshots)}
    return sent(request, Reply(columns_of(rows), rows, meta))


def findings(served: Served, request: Request) -> Response:
    """``/v1/findings``: what is odd about the published bills, with an example of each."""
    return _published(served, request, "bill_findings", "bill_findings_id", ("source", "month", "kind"))


def _published(served: Served, request: Request, mart: str, own_id: str, known: tuple[str, ...]) -> Response:
    parameters = Parameters(_pairs(request), (*known, "format"))
    chosen = {name: parameters.text(name) for name in known if name != "month"}
    etag = served.etag(request, [f"marts.{mart}"])
    if there := unchanged(request, etag):
        return there
    found = served.published(mart, billing_period=parameters.month("month"), **chosen)
    columns = ["month" if name == "billing_period" else name for name in columns_of(found.rows) if name != own_id]
    rows = [
        {column: f"{row['billing_period']:%Y-%m}" if column == "month" else row[column] for column in columns}
        for row in found.rows
    ]
    state = served.state(parameters.text("source"), parameters.month("month"))
    meta = {"as_of": None, "state": state, "snapshots": snapshot_meta(found.snapshots)}
    return sent(request, Reply(columns, rows, meta), etag)


def source_receipts(served: Served, request: Request) -> Response:
    """``/v1/receipts/{source}/{month}``: every load of a month, accepted or refused, oldest first."""
    Parameters(_pairs(request), ("format",))
    source, month = slice_of_path(request)
    served.for_all_alone("Receipts")
    found = receipts(served.lake, Slice(source, month))
    if not found:
        return problem(404, f"There is no receipt of {source} {month:%Y-%m}.", "/v1/sources has the months of each source.")
    rows = [{**receipt.__dict__, "billing_period": f"{receipt.billing_period:%Y-%m}"} for receipt in found]
    rows = [{"month": row.pop("billing_period"), **row} for row in rows]
    meta = served.meta(["raw.receipts"], served.state(source, month))
    return sent(request, Reply(columns_of(rows), rows, meta))


def slice_of_path(request: Request) -> tuple[str, date]:
    """Source and month of a path: the source's name goes into SQL as a literal, and must be one."""
    source, month = request.path_params["source"], request.path_params["month"]
    if not _SOURCE.fullmatch(source):
        raise ConfigurationError(f"{shortened(source)!r} is no name of a source.", "/v1/sources has them.")
    return source, month_of(month)


def _pairs(request: Request) -> Pairs:
    return request.query_params.multi_items()


ROUTES: tuple[tuple[str, Handler], ...] = (
    ("/v1/costs", costs),
    ("/v1/dimensions", all_dimensions),
    ("/v1/dimensions/{name}/values", dimension_values),
    ("/v1/sources", sources),
    ("/v1/bills", bills),
    ("/v1/findings", findings),
    ("/v1/receipts/{source}/{month}", source_receipts),
)
