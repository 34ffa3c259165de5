"""Which lakehouses have fallen silent of those that push to one place: each by its own rhythm, as the ledgers tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from cost_lakehouse.alerts.incidents import Kind, Recovery, Trouble
from cost_lakehouse.alerts.lateness import Punctuality, duration_text, writers_punctuality
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.alerts.messages import moment
from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import LakehouseSettings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.writers import writers_heard
from cost_lakehouse.sources.lakehouse.source import LakehouseSource
from cost_lakehouse.sources.registry import kind_of

PUSHES = "pushes"
Seen = Trouble | Recovery


def writers_seen(
    settings: Settings, lake: Lake, source: LakehouseSettings, known: Sequence[Receipt], memory: Memory, now: datetime
) -> list[Seen]:
    """Who is late, and who is not (any more). The place is asked where somebody seems to be: perhaps only loads fail."""
    heard, since = writers_heard(lake, source.name, known), memory.sources_since[source.name]
    standings = writers_punctuality(heard, since, source.name, source.kind, settings.alerts.lateness)
    late = {writer for writer, standing in standings.items() if standing.late_by(now) is not None}
    there, cause = _asked(settings, source) if late else ({}, "")
    seen: list[Seen] = []
    for writer in sorted(late):
        newest = there.get(writer, standings[writer].waiting_since)
        standing = replace(standings[writer], last=newest, waiting_since=max(newest, standings[writer].waiting_since))
        if standing.late_by(now) is not None:
            seen.append(_trouble(source, writer, standing, cause or _cause(writer, there), now))
    told = {trouble.part for trouble in seen if isinstance(trouble, Trouble)}
    for incident in memory.open:
        if (incident.kind, incident.what, incident.source) == (Kind.LATE, PUSHES, source.name) and incident.part not in told:
            last = standings[incident.part].last if incident.part in standings else None
            how = f"A push of {moment(last)} is there." if last else "It is not waited for."
            seen.append(Recovery(Kind.LATE, PUSHES, max(now, incident.last), how, source.name, part=incident.part))
    return seen


def _asked(settings: Settings, source: LakehouseSettings) -> tuple[Mapping[str, datetime], str]:
    """When each writer has pushed last; else why that cannot be told."""
    try:
        return LakehouseSource.of(settings, source).newest_pushes(), ""
    except CostLakehouseError as error:
        return {}, error.problem


def _cause(writer: str, there: Mapping[str, datetime]) -> str:
    return "Its manifest can be read, but nothing newer is there." if writer in there else "It has no manifest there any more."


def _trouble(source: LakehouseSettings, writer: str, standing: Punctuality, cause: str, now: datetime) -> Trouble:
    last = standing.last or standing.waiting_since
    usual = (
        f"usually every {duration_text(standing.usual)}" if standing.usual else f"{duration_text(standing.allowed)} are allowed"
    )
    return Trouble(
        kind=Kind.LATE,
        what=PUSHES,
        at=now,
        problem=f"no push for {duration_text(now - last)}, since {moment(last)} ({usual}). {cause}",
        fix=f"{kind_of(source).where_to_look} `alerts.lateness.sources: {{{source.name}/{writer}: off}}` waits for it no more.",
        source=source.name,
        part=writer,
        since=standing.waiting_since,
    )
