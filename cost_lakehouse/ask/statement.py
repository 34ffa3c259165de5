"""One question as one SELECT, for DuckDB and Trino: names come from ``dimensions.yaml`` alone, values are bound parameters.

Lines of the marts -> the range, and what it is compared with -> groups -> their places -> the first of them, and Others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cost_lakehouse.ask.clauses import ALWAYS, All, Clause, Compared, Match, Not
from cost_lakehouse.ask.dimensions import APART, DAILY_COSTS, SUMMARIES, Dimension, dimension, measure
from cost_lakehouse.ask.ranges import Shift, before, shift_of
from cost_lakehouse.ask.request import Condition, Granularity, Order, Range, Request

ACCOUNTS = "aws_accounts"


class Dialect(Protocol):
    """What the two engines write differently."""

    keeps_tables: bool
    """Whether a temporary table can be made, for further statements of the same reading."""

    def has(self, mart: str) -> bool:
        """Whether the mart is among what is read: a summary that was never published has no rows, and is left out."""

    def table(self, mart: str) -> str:
        """A mart, to select from."""

    def value_of_key(self, column: str, key: str) -> tuple[str, str]:
        """The value of a key in a column of JSON objects: the SQL with one parameter, and the parameter."""


@dataclass
class Statement:
    """SQL with its parameters, in the order of their question marks."""

    sql: str = ""
    parameters: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        """A question mark that stands for the value. The text it goes into must be written in the order of the calls."""
        self.parameters.append(value)
        return "?"


def marts_of(request: Request) -> tuple[str, ...]:
    """The marts that have what is asked: ``daily_costs`` alone, or the summaries of all providers, or one of ``APART``."""
    if request.apart is not None:
        return (request.apart,)
    is_daily = request.measure.is_daily and all(dimension.is_daily for dimension in request.dimensions)
    return (DAILY_COSTS,) if is_daily else tuple(SUMMARIES)


def tables_of(request: Request) -> tuple[str, ...]:
    """The names of all tables in ``marts`` that the question reads."""
    names = [SUMMARIES.get(mart, mart) for mart in marts_of(request)]
    return (*names, ACCOUNTS) if wants_accounts(request.dimensions) else tuple(names)


def statement_of(request: Request, dialect: Dialect, lines_of: Callable[[Request], str] | None = None) -> Statement:
    """The SELECT. The lines are those of the marts, unless ``lines_of`` has another SELECT of them.

    Columns: bucket, place (null of Others), a column for each group, currency_code (of usage its unit), cost, before,
    line_item_count, groups (how many are in the row), whole and whole_before (what the currency comes to before anything
    is ranked).
    """
    made = Statement()
    groups = [f"d{number}" for number in range(len(request.groups))]
    grouped = "".join(f"{group}, " for group in groups)
    made.sql = f"""
with costs as (
{lines_of(request) if lines_of else lines_sql(request, request.dimension_names, (), dialect, made)}
),
chosen as (
{_chosen(request, grouped, made)}
),
summed as (
    select
        bucket, {grouped}currency_code,
        coalesce(sum(case when period = 0 then cost end), 0) as cost,
        coalesce(sum(case when period = 1 then cost end), 0) as before,
        coalesce(sum(case when period = 0 then line_item_count end), 0) as line_item_count
    from chosen
    group by bucket, {grouped}currency_code
),
totals as (
    select
        summed.*,
        sum(cost) over (partition by {grouped}currency_code) as group_cost,
        sum(before) over (partition by {grouped}currency_code) as group_before,
        sum(cost) over (partition by currency_code) as whole,
        sum(before) over (partition by currency_code) as whole_before
    from summed
),
ranked as (
    select
        totals.*,
        dense_rank() over (partition by currency_code order by {_order(request.order, groups)}) as place
    from totals
),
placed as (
    select
        bucket, currency_code, cost, before, line_item_count, whole, whole_before, place as own_place,
        {"".join(f"{_if_shown(request, group)} as {group}, " for group in groups)}
        {_if_shown(request, "place")} as place
    from ranked
)
select
    bucket, place, {grouped}currency_code,
    sum(cost) as cost,
    sum(before) as before,
    cast(sum(line_item_count) as bigint) as line_item_count,
    count(distinct own_place) as groups,
    max(whole) as whole,
    max(whole_before) as whole_before
from placed
group by bucket, place, {grouped}currency_code
order by currency_code, place nulls last, bucket
"""
    return made


def lines_sql(request: Request, names: Sequence[str], bases: Sequence[str], dialect: Dialect, made: Statement) -> str:
    """The lines of the marts that a question is about, each of these dimensions in a column d0, d1…: null where it is missing
    or empty. The measures are c0, c1…; without ``bases`` the question's own is ``cost``."""
    chosen = tuple(map(dimension, names))
    costs = {f"c{number}": measure(basis) for number, basis in enumerate(bases)} or {"cost": request.measure}
    parts = []
    units = request.measure.units
    for mart in marts_of(request):
        if not dialect.has(SUMMARIES.get(mart, mart)) or (units and mart not in units):
            continue
        columns = [
            f"nullif({dimension_sql(known, mart, dialect, made)}, '') as d{number}" for number, known in enumerate(chosen)
        ]
        columns += [
            "mart.usage_date",
            "mart.billing_period",
            f"nullif(mart.{units[mart]}, '') as currency_code" if units else "mart.currency_code",
        ]
        columns += ["mart.line_item_count"]
        columns += [f"mart.{known.columns[mart]} as {name}" for name, known in costs.items()]
        joined = f"\n{accounts_join(mart, dialect.table(ACCOUNTS))}" if wants_accounts(chosen) else ""
        shown = ",\n        ".join(columns)
        # Lines of usage are told apart by their units: the currency that they are billed in is known here alone.
        billed_in = request.currency if units else None
        kept = f"\n    where mart.currency_code = {made.bind(billed_in)}" if billed_in is not None else ""
        parts.append(f"    select\n        {shown}\n    from {dialect.table(SUMMARIES.get(mart, mart))} as mart{joined}{kept}")
    return "\n    union all\n".join(parts)


# What the summaries call the account that an organisation names.
ACCOUNT_COLUMNS: Mapping[str, Any] = {
    DAILY_COSTS: "account_id",
    **dict.fromkeys(APART, "account_id"),
    "aws": "usage_account_id",
    "oci": "tenant_id",
    "focus": ["sub_account_id", "billing_account_id"],
    "lakehouse": "account_id",
}


def wants_accounts(chosen: Sequence[Dimension]) -> bool:
    """Whether any of these comes from the organisation's names of accounts."""
    return any(dimension.of_account for dimension in chosen)


def accounts_join(mart: str, accounts: str) -> str:
    """Joins a mart's lines with the names that their accounts had on that day; ``accounts`` is the table of these."""
    return (
        f"left join {accounts} as accounts\n"
        f"    on\n        accounts.account_id = {value_sql(ACCOUNT_COLUMNS[mart])}\n"
        "        and mart.usage_date between accounts.valid_from and accounts.valid_to"
    )


def dimension_sql(dimension: Dimension, mart: str, dialect: Dialect, made: Statement) -> str:
    """The dimension's value in a line of a mart, as text."""

    def keyed(column: str) -> str:
        if dimension.key is None:
            return column
        sql, parameter = dialect.value_of_key(column, dimension.key)
        return sql.replace("?", made.bind(parameter))

    found = []
    if dimension.of_account:
        found.append(keyed(f"accounts.{dimension.of_account}"))
    column = dimension.columns.get(mart)
    if column is not None:
        found.append(keyed(value_sql(column)))
    if not found:
        return "cast(null as varchar)"
    return found[0] if len(found) == 1 else f"coalesce(nullif({found[0]}, ''), {found[1]})"


def value_sql(column: Any, of: str = "mart.") -> str:
    """A column of ``dimensions.yaml`` as SQL: a name, the first of several that is not empty, the month of a day, a fixed text,
    the first case that holds, or a flag. ``of`` stands before each name; it may be empty."""
    if isinstance(column, str):
        return f"{of}{column}"
    if isinstance(column, list):
        names = ", ".join(f"nullif({of}{name}, '')" for name in column)
        return f"coalesce({names})"
    if "month" in column:
        return f"substr(cast({of}{column['month']} as varchar), 1, 7)"
    if "text" in column:
        return f"'{column['text']}'"
    if "cases" in column:
        cases = " ".join(f"when {_case(case, of)} then '{case['is']}'" for case in column["cases"])
        return f"case {cases} else '{column['otherwise']}' end"
    return f"case when {of}{column['column']} then '{column['true']}' else '{column['false']}' end"


def _case(case: Mapping[str, Any], of: str) -> str:
    if "like" in case:
        return f"{of}{case['column']} like '{case['like']}'"
    values = ", ".join(f"'{value}'" for value in case["in"])
    return f"{of}{case['column']} in ({values})"


def _chosen(request: Request, grouped: str, made: Statement) -> str:
    """The lines of the range, and once more those of the range that it is compared with, moved to the same buckets."""

    def lines(period: int, asked: Range, shift: Shift) -> str:
        bucket = _bucket(request, shift)
        column = "billing_period" if asked.of_bills else "usage_date"
        kept = [f"{column} >= {made.bind(asked.begin)}", f"{column} < {made.bind(asked.end)}"]
        kept += [condition_sql(condition, request.dimension_names, made) for condition in request.filters]
        kept += [f"not {condition_sql(condition, request.dimension_names, made)}" for condition in request.excludes]
        if request.where != ALWAYS:
            kept.append(clause_sql(request.where, request.dimension_names, made))
        if request.currency is not None and not request.measure.is_usage:
            kept.append(f"currency_code = {made.bind(request.currency)}")
        where = "\n        and ".join(kept)
        return f"""    select {period} as period, {bucket} as bucket, {grouped}currency_code, cost, line_item_count
    from costs
    where {where}"""

    parts = [lines(0, request.range, Shift())]
    if request.compare is not None:
        parts.append(lines(1, before(request.range, request.compare), shift_of(request.range, request.compare)))
    return "\n    union all\n".join(parts)


def _bucket(request: Request, shift: Shift) -> str:
    """The first day of the part that a line belongs to; of what is compared, that of the part which it is compared with."""
    if request.granularity is Granularity.NONE:
        return "cast(null as date)"
    day = "usage_date" if request.granularity is Granularity.DAY or not request.range.of_bills else "billing_period"
    if shift.months:
        day = f"cast({day} + interval '{shift.months}' month as date)"
    if shift.days:
        day = f"cast({day} + interval '{shift.days}' day as date)"
    return day if request.granularity is Granularity.DAY else f"cast(date_trunc('{request.granularity}', {day}) as date)"


def condition_sql(condition: Condition, names: Sequence[str], made: Statement) -> str:
    """Whether it holds of a line whose columns d0, d1… are these dimensions."""
    column = f"d{names.index(condition.name)}"
    if condition.contains:
        parts = [f"strpos(lower(coalesce({column}, '')), lower({made.bind(value)})) > 0" for value in condition.values]
    else:
        parts = [f"coalesce({column}, '') = {made.bind(value)}" for value in condition.values]
    parts += [condition_sql(other, names, made) for other in condition.either]
    return f"({' or '.join(parts)})"


def clause_sql(clause: Clause, names: Sequence[str], made: Statement) -> str:
    """The same of a clause."""
    if isinstance(clause, Not):
        return f"not {clause_sql(clause.clause, names, made)}"
    if not isinstance(clause, Compared):
        word, none = (" and ", "true") if isinstance(clause, All) else (" or ", "false")
        return f"({word.join(clause_sql(inner, names, made) for inner in clause.clauses) or none})"
    value, text = f"coalesce(d{names.index(clause.name)}, '')", clause.text
    if clause.match is Match.PART:
        return f"(strpos({value}, {made.bind(text)}) > 0)"
    if clause.match is Match.START:
        return f"starts_with({value}, {made.bind(text)})"
    if clause.match is Match.END:  # Trino has no function for it
        return f"(length({value}) >= {len(text)} and substr({value}, length({value}) - {len(text) - 1}) = {made.bind(text)})"
    return f"({value} = {made.bind(text)})"


def _order(order: Order, groups: Sequence[str]) -> str:
    """In which order groups stand; their names decide between equals, so that each has a place of its own."""
    amounts = {
        Order.MOST: ["group_cost desc", "group_before desc"],
        Order.LEAST: ["group_cost", "group_before"],
        Order.GREW: ["group_cost - group_before desc"],
        Order.SHRANK: ["group_cost - group_before"],
        Order.NAME: [],
    }
    return ", ".join([*amounts[order], *(f"{group} nulls last" for group in groups)]) or "1"


def _if_shown(request: Request, column: str) -> str:
    return column if request.top is None else f"case when place <= {request.top} then {column} end"
