"""The lake that is served: what its routes share, and the threads in which they wait for the engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cost_lakehouse.ask.answer import Answer
from cost_lakehouse.ask.asking import answer, newest_month, read_tables
from cost_lakehouse.ask.clauses import All
from cost_lakehouse.ask.published import Published, published
from cost_lakehouse.ask.rates import Rates, read_rates
from cost_lakehouse.ask.reading import Limits, snapshots_of, tables_of_moment
from cost_lakehouse.ask.request import Condition, Range
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.table_by_month import Version
from cost_lakehouse.proof.moments import meant_moment
from cost_lakehouse.serve.guard import VIEWER
from cost_lakehouse.serve.replies import etag_of, kind_of, refused
from cost_lakehouse.serve.viewer import EVERYBODY, NotForRole, Viewer

AT_ONCE = 4
"""Questions that are answered at the same time: an engine takes all processors for one."""

STATES = "bill_status"
_SETTLED = ("open", "estimated", "corrected", "invoiced")
_EVER = Range(date(1970, 1, 1), date(2200, 1, 1))


StartLoad = Callable[[str, date, bool], str]
"""Starts a load of a source's month, with its summaries or without, and gives the id of the Dagster run that it has."""


class Served:
    """A lake, who asks, and the limits of one request. It is read, and never written.

    Every question goes through here, so that a role's accounts are all that it is answered of.
    """

    def __init__(self, lake: Lake, viewer: Viewer = EVERYBODY, start_load: StartLoad | None = None) -> None:
        settings = lake.settings.serve
        self.lake = lake
        self.viewer = viewer
        self.start_load = start_load
        self.limits = Limits(settings.timeout_seconds, settings.most_rows)

    def of(self, viewer: Viewer) -> Served:
        """The same for somebody else."""
        return Served(self.lake, viewer, self.start_load)

    @property
    def sees_all(self) -> bool:
        """Whether everything is shown."""
        return self.viewer.accounts is None

    def for_all_alone(self, what: str) -> None:
        """Raises NotForRole where not everything is shown: ``what`` cannot be told apart by account."""
        if not self.sees_all:
            raise NotForRole(f"{what} are of whole bills, not of accounts.", "Ask /v1/costs; or ask who sees all accounts.")

    def conditions(self) -> tuple[Condition, ...]:
        """What must hold of every line that is shown, for whoever asks the core itself."""
        return () if self.viewer.accounts is None else (Condition("account", self.viewer.accounts),)

    def moment(self, text: str | None) -> datetime | None:
        """What ``as_of`` means; None: now. Raises ConfigurationError."""
        return None if text is None else meant_moment(self.lake, text)

    def rates(self) -> Rates | None:
        """The table that costs are converted by; None where there is none. Raises ConfigurationError."""
        return read_rates(self.lake.settings)

    def newest_month(self) -> date:
        """The newest month that has bills; this one where there are none. Raises LakeError."""
        return newest_month(self.lake) or datetime.now(UTC).date().replace(day=1)

    def answer(self, question: Question, as_of: datetime | None = None) -> Answer:
        """What it cost, within the limits. Raises LakeError, TooMuchAsked."""
        if self.sees_all:
            return answer(self.lake, question, as_of, self.limits)
        found = answer(self.lake, self.seen(question), as_of, self.limits)
        sources = self.sources()
        return replace(found, request=question, bills=tuple(bill for bill in found.bills if bill.source in sources))

    def sources(self) -> frozenset[str]:
        """Those that have a bill with an account which is shown. Raises LakeError."""
        return frozenset(row.values[0] or "" for row in self._ever("source").rows)

    def published(self, mart: str, **equal: Any) -> Published:
        """The rows of a mart whose columns have these values; None: any. Raises LakeError, TooMuchAsked, NotForRole."""
        self.for_all_alone(f"The rows of marts.{mart}")
        return self._published(mart, equal)

    def _published(self, mart: str, equal: Mapping[str, Any]) -> Published:
        chosen = {name: value for name, value in equal.items() if value is not None}
        return published(self.lake, mart, chosen, None, self.limits)

    def currencies(self) -> list[str]:
        """Those that bills are in. Raises LakeError."""
        return sorted({total.currency_code for total in self._ever().totals if total.currency_code})

    def usual_currency(self) -> str:
        """USD, which other tools expect, unless no bill is in it: then the first of those there are. Nothing is converted."""
        found = self.currencies()
        return "USD" if not found or "USD" in found else found[0]

    def state(self, source: str | None = None, month: date | None = None, months: Collection[date] | None = None) -> str | None:
        """How far the published bills are settled: what the least settled of them is; None where there is none."""
        if f"marts.{STATES}" not in self.lake.table_names():
            return None
        rows = self._published(STATES, {"source": source, "billing_period": month}).rows
        seen = None if self.sees_all else self.sources()
        found = {
            row["state"]
            for row in rows
            if (months is None or row["billing_period"] in months) and (seen is None or row["source"] in seen)
        }
        return least_settled(found)

    def meta(self, tables: Sequence[str], state: str | None, as_of: datetime | None = None) -> dict[str, Any]:
        """What every answer says of itself: when it is of, how far its bills are settled, which snapshots were read."""
        there = set(self.lake.table_names())
        shown = tables_of_moment(self.lake, [name for name in tables if name in there], as_of)
        return {"as_of": as_of, "state": state, "snapshots": snapshot_meta(snapshots_of(shown))}

    def etag(self, request: Request, tables: Sequence[str], as_of: datetime | None = None) -> str:
        """That of an answer which these tables decide: of the question, who asks, and their snapshots. Raises LakeError."""
        snapshots = snapshots_of(tables_of_moment(self.lake, tables, as_of))
        asked = (request.url.path, request.url.query, kind_of(request))
        return etag_of(*asked, self.viewer, sorted(snapshots.items()))

    def etag_of_costs(self, request: Request, question: Question, as_of: datetime | None = None) -> str:
        """That of the answer to a question about costs. Raises LakeError."""
        etag = self.etag(request, read_tables(self.seen(question)), as_of)
        return etag if question.rates is None else etag_of(etag, question.rates.digest)

    def seen(self, question: Question) -> Question:
        """The question, of what is shown alone."""
        return question if self.sees_all else replace(question, where=All((question.where, self.viewer.clause)))

    def _ever(self, *groups: str) -> Answer:
        """Everything that is shown, of all times."""
        return answer(self.lake, self.seen(Question(_EVER, groups=groups)), None, self.limits)


def least_settled(states: Collection[str]) -> str | None:
    """Of the states of bills the one that may change most. Pure."""
    return min(states, key=lambda state: _SETTLED.index(state) if state in _SETTLED else -1, default=None)


def snapshot_meta(snapshots: Mapping[str, Version]) -> dict[str, str | None]:
    """Ids as text: they are larger than what a double holds."""
    return {name: None if snapshot is None else str(snapshot) for name, snapshot in snapshots.items()}


Handler = Callable[[Served, Request], Response]


def route(served: Served, path: str, handler: Handler, limiter: CapacityLimiter, name: str | None = None) -> Route:
    """A route whose handler runs in a thread, since engines keep it waiting; what goes wrong is told as JSON."""

    def guarded(request: Request) -> Response:
        try:
            return handler(served.of(request.scope[VIEWER]), request)
        except CostLakehouseError as error:
            return refused(error)

    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(guarded, request, limiter=limiter)

    return Route(path, endpoint, methods=["GET"], name=name)
