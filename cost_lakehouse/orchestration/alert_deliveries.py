"""Which sources' deliveries are late, as the lake's receipts tell; where one seems to be, the source itself is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cost_lakehouse.alerts.incidents import Kind, Months, Recovery, Severity, Trouble
from cost_lakehouse.alerts.lateness import Arrival, Punctuality, duration_text, punctuality
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.alerts.messages import moment
from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.config.source import LakehouseSettings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ANOMALIES, ANOMALY_COLUMNS, BUDGET_COLUMNS, BUDGETS
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.plan import plan
from cost_lakehouse.orchestration.alert_outlook import outlook_seen
from cost_lakehouse.orchestration.alert_writers import PUSHES, writers_seen
from cost_lakehouse.outlook.marts import stored
from cost_lakehouse.proof.late_corrections import LateCorrection, open_corrections, problem_of
from cost_lakehouse.sources.registry import kind_of
from cost_lakehouse.summaries.gap_findings import listed_gaps

PAUSE = timedelta(minutes=15)  # between two looks at the receipts
# A database or a store that restarts is no trouble that anybody has to be told of.
LAKE_PATIENCE = timedelta(minutes=10)
Seen = Trouble | Recovery
# Of a month, from its first day on: what nobody filled by then stays as it is.
GAP_NEWS = timedelta(days=76)
_SETTLED = {
    Kind.CORRECTION: "It was accepted, or the month was closed or reopened since, or it is old.",
    Kind.GAP: "The days were delivered, or are old.",
}


def is_due(memory: Memory, now: datetime) -> bool:
    """Whether it is time for a look: every few minutes, and at once while the lake cannot be read."""
    last = memory.deliveries_polled_at
    return last is None or memory.lake_unreadable_since is not None or now - last >= PAUSE


def poll_deliveries(
    settings: Settings, memory: Memory, now: datetime, out_of_time: Callable[[], bool] = lambda: False
) -> list[Seen]:
    """What is late, and what is not (any more)."""
    memory.deliveries_polled_at = now
    memory.sources_since = {candidate.name: memory.sources_since.get(candidate.name, now) for candidate in settings.sources}
    try:
        lake = Lake(settings)
        known = receipts(lake)
    except LakeError as error:
        memory.lake_unreadable_since = memory.lake_unreadable_since or now
        if now - memory.lake_unreadable_since < LAKE_PATIENCE:
            return []
        return [Trouble(Kind.LAKE, "lake", now, error.problem, error.fix)]
    memory.lake_unreadable_since = None
    seen: list[Seen] = [Recovery(Kind.LAKE, "lake", now, "The lake can be read.")]
    is_wanted = "late_deliveries" in settings.alerts.events
    for source in settings.sources:
        if source.paused or not is_wanted:
            how = "The source is paused." if source.paused else "Lateness is not told any more."
            seen += [Recovery(Kind.LATE, what, now, how, source=source.name) for what in ("deliveries", PUSHES)]
            continue
        if isinstance(source, LakehouseSettings) and source.is_shared and not out_of_time():
            seen += writers_seen(settings, lake, source, known, memory, now)
        history = [Arrival(item.delivered_at, item.loaded_at) for item in _of(source, known)]
        standing = punctuality(history, memory.sources_since[source.name], source.name, source.kind, settings.alerts.lateness)
        if standing is None or standing.late_by(now) is None:
            how = f"A delivery of {moment(standing.last)} is there." if standing and standing.last else "It is not waited for."
            seen.append(Recovery(Kind.LATE, "deliveries", now, how, source=source.name))
        elif not out_of_time():
            seen += _late(settings, lake, source, standing, now)
    corrections = open_corrections(lake, now.astimezone(UTC).replace(tzinfo=None))
    seen += bills_seen(memory, corrections, listed_gaps(lake, since=(now - GAP_NEWS).date()), now)
    return [*seen, *outlook_seen(memory, stored(lake, ANOMALIES, ANOMALY_COLUMNS), stored(lake, BUDGETS, BUDGET_COLUMNS), now)]


def bills_seen(
    memory: Memory, corrections: Sequence[LateCorrection], gaps: Mapping[Slice, Sequence[str]], now: datetime
) -> list[Seen]:
    """What is odd about bills: months changed after they were invoiced or closed, days without rows; and what is so no more."""
    troubles = [_of_correction(correction, now) for correction in corrections]
    troubles += [_of_gaps(slice_, found, now) for slice_, found in sorted(gaps.items())]
    return [*memory.settled(_SETTLED, troubles, now), *troubles]


def _of_correction(correction: LateCorrection, now: datetime) -> Trouble:
    problem, fix, details = problem_of(correction)
    return Trouble(
        kind=Kind.CORRECTION,
        what="late correction",
        at=now,
        problem=problem,
        fix=fix,
        cause=correction.delivery_id,
        source=correction.source,
        months=Months.one(correction.slice.month),
        by_month=True,
        details=details,
        since=correction.found_at.replace(tzinfo=UTC),
    )


def _of_gaps(slice_: Slice, found: Sequence[str], now: datetime) -> Trouble:
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return Trouble(
        kind=Kind.GAP,
        what="days without rows",
        at=now,
        problem=f"{found[0]}{more}.",
        fix=(
            "Ask whoever runs it whether it was switched off. If not, the export lacks it: look at the settings of the report. "
            "`marts.bill_findings` lists each."
        ),
        source=slice_.source,
        months=Months.one(slice_.month),
        by_month=True,
        severity=Severity.WARNING,
        details=tuple(found),
    )


def _of(source: SourceSettings, known: list[Receipt]) -> list[Receipt]:
    """The receipts that tell when a source delivers; of those that came in several reports, the main one's."""
    own = [receipt for receipt in known if receipt.source == source.name]
    main = [entry for entry in own if entry.raw_table == kind_of(source).punctual_table]
    return main or own


def _late(settings: Settings, lake: Lake, source: SourceSettings, standing: Punctuality, now: datetime) -> list[Seen]:
    """What the source itself says: perhaps it delivers, and only the loads fail, which is told elsewhere."""
    cause, fix, newest = _asked(settings, lake, source)
    if newest is not None and newest > standing.waiting_since:
        how = f"A delivery of {moment(newest)} is there."
        return [Recovery(Kind.LATE, "deliveries", now, how, source=source.name)]
    if standing.last is None:
        problem = f"nothing was ever delivered, {duration_text(now - standing.waiting_since)} after the source was configured"
    else:
        usual = (
            f"usually every {duration_text(standing.usual)}"
            if standing.usual
            else f"{duration_text(standing.allowed)} are allowed"
        )
        problem = f"no delivery for {duration_text(now - standing.last)}, since {moment(standing.last)} ({usual})"
    return [
        Trouble(
            kind=Kind.LATE,
            what="deliveries",
            at=now,
            problem=f"{problem}. {cause}".strip(),
            fix=fix,
            source=source.name,
            since=standing.waiting_since,
        )
    ]


def _asked(settings: Settings, lake: Lake, source: SourceSettings) -> tuple[str, str, datetime | None]:
    """The likely cause and what to do, and when the newest delivery that lies at the source was made."""
    try:
        found = plan(settings, source, holdings(lake))
    except CostLakehouseError as error:
        return error.problem, error.fix, None
    except Exception as error:  # noqa: BLE001 - a defect in asking must not keep lateness from being told
        return f"Asking the source failed with {type(error).__name__}.", "See `cost-lakehouse discover`.", None
    main = kind_of(source).punctual_table
    offers = [entry.delivery for entry in found if entry.delivery is not None]
    offers = [offer for offer in offers if getattr(offer, "table", None) == main] or offers if main else offers
    reasons = list(dict.fromkeys(entry.reason for entry in found if entry.reason))
    if not offers:
        said = f"{source.place} can be listed, but holds no complete delivery{f': {reasons[-1]}' if reasons else ''}."
        return said, "Compare the location with what is set up at the provider; `cost-lakehouse discover` lists it.", None
    fix = kind_of(source).where_to_look
    said = f"{source.place} can be listed, but nothing newer is there."
    return said, fix, max(offer.delivered_at for offer in offers)
