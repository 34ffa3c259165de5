"""Which bills a question is about: their months, and whether a source's may be among them. Pure."""

from __future__ import annotations

from datetime import date

from cost_lakehouse.ask.ranges import before, plus_months
from cost_lakehouse.ask.request import Condition, Request


def months_of(request: Request) -> tuple[date, ...]:
    """The months of the range, and of what it is compared with, as first days."""
    ranges = [request.range, *([before(request.range, request.compare)] if request.compare is not None else [])]
    firsts = {plus_months(asked.begin.replace(day=1), number) for asked in ranges for number in range(asked.months)}
    return tuple(sorted(firsts))


def may_be_of(request: Request, source: str) -> bool:
    """Whether a line of that source may be in the answer, by what is asked of sources alone."""
    kept = all(_may_hold(condition, source) for condition in request.filters)
    return kept and not any(condition.name == "source" and _holds(condition, source) for condition in request.excludes)


def _may_hold(condition: Condition, source: str) -> bool:
    return condition.name != "source" or _holds(condition, source) or bool(condition.either)


def _holds(condition: Condition, source: str) -> bool:
    if condition.contains:
        return any(value.casefold() in source.casefold() for value in condition.values)
    return source in condition.values
