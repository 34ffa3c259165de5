"""Asks the lake what it cost: one question, one answer, from tables of one moment."""

from __future__ import annotations

from datetime import date

from cost_lakehouse.ask.answer import Answer, Bill, rows_of
from cost_lakehouse.ask.dimensions import ALLOCATED, CLUSTERS, DAILY_COSTS
from cost_lakehouse.ask.reading import NO_LIMITS, Limits, reading, snapshots_of, tables_of_moment
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.statement import Dialect, Statement, statement_of, tables_of
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.invoiced import Moment

_STATES = "bill_status"


def read_tables(request: Request) -> list[str]:
    """The names of all tables that an answer reads, such as ``marts.daily_costs``."""
    beside = (DAILY_COSTS, _STATES) if request.apart == ALLOCATED else (_STATES,)
    return [f"marts.{name}" for name in (*tables_of(request), *beside)]


def answer(lake: Lake, request: Request, as_of: Moment | None = None, limits: Limits = NO_LIMITS) -> Answer:
    """What it cost, on the lake as it is, as it was at a moment (UTC, without zone), or as each month was first invoiced.

    Raises ConfigurationError where teams are asked for and no rules are there; LakeError where the engine does not answer,
    nothing is summarised yet, or the moment's tables are not kept any more;
    TooMuchAsked where the answer would exceed the limits.
    """
    _check_configured(lake, request)
    tables = tables_of_moment(lake, read_tables(request), as_of)
    with reading(lake, tables, limits) as (fetch, dialect):
        if request.apart == ALLOCATED and (late := fetch(_not_shared_out(dialect))):
            raise LakeError(
                f"{late[0][0]} {late[0][1]:%Y-%m} is not shared out among teams as it is published now.",
                "Run `cost-lakehouse allocate`.",
            )
        rows, totals = rows_of(request, fetch(statement_of(request, dialect)))
        bills = tuple(Bill(*row) for row in fetch(_bills_of(request, dialect)))
    return Answer(request, rows, totals, bills, snapshots_of(tables), as_of)


def newest_month(lake: Lake) -> date | None:
    """The month of the newest bill that is published; None where there is none. Raises LakeError."""
    with reading(lake, tables_of_moment(lake, [f"marts.{_STATES}"])) as (fetch, dialect):
        ((month,),) = fetch(Statement(f"select max(billing_period) from {dialect.table(_STATES)}"))
    return month if isinstance(month, date) else None


def _check_configured(lake: Lake, request: Request) -> None:
    """Raises ConfigurationError where what is asked for is never made: an empty answer would be taken for no cost."""
    if request.apart == ALLOCATED and lake.settings.allocations is None:
        raise ConfigurationError(
            "lakehouse.yaml names no rules to share costs out by.", "Write `allocations:`, as docs/allocation.md says."
        )
    if request.apart == CLUSTERS and not lake.settings.clusters:
        raise ConfigurationError("lakehouse.yaml names no clusters.", "Write `clusters:`, as docs/clusters.md says.")


def _not_shared_out(dialect: Dialect) -> Statement:
    """Bills whose shared costs are of another delivery, or not there: an answer by teams would not be the bill."""
    wanted, found = (
        f"select distinct source, billing_period, delivery_id from {dialect.table(mart)}" for mart in (DAILY_COSTS, ALLOCATED)
    )
    return Statement(
        f"select source, billing_period from ({wanted} except {found}) as late order by source, billing_period limit 1"
    )


def _bills_of(request: Request, dialect: Dialect) -> Statement:
    """The published bills of the range's months."""
    made = Statement()
    made.sql = f"""
select source, billing_period, delivery_id, state, max(loaded_at) as loaded_at
from {dialect.table(_STATES)}
where billing_period >= {made.bind(request.range.begin.replace(day=1))} and billing_period < {made.bind(request.range.end)}
group by source, billing_period, delivery_id, state
order by source, billing_period, delivery_id, state
"""
    return made
