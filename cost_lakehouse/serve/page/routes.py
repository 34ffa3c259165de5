"""``/``: the first page, and its style sheet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.asking import read_tables
from cost_lakehouse.ask.ranges import bill_of, plus_months
from cost_lakehouse.ask.request import Compare, Granularity, conditions_of
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.serve.costs import bill_meta, condition_text
from cost_lakehouse.serve.page.view import BAR_HEIGHT, amounts_of, csv_link, days_of, lines_of, page_link
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import etag_of, sent_text, unchanged
from cost_lakehouse.serve.served import Handler, Served

HTML = "text/html"
_TABLES = ("service", "account", "region")
_TOP = 10
_FOLDER = Path(__file__).parent


def front(served: Served, request: Request) -> Response:
    """``/?month=2026-10&filter=service=AmazonEC2``: a month's bills, what they come to, and by what."""
    parameters = Parameters(request.query_params.multi_items(), ("month", "filter"))
    month = parameters.month("month") or served.newest_month()
    conditions = conditions_of(parameters.texts("filter"))
    bills = bill_of(month)
    whole = Question(bills, filters=conditions, compare=Compare.PREVIOUS)
    daily = Question(bills, granularity=Granularity.DAY, filters=conditions)
    tabled = {name: Question(bills, groups=(name,), filters=conditions, compare=Compare.PREVIOUS, top=_TOP) for name in _TABLES}
    etag = etag_of(month, served.etag(request, sorted({table for asked in tabled.values() for table in read_tables(asked)})))
    if known := unchanged(request, etag):
        return known
    answer = served.answer(whole)
    text = (
        _environment()
        .get_template("front.html")
        .render(
            month=f"{month:%Y-%m}",
            earlier=page_link(plus_months(month, -1), conditions),
            later=page_link(plus_months(month, 1), conditions),
            unfiltered=page_link(month, ()),
            conditions=[condition_text(condition) for condition in conditions],
            bills=[bill_meta(bill) for bill in answer.bills],
            totals=amounts_of(answer),
            tables=[
                {
                    "name": name,
                    "lines": lines_of(served.answer(asked), month, conditions),
                    "csv": csv_link(month, conditions, group_by=name, compare="previous"),
                }
                for name, asked in tabled.items()
            ],
            daily=days_of(served.answer(daily).rows),
            daily_csv=csv_link(month, conditions, granularity="day"),
            height=BAR_HEIGHT,
        )
    )
    return sent_text(request, text, HTML, etag)


def style(served: Served, request: Request) -> Response:
    """``/style.css``."""
    text = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return sent_text(request, text, "text/css", etag_of(text))


@cache
def _environment() -> Environment:
    """Whatever a bill holds is text, never markup."""
    return Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


ROUTES: tuple[tuple[str, Handler], ...] = (("/", front), ("/style.css", style))
