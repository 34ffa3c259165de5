"""The report's HTML, out of one template: texts are escaped, amounts are decimals with their digits at hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.formats.decimals import in_cents
from cost_lakehouse.report.charts import HEIGHT, WIDTH, daily_chart
from cost_lakehouse.report.contents import Contents, share

_TITLES = {"service": "Services", "account": "Accounts", "region": "Regions", "type": "Kinds of charge"}


def page_of(contents: Contents) -> str:
    """The whole file, as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amount": amount, "exact": exact, "signed": signed, "direction": direction, "percent": percent}
    template = environment.get_template("report.html.jinja")
    return template.render(
        report=contents,
        titles=_TITLES,
        chart=lambda rows: daily_chart(rows, "service"),
        days=daily_totals,
        share=share,
        name_of=name_of,
        width=WIDTH,
        height=HEIGHT,
    )


def name_of(dimension: str, row: Row) -> str:
    """What a row of a table is called: an account by its name and number, where it has both."""
    if row.is_others:
        return f"Others ({row.groups})" if row.groups > 1 else "Other"
    first, *more = [value for value in row.values if value] or [f"No {dimension}"]
    return f"{first} ({more[0]})" if more else first


def amount(value: Decimal) -> str:
    """An amount in cents, with thousands separators."""
    return f"{in_cents(value):,.2f}"


def exact(value: Decimal) -> str:
    """All digits of an amount."""
    return f"{value.normalize():f}" if value else "0"


def signed(value: Decimal | None) -> str:
    """A change in cents, with its sign; empty where nothing is compared."""
    return "" if value is None else f"{in_cents(value):+,.2f}"


def direction(change: Decimal | None) -> str:
    """The class of a change that shows in cents: up or down; empty where it does not."""
    shown = Decimal(0) if change is None else in_cents(change)
    return "up" if shown > 0 else "down" if shown < 0 else ""


def percent(value: Decimal | None, sign: bool = False) -> str:
    """A number of percent; empty where there is none."""
    return "" if value is None else f"{value:{'+' if sign else ''},.1f} %"


def daily_totals(rows: Sequence[Row]) -> list[tuple[str, Decimal]]:
    """Each day and what it cost, for the table beside the chart."""
    totals: dict[str, Decimal] = {}
    for row in rows:
        day = str(row.bucket)
        totals[day] = totals.get(day, Decimal(0)) + row.cost
    return sorted(totals.items())
