"""Everything that the first page says, asked for on one connection, so that all of it is of one moment."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.answer import Answer
from cost_lakehouse.ask.asking import Asking, asking, spans_of
from cost_lakehouse.ask.dimensions import CLUSTERS, DAILY_COSTS, SUMMARIES, dimension
from cost_lakehouse.ask.ranges import bill_of, plus_months
from cost_lakehouse.ask.request import Compare, Condition, Granularity, Order, Range, Request, in_currency
from cost_lakehouse.ask.statement import Statement
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.tables import (
    ACCOUNT_NAMES,
    ANOMALIES,
    ANOMALY_COLUMNS,
    BUDGET_COLUMNS,
    BUDGETS,
    CLUSTER_COSTS,
    FORECAST,
    FORECAST_COLUMNS,
)
from cost_lakehouse.serve.page.state import State
from cost_lakehouse.serve.served import Served

TOP = 10
BARS = 7
_TAGS_LOOKED_AT = 500
_ASKED = (DAILY_COSTS, *SUMMARIES.values(), "bill_status")
_OPTIONAL = ("commitment_costs", "invoices")
_USED = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Contents:
    """What the page shows. ``asked`` are the days or bills that its tables are of; ``last_day`` the newest day with costs.

    ``currencies`` are those that costs can be converted into.
    ``clusters`` is None where no clusters are there, or what narrows the page says nothing of them.
    ``untagged`` has what lacks the tag; ``options`` usage at list prices by how it is paid; ``names`` of accounts.
    """

    state: State
    asked: Range
    last_day: date | None
    daily: Answer
    services: Answer
    accounts: Answer
    regions: Answer
    kinds: Answer
    tag_keys: tuple[str, ...]
    tags: Answer | None
    untagged: Answer | None
    options: Answer
    clusters: Answer | None
    forecast: Rows
    anomalies: Rows
    budgets: Rows
    commitments: Rows
    invoices: Rows
    names: Mapping[str, str]
    currencies: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether the month is not over: it is shown by days, beside the same days of the month before."""
        return not self.asked.of_bills

    @property
    def settled_until(self) -> date | None:
        """The first day that may still grow, as it was last seen; None where nothing was looked ahead."""
        return next((row["settled_until"] for row in self.forecast), None)


def tables_read(served: Served) -> list[str]:
    """The names of all tables that the page reads, of those that are there."""
    there = set(served.lake.table_names())
    clusters = [CLUSTER_COSTS] if served.lake.settings.clusters else []
    wanted = [*(f"marts.{name}" for name in (*_ASKED, *_OPTIONAL)), FORECAST, ANOMALIES, BUDGETS, ACCOUNT_NAMES, *clusters]
    return [name for name in wanted if name in there or name.removeprefix("marts.") in _ASKED]


def gathered(served: Served, state: State) -> Contents:
    """Ask for all of it. Raises LakeError, ConfigurationError, TooMuchAsked."""
    month, after = state.month, plus_months(state.month, 1)
    if Request(bill_of(month), groups=(state.by,), filters=state.conditions).apart is not None:
        raise ConfigurationError("The page is not made of what is shared out.", "Ask /v1/costs, or leave the dimension out.")
    names = tables_read(served)
    both = [
        Request(bill_of(month), compare=Compare.PREVIOUS),
        Request(Range(month, after), compare=Compare.MONTH),
    ]
    with asking(served.lake, names, spans_of(both), None, served.limits) as asked:
        reader = _Reader(asked, names, state, served)
        last_day = reader.last_day()
        is_over = last_day is None or last_day >= after - timedelta(days=1)
        span = bill_of(month) if is_over else Range(month, (last_day or month) + timedelta(days=1))
        compare = Compare.PREVIOUS if is_over else Compare.MONTH
        keys = reader.tag_keys()
        tag = state.tag or (keys[0] if keys else None)
        questions = {
            "accounts": reader.question(span, groups=("account",), compare=compare, top=TOP),
            "daily": reader.question(span, granularity=Granularity.DAY, groups=(state.by,), top=BARS),
            "services": reader.question(span, groups=("service",), compare=compare),
            "regions": reader.question(span, groups=("region",), compare=compare, top=TOP),
            "kinds": reader.question(span, groups=("type",), compare=compare),
            "options": reader.question(span, groups=("purchase_option",), basis="list", more=(Condition("type", _USED),)),
        }
        if tag is not None:
            questions["tags"] = reader.question(span, groups=(f"tag:{tag}",), compare=compare, top=TOP)
            questions["untagged"] = reader.question(span, more=(Condition(f"tag:{tag}", ("",)),))
        if clusters := reader.clusters(span, compare):
            questions["clusters"] = clusters
        answers = reader.answers(questions)
        accounts = answers["accounts"]
        return Contents(
            state,
            span,
            last_day,
            daily=answers["daily"],
            services=answers["services"],
            accounts=accounts,
            regions=answers["regions"],
            kinds=answers["kinds"],
            tag_keys=tuple(keys),
            tags=answers.get("tags"),
            untagged=answers.get("untagged"),
            options=answers["options"],
            clusters=answers.get("clusters"),
            forecast=reader.rows(FORECAST, FORECAST_COLUMNS.names),
            anomalies=reader.rows(ANOMALIES, ANOMALY_COLUMNS.names),
            budgets=reader.rows(BUDGETS, BUDGET_COLUMNS.names),
            commitments=reader.commitments(),
            invoices=reader.invoices(),
            names=reader.account_names([row.values[0] or "" for row in accounts.rows if row.values]),
            currencies=reader.currencies,
        )


class _Reader:
    """The questions of one page."""

    def __init__(self, asked: Asking, names: Sequence[str], state: State, served: Served) -> None:
        self._asked = asked
        self._served = served
        self._sources = None if served.sees_all else served.sources()
        self._names = names
        self._state = state
        self._rates = served.rates()

    @property
    def currencies(self) -> tuple[str, ...]:
        """Those that there are rates into."""
        return tuple(sorted({rate.into for rate in self._rates.known.values()})) if self._rates else ()

    def question(
        self,
        span: Range,
        *,
        groups: tuple[str, ...] = (),
        granularity: Granularity = Granularity.NONE,
        compare: Compare | None = None,
        top: int | None = None,
        basis: str | None = None,
        more: tuple[Condition, ...] = (),
    ) -> Request:
        """A question about the costs of the state's conditions."""
        question = Request(
            span,
            granularity,
            groups,
            filters=(*self._state.conditions, *more),
            basis=self._state.basis if basis is None else basis,
            top=top,
            order=Order.MOST,
            compare=compare,
        )
        return in_currency(question, self._state.currency, self._rates)

    def answers(self, questions: Mapping[str, Request]) -> dict[str, Answer]:
        """The answers, of what is shown to whoever asks."""
        found = self._asked.answers([self._served.seen(question) for question in questions.values()])
        answers = dict(zip(questions, found, strict=True))
        if self._sources is None:
            return answers
        return {
            name: replace(one, request=questions[name], bills=tuple(bill for bill in one.bills if bill.source in self._sources))
            for name, one in answers.items()
        }

    def clusters(self, span: Range, compare: Compare) -> Request | None:
        """The question about what ran in clusters, as deep as the state says: on the basis that they have."""
        conditions = [name for condition in self._state.conditions for name in condition.names]
        if CLUSTER_COSTS not in self._names or not all(dimension(name).goes_with(CLUSTERS) for name in conditions):
            return None
        within = (("cluster", self._state.cluster), ("namespace", self._state.namespace))
        more = tuple(Condition(name, (value,)) for name, value in within if value is not None)
        (group, *_) = ("cluster", "namespace", "controller")[len(more) :]
        return self.question(span, groups=(group,), compare=compare, top=TOP, basis="", more=more)

    def last_day(self) -> date | None:
        """The newest day of the month that the month's bills have costs of."""
        made = Statement()
        made.sql = f"""
select max(usage_date)
from {self._asked.dialect.table("daily_costs")}
where billing_period = {made.bind(self._state.month)} and usage_date < {made.bind(plus_months(self._state.month, 1))}
"""
        ((day,),) = self._asked.fetch(made)
        return day if isinstance(day, date) else None

    def tag_keys(self) -> list[str]:
        """The keys of the month's tags, those first that most costs have. Of AWS's bills; for who sees all."""
        if not self._served.sees_all or not self._asked.dialect.has("aws_daily_summary"):
            return []
        made = Statement()
        made.sql = f"""
select tags, sum(abs(unblended_cost)) as cost
from {self._asked.dialect.table("aws_daily_summary")}
where billing_period = {made.bind(self._state.month)}
group by tags
order by cost desc
limit {_TAGS_LOOKED_AT}
"""
        weights: dict[str, Decimal] = defaultdict(Decimal)
        for text, cost in self._asked.fetch(made):
            for key in json.loads(text or "{}"):
                weights[key] += cost or 0
        return sorted(weights, key=lambda key: (-weights[key], key))

    def rows(self, name: str, columns: Sequence[str]) -> Rows:
        """A whole mart that has no months; nothing where it is not there, or not everything is shown: it is of all costs."""
        if name not in self._names or not self._served.sees_all:
            return []
        table = self._asked.dialect.table(name.removeprefix("marts."))
        found = self._asked.fetch(Statement(f"select {', '.join(columns)} from {table} order by 1"))
        return [dict(zip(columns, row, strict=True)) for row in found]

    def commitments(self) -> Rows:
        """What the month's commitments came to, by currency."""
        return self._of_month(
            "commitment_costs", ("currency_code", "sum(used_cost)", "sum(unused_cost)"), "group by 1 order by 1",
            ("currency_code", "used_cost", "unused_cost"),
        )  # fmt: skip

    def invoices(self) -> Rows:
        """The month's invoices, each beside the bill."""
        columns = ("source", "invoice_id", "currency_code", "state")
        return self._of_month("invoices", columns, "order by source, invoice_id", columns)

    def _of_month(self, mart: str, selected: Sequence[str], rest: str, names: Sequence[str]) -> Rows:
        if f"marts.{mart}" not in self._names or not self._served.sees_all:
            return []
        made = Statement()
        made.sql = f"""
select {", ".join(selected)}
from {self._asked.dialect.table(mart)}
where billing_period = {made.bind(self._state.month)}
{rest}
"""
        return [dict(zip(names, row, strict=True)) for row in self._asked.fetch(made)]

    def account_names(self, ids: Sequence[str]) -> dict[str, str]:
        """The names of accounts: from the organisation, else from the bill."""
        wanted = [account for account in ids if account]
        if not wanted:
            return {}
        found: dict[str, str] = {}
        of_bill = ("aws_daily_summary", "usage_account_id", "usage_account_name", "billing_period")
        of_organisation = ("aws_accounts", "account_id", "account_name", None)
        for mart, account, name, month in (of_bill, of_organisation):
            if not self._asked.dialect.has(mart):
                continue
            made = Statement()
            marks = ", ".join(made.bind(value) for value in wanted)
            where = f" and {month} = {made.bind(self._state.month)}" if month else ""
            made.sql = f"""
select {account}, max({name})
from {self._asked.dialect.table(mart)}
where {account} in ({marks}){where}
group by 1
"""
            found |= {row[0]: row[1] for row in self._asked.fetch(made) if row[1]}
        return found
