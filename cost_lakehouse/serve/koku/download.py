"""Koku's manual download: loads a month of a source again. The one route that changes anything."""

from __future__ import annotations

from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.config import Settings
from cost_lakehouse.serve.koku.lists import known_only, not_found
from cost_lakehouse.serve.koku.report import source_id
from cost_lakehouse.serve.koku.sources import type_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.parameters import Pairs
from cost_lakehouse.serve.replies import JSON, as_json, problem
from cost_lakehouse.serve.served import Served

_KNOWN = ("provider_uuid", "provider_type", "bill_date", "summarize_reports")


def download(served: Served, request: Request) -> Response:
    """``/download/``: starts a load and answers the id of its Dagster run. Raises NotForRole, WrongParameter.

    It is a GET, as Koku has it: a page of another site's could make a browser send it, and is refused.
    """
    if served.start_load is None:
        return not_found(request)
    served.for_all_alone("Loads")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return problem(
            403, "Another site asked for a load.", "Open the address yourself, or ask with a client that is no browser."
        )
    source, month, summarize = asked(request.query_params.multi_items(), served.lake.settings, datetime.now(UTC).date())
    if request.method == "HEAD":
        return Response(media_type=JSON, headers={"Cache-Control": "no-store"})
    text = as_json({"Download Request Task ID": served.start_load(source, month, summarize)})
    return Response(text, media_type=JSON, headers={"Cache-Control": "no-store"})


def asked(pairs: Pairs, settings: Settings, today: date) -> tuple[str, date, bool]:
    """The source, the month (without ``bill_date``: today's) and whether to summarise. Pure. Raises WrongParameter."""
    given = known_only(pairs, _KNOWN)
    if "provider_uuid" not in given:
        raise WrongParameter("provider_uuid", "This field is required; /sources/ has the ids.")
    found = [source for source in settings.sources if source_id(source.name) == given["provider_uuid"].lower()]
    if not found:
        raise WrongParameter("provider_uuid", "There is no such source; /sources/ has the ids.")
    if found[0].paused:
        raise WrongParameter("provider_uuid", f"Source {found[0].name} is paused.")
    kind = type_of(found[0].kind)
    if given.get("provider_type", kind).upper().removesuffix("-LOCAL") != kind:
        raise WrongParameter("provider_type", f"Source {found[0].name} is of type {kind}.")
    month = _month(given["bill_date"]) if "bill_date" in given else today.replace(day=1)
    if not settings.lake.first_month <= month <= today:
        raise WrongParameter("bill_date", f"Months from {settings.lake.first_month:%Y-%m} to {today:%Y-%m} are loaded.")
    summarize = given.get("summarize_reports", "true").lower()
    if summarize not in ("true", "false"):
        raise WrongParameter("summarize_reports", "Must be true or false.")
    return found[0].name, month, summarize == "true"


def _month(text: str) -> date:
    """Of a day of the month, or of the month: ``2026-10-01``, ``2026-10``."""
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == len("2026-10") else text).replace(day=1)
    except ValueError:
        raise WrongParameter("bill_date", "Not a day: write YYYY-MM-DD.") from None
