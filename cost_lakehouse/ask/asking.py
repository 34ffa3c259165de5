"""Asks the lake what it cost: one question, one answer, from tables of one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

from cost_lakehouse.ask.answer import Answer, Bill, rows_of
from cost_lakehouse.ask.converted import by_month, converted
from cost_lakehouse.ask.dimensions import ALLOCATED, CLUSTERS, DAILY_COSTS
from cost_lakehouse.ask.ranges import before
from cost_lakehouse.ask.rates import Rate
from cost_lakehouse.ask.reading import NO_LIMITS, Fetch, Limits, reading, snapshots_of, tables_of_moment
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.shared import Shared
from cost_lakehouse.ask.statement import Dialect, Statement, marts_of, statement_of, tables_of
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.invoiced import Moment
from cost_lakehouse.lake.manifests import Span, file_tasks, is_sliced, slice_of
from cost_lakehouse.lake.table_by_month import ShownTable

_STATES = "bill_status"


def read_tables(request: Request) -> list[str]:
    """The names of all tables that an answer reads, such as ``marts.daily_costs``."""
    beside = (DAILY_COSTS, _STATES) if request.apart == ALLOCATED else (_STATES,)
    return [f"marts.{name}" for name in (*tables_of(request), *beside)]


def answer(lake: Lake, request: Request, as_of: Moment | None = None, limits: Limits = NO_LIMITS) -> Answer:
    """What it cost, on the lake as it is, as it was at a moment (UTC, without zone), or as each month was first invoiced.

    Raises ConfigurationError where teams are asked for and no rules are there, or a rate is missing; LakeError where the
    engine does not answer,
    nothing is summarised yet, or the moment's tables are not kept any more;
    TooMuchAsked where the answer would exceed the limits.
    """
    _check_configured(lake, request)
    # What is shared out is compared with the bills of all months, whichever are asked for.
    spans = spans_of([request]) if request.apart is None else []
    with asking(lake, read_tables(request), spans, as_of, limits) as asked:
        return asked.answer(request)


class Asking:
    """Questions that are answered one after the other, from tables of one moment."""

    def __init__(self, fetch: Fetch, dialect: Dialect, tables: Mapping[str, ShownTable], as_of: Moment | None) -> None:
        self.dialect = dialect
        self.fetch = fetch
        self.snapshots = snapshots_of(tables)
        self._as_of = as_of
        self._shared = 0
        self._bills: dict[tuple[date, date], tuple[Bill, ...]] = {}

    def answer(self, request: Request) -> Answer:
        """The answer to a question whose tables and days are among those that are read."""
        if request.apart == ALLOCATED and (late := self.fetch(_not_shared_out(self.dialect))):
            raise LakeError(
                f"{late[0][0]} {late[0][1]:%Y-%m} is not shared out among teams as it is published now.",
                "Run `cost-lakehouse allocate`.",
            )
        return self._answered(request, statement_of(by_month(request) if request.into else request, self.dialect))

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """The same for several questions: lines that more than one of them is about are read once, where the engine can."""
        plain = [by_month(request) if request.into else request for request in requests]
        found: dict[int, Answer] = {}
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, request in enumerate(requests):
            can_share = self.dialect.keeps_tables and request.apart is None and not request.measure.is_usage
            alike[marts_of(plain[number]) if can_share else (str(number),)].append(number)
        for numbers in alike.values():
            if len(numbers) == 1:
                found[numbers[0]] = self.answer(requests[numbers[0]])
                continue
            self._shared += 1
            shared = Shared(f"shared_lines_{self._shared}", tuple(plain[number] for number in numbers))
            self.fetch(shared.statement(self.dialect))
            shared.check(self.fetch(shared.proof()))
            for number in numbers:
                made = statement_of(plain[number], self.dialect, shared.lines_of)
                found[number] = self._answered(requests[number], made)
        return [found[number] for number in range(len(requests))]

    def _answered(self, request: Request, made: Statement) -> Answer:
        rates: tuple[Rate, ...] = ()
        rows, totals = rows_of(by_month(request) if request.into else request, self.fetch(made))
        if request.into and request.rates:
            rows, totals, rates = converted(request, rows, request.rates)
        names = read_tables(request)
        months = (request.range.begin.replace(day=1), request.range.end)
        if months not in self._bills:
            self._bills[months] = tuple(Bill(*row) for row in self.fetch(_bills_of(request, self.dialect)))
        snapshots = {name: snapshot for name, snapshot in self.snapshots.items() if name in names}
        return Answer(request, rows, totals, self._bills[months], snapshots, self._as_of, rates)


@contextmanager
def asking(
    lake: Lake, names: Sequence[str], spans: Sequence[Span], as_of: Moment | None = None, limits: Limits = NO_LIMITS
) -> Iterator[Asking]:
    """Reads tables by their names, for all questions about days within ``spans`` (none: any). Raises as ``answer``."""
    tables = tables_of_moment(lake, names, as_of)
    with reading(lake, tables, limits, spans) as (fetch, dialect):
        yield Asking(fetch, dialect, tables, as_of)


def spans_of(requests: Sequence[Request]) -> list[Span]:
    """All days that questions ask for, and compare with. Pure."""
    found = []
    for request in requests:
        ranges = [request.range, *([before(request.range, request.compare)] if request.compare else [])]
        found += [Span("billing_period" if asked.of_bills else "usage_date", asked.begin, asked.end) for asked in ranges]
    return list(dict.fromkeys(found))


def newest_month(lake: Lake) -> date | None:
    """The month of the newest bill that is published; None where there is none. Raises LakeError."""
    name = f"marts.{_STATES}"
    table = lake.table_or_none(name)
    tasks = file_tasks(table) if table is not None and is_sliced(table) else []
    if tasks and not any(task.delete_files for task in tasks):  # the files' names say it: none is opened
        return max(slice_of(task.file).billing_period for task in tasks)
    with reading(lake, tables_of_moment(lake, [name])) as (fetch, dialect):
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
