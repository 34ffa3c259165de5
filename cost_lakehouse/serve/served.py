"""The lake that is served: what its routes share, and the threads in which they wait for the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cost_lakehouse.ask.answer import Answer
from cost_lakehouse.ask.asking import answer, newest_month, read_tables
from cost_lakehouse.ask.published import Published, published
from cost_lakehouse.ask.reading import Limits, snapshots_of, tables_of_moment
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.proof.moments import meant_moment
from cost_lakehouse.serve.replies import etag_of, kind_of, refused

AT_ONCE = 4
"""Questions that are answered at the same time: an engine takes all processors for one."""

STATES = "bill_status"


class Served:
    """A lake and the limits of one request. It is read, and never written."""

    def __init__(self, lake: Lake) -> None:
        settings = lake.settings.serve
        self.lake = lake
        self.limits = Limits(settings.timeout_seconds, settings.most_rows)

    def moment(self, text: str | None) -> datetime | None:
        """What ``as_of`` means; None: now. Raises ConfigurationError."""
        return None if text is None else meant_moment(self.lake, text)

    def newest_month(self) -> date:
        """The newest month that has bills; this one where there are none. Raises LakeError."""
        return newest_month(self.lake) or datetime.now(UTC).date().replace(day=1)

    def answer(self, question: Question, as_of: datetime | None = None) -> Answer:
        """What it cost, within the limits. Raises LakeError, TooMuchAsked."""
        return answer(self.lake, question, as_of, self.limits)

    def published(self, mart: str, **equal: Any) -> Published:
        """The rows of a mart whose columns have these values; None: any. Raises LakeError, TooMuchAsked."""
        return published(
            self.lake, mart, {name: value for name, value in equal.items() if value is not None}, None, self.limits
        )

    def currencies(self) -> list[str]:
        """Those that published bills are in. Raises LakeError."""
        return sorted({row["currency_code"] for row in self.published(STATES).rows if row["currency_code"]})

    def usual_currency(self) -> str:
        """USD, which other tools expect, unless no bill is in it: then the first of those there are. Nothing is converted."""
        found = self.currencies()
        return "USD" if not found or "USD" in found else found[0]

    def etag(self, request: Request, tables: Sequence[str], as_of: datetime | None = None) -> str:
        """That of an answer that these tables alone decide: of the question and their snapshots. Raises LakeError."""
        snapshots = snapshots_of(tables_of_moment(self.lake, tables, as_of))
        return etag_of(request.url.path, request.url.query, kind_of(request), sorted(snapshots.items()))

    def etag_of_costs(self, request: Request, question: Question, as_of: datetime | None = None) -> str:
        """That of the answer to a question about costs. Raises LakeError."""
        return self.etag(request, read_tables(question), as_of)


Handler = Callable[[Served, Request], Response]


def route(served: Served, path: str, handler: Handler, limiter: CapacityLimiter, name: str | None = None) -> Route:
    """A route whose handler runs in a thread, since engines keep it waiting; what goes wrong is told as JSON."""

    def guarded(request: Request) -> Response:
        try:
            return handler(served, request)
        except CostLakehouseError as error:
            return refused(error)

    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(guarded, request, limiter=limiter)

    return Route(path, endpoint, methods=["GET"], name=name)
