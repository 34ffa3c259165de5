"""The tools: each reads, and answers ``{"meta": …, "data": […]}`` with amounts as decimal text and rows that add up.

Their docstrings and parameters are what an agent is told of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.mcp.asked import document
from cost_lakehouse.mcp.capped import MOST_ROWS, capped
from cost_lakehouse.mcp.explained import explanation_document
from cost_lakehouse.mcp.text import as_data
from cost_lakehouse.proof.cells import cell_where
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import explain
from cost_lakehouse.serve.served import Served

MOST_CELLS = 2_000
"""Groups times parts of the range: an answer has no more rows of a currency."""

Answer = dict[str, Any]
Month = Annotated[str | None, Field(description="The bills of a month, as 2026-10; the newest if nothing is given.")]
BillMonth = Annotated[str, Field(description="The billing month, as 2026-10.")]
OneMonth = Annotated[str | None, Field(description="Only this billing month, as 2026-10.")]
Start = Annotated[str | None, Field(description="A day (usage from it on) or a month (bills); needs end.")]
End = Annotated[str | None, Field(description="The first day or month that is no part of it; needs start.")]
Groups = Annotated[list[str] | None, Field(description="Up to four dimensions of list_dimensions, such as service, tag:team.")]
Group = Annotated[str | None, Field(description="One dimension of list_dimensions.")]
Filters = Annotated[
    list[str] | None,
    Field(description="All must hold. service=AmazonEC2,AmazonS3 is exact; service~ec2 finds a part; region= finds no region."),
]
Excludes = Annotated[list[str] | None, Field(description="The same; what meets one of them is left out.")]
Basis = Annotated[
    str | None,
    Field(description="What is added up: billed (ties to the invoice; the default), effective, list, net, amortized."),
]
Top = Annotated[int, Field(ge=1, le=MOST_ROWS, description="So many groups of each currency; the rest is added up in Others.")]
AsOf = Annotated[str | None, Field(description="As the lake was then: a day, a UTC time or a delivery id.")]
Source = Annotated[str | None, Field(description="A source of list_sources.")]
Granularity = Literal["none", "day", "month", "quarter"]


class Tools:
    """The tools of one lake."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def list_sources(self) -> Answer:
        """Every source of bills: how it does, which months the lake holds of it, and as of when."""
        return self._rows("/v1/sources")

    def list_dimensions(self) -> Answer:
        """What costs can be grouped and filtered by (kind dimension and family), and the bases that can be added up."""
        return self._rows("/v1/dimensions")

    def list_values(
        self,
        dimension: Annotated[str, Field(description="A dimension of list_dimensions, such as service or tag:team.")],
        month: Month = None,
        start: Start = None,
        end: End = None,
        contains: Annotated[str | None, Field(description="Only values that hold this, whatever its case.")] = None,
        top: Top = 50,
    ) -> Answer:
        """The values that a dimension has in a range, the dearest first, with what each costs; null: lines without a value."""
        filters = [f"{dimension}~{_quoted(contains)}"] if contains else []
        return self.query_costs(month, start, end, [dimension], filters, top=top)

    def query_costs(
        self,
        month: Month = None,
        start: Start = None,
        end: End = None,
        group_by: Groups = None,
        filters: Filters = None,
        excludes: Excludes = None,
        granularity: Granularity = "none",
        basis: Annotated[
            str | None,
            Field(description="billed (the default), effective, list, net, amortized; or usage: how much was used, by unit."),
        ] = None,
        top: Top = 20,
        order: Literal["-cost", "cost", "-change", "change", "name"] = "-cost",
        compare: Annotated[Literal["previous", "month", "year"] | None, Field(description="Adds before and change.")] = None,
        currency: Annotated[
            str | None,
            Field(description="In this one: converted where rates are set (meta.rates), else only what is billed in it."),
        ] = None,
        as_of: AsOf = None,
    ) -> Answer:
        """What it cost. Rows add up to meta.totals, a row with others > 0 adds up that many groups; currencies are never added.

        meta.bills says of each bill in the range whether it may still change (open, estimated) or not (invoiced, locked).
        """
        asked: dict[str, Any] = {
            "month": month,
            "from": start,
            "to": end,
            "group_by": group_by or None,
            "filter": filters,
            "exclude": excludes,
            "granularity": granularity,
            "basis": basis,
            "top": top if group_by else None,
            "order": order,
            "compare": compare,
            "currency": currency,
            "as_of": as_of,
        }
        answer = document(self._served, "/v1/costs", {}, **asked)
        parts = len({row.get("date") for row in answer["data"]})
        if group_by and parts * (top + 1) > MOST_CELLS:
            most = max(MOST_CELLS // parts - 1, 1)
            if most < top:
                answer = document(self._served, "/v1/costs", {}, **{**asked, "top": most})
        return _sent(answer)

    def compare_periods(
        self,
        month: Month = None,
        start: Start = None,
        end: End = None,
        against: Literal["previous", "month", "year"] = "previous",
        group_by: Groups = None,
        filters: Filters = None,
        direction: Annotated[Literal["grew", "shrank"], Field(description="Which movers come first.")] = "grew",
        basis: Basis = None,
        top: Top = 10,
    ) -> Answer:
        """What moved: each group's cost, before and change against the period before, by service unless told otherwise."""
        order: Literal["-change", "change"] = "-change" if direction == "grew" else "change"
        groups = group_by or ["service"]
        return self.query_costs(month, start, end, groups, filters, basis=basis, top=top, order=order, compare=against)

    def list_bills(self, source: Source = None, month: OneMonth = None) -> Answer:
        """Every published bill: its delivery, its state, and what it comes to in each currency."""
        return self._rows("/v1/bills", "currency_code", ("billed_cost", "line_item_count"), source=source, month=month)

    def list_findings(self, source: Source = None, month: OneMonth = None) -> Answer:
        """What is odd about the bills: the kind, the reason, how many lines and how much."""
        return self._rows("/v1/findings", "currency_code", ("amount", "line_item_count"), source=source, month=month)

    def list_invoices(self, source: Source = None, month: OneMonth = None) -> Answer:
        """Each invoice beside the lines of the bill that name it, and whether they agree."""
        return self._rows("/v1/invoices", "currency", ("invoiced", "billed", "difference"), source=source, month=month)

    def get_receipts(self, source: Annotated[str, Field(description="A source.")], month: BillMonth) -> Answer:
        """Every load of a source's month, accepted or refused: files, rows, rounding, digest; the newest first."""
        answer = document(self._served, "/v1/receipts/{source}/{month}", {"source": source, "month": month})
        return _sent({**answer, "data": capped(answer["data"][::-1], ())})

    def diff_month(
        self,
        source: Annotated[str, Field(description="A source.")],
        month: BillMonth,
        since: Annotated[
            str | None, Field(description="What changed after this day or UTC time; else since first loaded.")
        ] = None,
        group_by: Annotated[list[str] | None, Field(description="Such as service, account, line_item_type.")] = None,
    ) -> Answer:
        """What deliveries changed in a month, biggest first; changes add up to the difference of the totals."""
        answer = document(
            self._served,
            "/v1/diff/{source}/{month}",
            {"source": source, "month": month},
            since=since,
            group_by=",".join(group_by) if group_by else None,
        )
        amounts = ("before", "after", "change", "line_item_change")
        return _sent({**answer, "data": capped(answer["data"], amounts, "currency")})

    def explain_cost(
        self,
        where: Annotated[
            dict[str, str],
            Field(
                description='Columns and values, such as {"usage_date": "2026-10-01", "service": "AmazonEC2"}; "" is no value.'
            ),
        ],
        mart: Annotated[str, Field(description="A table of marts, such as daily_costs.")] = "daily_costs",
        column: Annotated[str, Field(description="The amount that is explained.")] = "billed_cost",
        lines: Annotated[int, Field(ge=0, le=50, description="How many of the dearest lines to show.")] = 10,
    ) -> Answer:
        """Follow an amount to its receipts, files, rules and rows of the bill; meta.adds_up says whether they come to it."""
        lake = self._served.lake
        name = f"marts.{mart}"
        if name not in lake.table_names():
            known = ", ".join(table for table in lake.table_names() if table.startswith("marts."))
            raise ConfigurationError(f"There is no table {name!r}.", f"There are {known}.")
        columns = {field.name: str(field.field_type) for field in lake.current(name).schema().fields}
        cell = cell_where(mart, columns, where, column)
        with engine_of(lake, mart) as engine:
            found = explain(lake, cell, engine, lines)
        return _sent(explanation_document(found))

    def forecast(
        self, month: Annotated[str | None, Field(description="As 2026-11; else the current one.")] = None,
        group_by: Group = None, filters: Filters = None, excludes: Excludes = None,
        basis: Basis = None, as_of: AsOf = None,
    ) -> Answer:  # fmt: skip
        """What a month will come to, with a range and the error of such forecasts; settled days alone count."""
        asked = {"month": month, "group_by": group_by, "filter": filters, "exclude": excludes, "basis": basis, "as_of": as_of}
        return self._rows("/v1/forecast", "currency_code", ("settled_cost", "forecast_cost"), **asked)

    def anomalies(
        self,
        days: Annotated[int, Field(ge=1, le=120, description="So many of the last settled days.")] = 30,
        group_by: Group = "service",
        filters: Filters = None,
        excludes: Excludes = None,
        basis: Basis = None,
        as_of: AsOf = None,
    ) -> Answer:
        """Settled days that cost what nobody expected, by impact, and the parts that made them."""
        asked = {"days": days, "group_by": group_by, "filter": filters, "exclude": excludes, "basis": basis, "as_of": as_of}
        return self._rows("/v1/anomalies", "currency_code", ("cost", "expected_cost", "impact"), **asked)

    def budget_status(self, as_of: AsOf = None) -> Answer:
        """How each budget stands: under, will exceed (and on which day), over, or not known."""
        return self._rows("/v1/budgets", as_of=as_of)

    def _rows(self, path: str, currency: str | None = None, amounts: Sequence[str] = (), **parameters: Any) -> Answer:
        answer = document(self._served, path, {}, **parameters)
        return _sent({**answer, "data": capped(answer["data"], amounts, currency)})

    @property
    def all(self) -> tuple[Any, ...]:
        """Every tool, in the order in which they are listed."""
        return (
            self.list_sources, self.list_dimensions, self.list_values, self.query_costs, self.compare_periods,
            self.list_bills, self.list_findings, self.list_invoices, self.get_receipts, self.diff_month, self.explain_cost,
            self.forecast, self.anomalies, self.budget_status,
        )  # fmt: skip


def _sent(answer: Answer) -> Answer:
    """With the moment that the lake was read as of, and all text as data."""
    meta = dict(answer.get("meta") or {})
    if meta.get("as_of") is None:
        meta["as_of"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    found: Answer = as_data({**answer, "meta": meta})
    return found


def _quoted(text: str) -> str:
    """A value as conditions take it: in quotes, since it may hold a comma."""
    return '"' + text.replace('"', '""') + '"'
