"""``cost-lakehouse status``: what the lake holds for each source and month, and what went wrong last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cost_lakehouse.alerts.lateness import duration_text, writers_punctuality
from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED
from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import money, print_json, print_table, print_wrapped, say, size
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import LakehouseSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.loading.last_polls import last_polls
from cost_lakehouse.loading.statuses import SliceStatus, SourceStatus, source_statuses, statuses
from cost_lakehouse.loading.writers import writers_heard

_SOURCES = (
    Column("source"),
    Column("kind", rank=3),
    Column("state"),
    Column("last looked at (UTC)", rank=2),
    Column("newest delivery (UTC)", rank=1),
    Column("last error", "note"),
)
_MONTHS = (
    Column("source"),
    Column("month"),
    Column("delivery", "id", 3),
    Column("files", "number", 4),
    Column("rows", "number", 2),
    Column("bytes", "number", 5),
    Column("cost", "number"),
    Column("loaded at (UTC)", rank=1),
    Column("state"),
    Column("newer delivery"),
)


def show_status(config: Path | None, as_json: bool, exact: bool = False) -> int:
    """Print how everything stands; the exit code (0: showing a failure is no failure)."""
    settings = settings_of(config)
    lake, now = Lake(settings), datetime.now(UTC)
    found, silent = statuses(lake), silent_writers(settings, lake, now)
    sources = [
        replace(one, silent_writers=silent.get(one.source, {}))
        for one in source_statuses(settings, last_polls(settings), found)
    ]
    if as_json:
        by_name = {candidate.source: candidate for candidate in sources}
        idle = [candidate for candidate in sources if candidate.source not in {every.slice_.source for every in found}]
        print_json([*(_as_json(entry, by_name.get(entry.slice_.source)) for entry in found), *map(_idle_as_json, idle)])
        return 0
    if sources:
        refused = {entry.refused.reason for entry in found if entry.refused}
        print_table(_SOURCES, [_as_source_row(candidate, refused) for candidate in sources], elsewhere="`--json` has them.")
        for candidate in sources:
            for writer, pushed_at in candidate.silent_writers.items():
                print_wrapped(f"{candidate.source}: {_silence(writer, pushed_at, now)}")
        say()
    if not found:
        say("Nothing is loaded yet. Load what is delivered with `cost-lakehouse run`.")
        return 0
    print_table(_MONTHS, [_as_row(entry, exact) for entry in found], elsewhere="`--json` has them.")
    for entry in found:
        if entry.refused:
            say()
            print_wrapped(f"{entry.slice_}: delivery {entry.refused.delivery_id} was refused: {entry.refused.reason}")
    return 0


def silent_writers(settings: Settings, lake: Lake, now: datetime) -> dict[str, Mapping[str, datetime]]:
    """Source of many writers -> who is late at ``now``, and when he pushed last (UTC, aware), as the ledgers tell it."""
    found: dict[str, Mapping[str, datetime]] = {}
    shared = [one for one in settings.sources if isinstance(one, LakehouseSettings) and one.is_shared and not one.paused]
    known = receipts(lake) if shared else []
    for source in shared:
        heard = writers_heard(lake, source.name, known)
        standings = writers_punctuality(heard, now, source.name, source.kind, settings.alerts.lateness)
        late = {writer: one.last for writer, one in standings.items() if one.last and one.late_by(now) is not None}
        found[source.name] = dict(sorted(late.items()))
    return found


def _silence(writer: str, pushed_at: datetime, now: datetime) -> str:
    return f"no push of {writer} was loaded for {duration_text(now - pushed_at)}, since {pushed_at:%Y-%m-%d %H:%M} UTC."


def _as_source_row(status: SourceStatus, refused: set[str]) -> tuple[Any, ...]:
    """What was refused stands below with its month."""
    times = (f"{item:%Y-%m-%d %H:%M}" if item else "" for item in (status.looked_at, status.newest_delivery))
    return (
        status.source,
        status.kind,
        status.state,
        *times,
        "refused, see below" if status.problem in refused else status.problem,
    )


def _as_row(status: SliceStatus, exact: bool) -> tuple[Any, ...]:
    shown = status.shown
    numbers: tuple[Any, ...] = ("", "", "", "")
    state = newer = ""
    if status.held:
        numbers = (status.sum("files"), f"{status.sum('rows'):,}", size(status.sum("bytes")), money(status.totals, exact))
        state = ACCEPTED if status.summarized else f"{ACCEPTED}, not summarized"
        state += ", closed" if status.closed else ""
        newer = REFUSED if status.refused else ""
    elif status.refused:
        state = REFUSED
    return (
        status.slice_.source,
        status.slice_.month,
        shown.delivery_id,
        *numbers,
        f"{shown.loaded_at:%Y-%m-%d %H:%M:%S}",
        state,
        newer,
    )


def _as_json(status: SliceStatus, source: SourceStatus | None) -> dict[str, Any]:
    return {
        "source": status.slice_.source,
        "billing_period": status.slice_.billing_period,
        "month": status.slice_.month,
        "delivery_id": status.shown.delivery_id,
        "files": status.sum("files"),
        "rows": status.sum("rows"),
        "bytes": status.sum("bytes"),
        "totals": status.totals,
        "loaded_at": status.held[-1].loaded_at if status.held else None,
        "delivered_at": status.shown.delivered_at,
        "state": status.state,
        "held_state": ACCEPTED if status.held else None,
        "newer_delivery": REFUSED if status.held and status.refused else None,
        "last_error": status.refused.reason if status.refused else None,
        "refused_delivery_id": status.refused.delivery_id if status.refused else None,
        "summarized": status.summarized,
        "closed": status.closed,
        "other_rows": status.others,
        **_source_as_json(source),
    }


def _idle_as_json(source: SourceStatus) -> dict[str, Any]:
    """The row of a source of which no month was ever tried: it has no month, and nothing of one."""
    return {
        "source": source.source,
        "billing_period": None,
        "month": None,
        "delivery_id": None,
        "files": 0,
        "rows": 0,
        "bytes": 0,
        "totals": {},
        "loaded_at": None,
        "delivered_at": None,
        "state": source.state,
        "held_state": None,
        "newer_delivery": None,
        "last_error": source.problem or None,
        "refused_delivery_id": None,
        "summarized": False,
        "closed": False,
        "other_rows": {},
        **_source_as_json(source),
    }


def _source_as_json(source: SourceStatus | None) -> dict[str, Any]:
    """The same in every row of a source; of one that is not configured any more, ``removed``."""
    return {
        "source_state": source.state if source else "removed",
        "source_kind": source.kind if source else None,
        "last_polled_at": source.looked_at if source else None,
        "newest_delivery_at": source.newest_delivery if source else None,
        "source_error": (source.problem or None) if source else None,
        "silent_writers": dict(source.silent_writers) if source else {},
    }
