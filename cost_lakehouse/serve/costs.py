"""An answer of the query core as rows and meta of ``/v1/costs``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cost_lakehouse.ask.answer import Answer, Bill, Row, Total
from cost_lakehouse.ask.rates import Rate
from cost_lakehouse.ask.request import Condition, Granularity, Range, Request
from cost_lakehouse.serve.replies import Reply
from cost_lakehouse.serve.served import least_settled, snapshot_meta


def reply_of(answer: Answer) -> Reply:
    """Flat rows: a group's dimensions by their names, null where a line has none.

    ``others`` is 0, or in the row that adds all further groups up how many these are.
    """
    question = answer.request
    dated = ("date",) if question.granularity is not Granularity.NONE else ()
    compared = ("before", "change") if question.compare is not None else ()
    columns = (*dated, *question.groups, *amount_names(question), *compared, "line_item_count", "others")
    rows = [_row(answer, row, columns) for row in answer.rows]
    return Reply(columns, rows, _meta(answer))


def _row(answer: Answer, row: Row, columns: Iterable[str]) -> dict[str, Any]:
    values = row.values or (None,) * len(answer.request.groups)
    known: Mapping[str, Any] = {
        "date": row.bucket,
        **_amount(answer.request, row),
        "before": row.before,
        "change": row.change,
        "line_item_count": row.line_item_count,
        "others": row.groups if row.is_others else 0,
        **dict(zip(answer.request.groups, values, strict=True)),
    }
    return {column: known[column] for column in columns}


def _meta(answer: Answer) -> dict[str, Any]:
    question = answer.request
    return {
        **range_meta(question.range),
        "granularity": question.granularity,
        "group_by": question.groups,
        "filter": [condition_text(condition) for condition in question.filters],
        "exclude": [condition_text(condition) for condition in question.excludes],
        "basis": question.basis,
        "top": question.top,
        "order": question.order,
        "compare": question.compare,
        "currency": question.into or question.currency,
        "rates": [rate_meta(rate) for rate in answer.rates],
        "as_of": answer.as_of,
        "state": least_settled({bill.state for bill in answer.bills}),
        "snapshots": snapshot_meta(answer.snapshots),
        "bills": [bill_meta(bill) for bill in answer.bills],
        "totals": [_total(question, total) for total in answer.totals],
        "rows": len(answer.rows),
    }


def range_meta(asked: Range) -> dict[str, Any]:
    """``from`` and ``to`` as they are written in a request; ``of`` says whether bills or usage are meant."""
    if asked.of_bills:
        return {"from": f"{asked.begin:%Y-%m}", "to": f"{asked.end:%Y-%m}", "of": "bills"}
    return {"from": asked.begin, "to": asked.end, "of": "usage"}


def bill_meta(bill: Bill) -> dict[str, str]:
    """A bill by the names that the other routes take."""
    return {
        "source": bill.source,
        "month": f"{bill.billing_period:%Y-%m}",
        "delivery_id": bill.delivery_id,
        "state": bill.state,
    }


def condition_text(condition: Condition) -> str:
    """A condition as it is written in a request."""
    return f"{condition.name}{'~' if condition.contains else '='}{','.join(condition.values)}"


def amount_names(question: Request) -> tuple[str, str]:
    """What an amount's currency and the amount are called; of usage its unit."""
    return ("usage_unit", "usage") if question.measure.is_usage else ("currency", "cost")


def _amount(question: Request, of: Row | Total) -> dict[str, Any]:
    return dict(zip(amount_names(question), (of.currency_code, of.cost), strict=True))


def rate_meta(rate: Rate) -> dict[str, Any]:
    """A rate that costs were converted by, as the table has it."""
    return {
        "month": f"{rate.month:%Y-%m}", "from": rate.base, "to": rate.into, "rate": rate.rate, "source": rate.source
    }  # fmt: skip


def _total(question: Request, total: Total) -> dict[str, Any]:
    amounts = _amount(question, total)
    if question.compare is not None:
        amounts |= {"before": total.before, "change": total.change}
    return {**amounts, "line_item_count": total.line_item_count}
