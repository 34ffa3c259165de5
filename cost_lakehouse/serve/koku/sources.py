"""Koku's sources: how each configured source does, and what was loaded of it month by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.audit.receipts import REFUSED
from cost_lakehouse.loading.last_polls import last_polls
from cost_lakehouse.loading.statuses import SliceStatus, SourceStatus, source_statuses, statuses
from cost_lakehouse.serve.koku.lists import answering, known_only, not_found, page, sent_document
from cost_lakehouse.serve.koku.report import source_id
from cost_lakehouse.serve.replies import utc_text
from cost_lakehouse.serve.served import Handler, Served

KNOWN = ("type", "name", "limit", "offset")
_TYPES = {"aws": "AWS", "oci": "OCI"}
_NUMBERS = {"AWS": "1", "OCI": "7"}


def sources(served: Served, request: Request) -> Response:
    """``/sources/``."""
    pairs = request.query_params.multi_items()
    given = known_only(pairs, KNOWN)
    rows = [
        row
        for row in _rows(served)
        if given.get("type", "").lower() in ("", row["source_type"].lower()) and given.get("name", "").lower() in row["name"]
    ]
    return page(request, pairs, rows)


def one_source(served: Served, request: Request) -> Response:
    """``/sources/{id}/``."""
    known_only(request.query_params.multi_items(), ())
    found = [row for row in _rows(served) if row["uuid"] == request.path_params["id"]]
    return sent_document(request, found[0]) if found else not_found(request)


def source_stats(served: Served, request: Request) -> Response:
    """``/sources/{id}/stats/``: the loads of each month, newest month first."""
    known_only(request.query_params.multi_items(), ())
    names = [row["name"] for row in _rows(served) if row["uuid"] == request.path_params["id"]]
    if not names:
        return not_found(request)
    own = [status for status in statuses(served.lake) if status.slice_.source == names[0]]
    own.sort(key=lambda status: status.slice_.billing_period, reverse=True)
    return sent_document(request, {str(status.slice_.billing_period): _stats(status) for status in own})


def type_of(kind: str) -> str:
    """Koku's type of a source of ours, by its kind. Pure."""
    return _TYPES.get(kind.partition("_")[0], kind.upper())


def _rows(served: Served) -> list[dict[str, Any]]:
    settings, found = served.lake.settings, statuses(served.lake)
    seen = None if served.sees_all else served.sources()
    today = datetime.now(UTC).date()
    return [
        source_row(source, [one for one in found if one.slice_.source == source.source], today)
        for source in source_statuses(settings, last_polls(settings), found)
        if seen is None or source.source in seen
    ]


def source_row(source: SourceStatus, own: Sequence[SliceStatus], today: date) -> dict[str, Any]:
    """A source as Koku tells of one; where it is read from, and how, is not told. Pure."""
    kind = type_of(source.kind)
    loads = sorted(receipt.loaded_at for status in own for receipt in status.held)
    months = {status.slice_.billing_period for status in own if status.held}
    last = _moment(loads[-1] if loads else None)
    month = today.replace(day=1)
    refused = any(status.state == REFUSED for status in own)
    return {
        "id": source_id(source.source),
        "uuid": source_id(source.source),
        "name": source.source,
        "source_type": kind,
        "source_type_id": _NUMBERS.get(kind, "0"),
        "source_ref": source.source,
        "authentication": {},
        "billing_source": {},
        "paused": source.state == "paused",
        "provider_linked": True,
        "active": source.state not in ("paused", "failing"),
        "current_month_data": month in months,
        "previous_month_data": plus_months(month, -1) in months,
        "has_data": bool(months),
        "created_timestamp": _moment(loads[0] if loads else None),
        "updated_timestamp": last,
        "last_payload_received_at": _moment(source.newest_delivery),
        "last_polling_time": _moment(source.looked_at),
        "status": {
            "download": _step(last, source.problem),
            "processing": _step(last, source.problem if refused else ""),
            "summary": {**_step(last, ""), "state": "complete" if all(one.summarized for one in own) else "pending"},
        },
        "infrastructure": "Unknown",
        "cost_models": [],
        "additional_context": {},
    }


def _step(end: str | None, problem: str) -> dict[str, str | None]:
    return {"state": "failed" if problem else "complete" if end else "pending", "start": None, "end": end}


def _stats(status: SliceStatus) -> list[dict[str, Any]]:
    return [
        {
            "assembly_id": receipt.delivery_id,
            "billing_period_start": str(receipt.billing_period),
            "files_processed": f"{receipt.files}/{receipt.files}",
            "process_start_date": None,
            "process_complete_date": _moment(receipt.loaded_at),
            "summary_data_creation_datetime": None,
            "summary_data_updated_datetime": _moment(receipt.loaded_at) if status.summarized else None,
        }
        for receipt in reversed(status.held)
    ]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)


ROUTES: Mapping[str, Handler] = {
    "/sources/": answering(sources),
    "/sources/{id}/": answering(one_source),
    "/sources/{id}/stats/": answering(source_stats),
}
