"""``cost-lakehouse discover``: what is delivered, and how it stands against the lake."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import month_of, settings_of, sources_of
from cost_lakehouse.cli.output import EXIT_FAILED, print_json, print_problem, print_table, say, size
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.holdings import Holdings, holdings
from cost_lakehouse.loading.last_polls import plan_and_note
from cost_lakehouse.loading.plan import Planned
from cost_lakehouse.sources.delivery import Status

_COLUMNS = (
    Column("source"),
    Column("month"),
    Column("delivery", "id", 1),
    Column("files", "number", 3),
    Column("bytes", "number", 4),
    Column("delivered at (UTC)", rank=2),
    Column("state"),
    Column("why", "note"),
)


def show_deliveries(config: Path | None, source: str | None, month_text: str | None, as_json: bool) -> int:
    """Print every delivery that is there; the exit code. A source that cannot be listed does not hide the others."""
    settings = settings_of(config)
    month = month_of(month_text, settings)
    chosen = sources_of(settings, source)
    planned, errors = plan_all(settings, chosen, holdings(Lake(settings)), month)
    failed = bool(errors) or any(candidate.status is Status.FAILED for candidate in planned)
    if as_json:
        print_json([_as_json(item) for item in planned])
    elif planned:
        rows = [_as_row(item) for item in planned]
        print_table(_COLUMNS, rows, elsewhere="`--json` has them.")
        new = sum(candidate.status is Status.NEW for candidate in planned)
        say()
        say(f"{new} new. Load with `cost-lakehouse run`." if new else "Nothing new.")
    elif not errors:
        say("Nothing is delivered yet.")
    for error in errors:
        print_problem(error.problem, error.fix)
    return EXIT_FAILED if failed else 0


def plan_all(
    settings: Settings, chosen: list[SourceSettings], held: Holdings, month: date | None
) -> tuple[list[Planned], list[SourceError]]:
    """Every chosen source's deliveries, and the errors of those that cannot be listed."""
    planned: list[Planned] = []
    errors: list[SourceError] = []
    for source_settings in chosen:
        try:
            planned += plan_and_note(settings, source_settings, held, month)
        except SourceError as error:
            errors.append(error)
    return planned, errors


def _as_row(planned: Planned) -> tuple[Any, ...]:
    delivery = planned.delivery
    if delivery is None:
        return (planned.source, planned.month, "", "", "", "", planned.status, planned.reason)
    delivered_at = f"{delivery.delivered_at:%Y-%m-%d %H:%M:%S}"
    identity = (planned.source, planned.subject, delivery.delivery_id, len(delivery.objects), size(delivery.bytes))
    return (*identity, delivered_at, planned.status, planned.reason)


def _as_json(planned: Planned) -> dict[str, Any]:
    delivery = planned.delivery
    return {
        "source": planned.source,
        "billing_period": planned.finding.billing_period,
        "month": planned.month or None,
        "report": delivery.report_name if delivery else None,
        "delivery_id": delivery.delivery_id if delivery else None,
        "files": len(delivery.objects) if delivery else None,
        "bytes": delivery.bytes if delivery else None,
        "delivered_at": delivery.delivered_at if delivery else None,
        "state": planned.status.value,
        "reason": planned.reason or None,
        "new": planned.status is Status.NEW,
    }
