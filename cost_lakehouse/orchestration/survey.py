"""What is delivered, compared with what the lake holds: the one look that sensor, schedule and command share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.ingest import SliceHistory, delivery_state, history_of
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import StoredLoad, stored_loads
from cost_lakehouse.lake.increments import Increments, held_increments
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import INCREMENT_TABLES
from cost_lakehouse.orchestration.decisions import Judged, Standing, month_text
from cost_lakehouse.orchestration.survey_focus import survey_focus
from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.sources.delivery import Delivery, Finding, FindingState, Increment, StoredObject
from cost_lakehouse.sources.discovery import discover, discover_focus, discover_reports
from cost_lakehouse.sources.focus import files as focus
from cost_lakehouse.sources.oci.reports import sort_objects


@dataclass(frozen=True)
class Holdings:
    """What the lake holds, read once for many comparisons."""

    receipts: Mapping[Slice, list[Receipt]]  # oldest first
    stored: dict[Slice, StoredLoad]
    increments: Mapping[tuple[str, str], Increments] = field(default_factory=dict)  # by source and raw table

    def history(self, slice_: Slice) -> SliceHistory:
        """What the lake knows of one slice."""
        return history_of(slice_, self.receipts.get(slice_, []), self.stored)


def holdings(lake: Lake) -> Holdings:
    """Read what the lake holds.

    Raises LakeError where it cannot be read.
    """
    known = receipts(lake)
    by_slice: dict[Slice, list[Receipt]] = {}
    for each in known:
        if each.raw_table not in INCREMENT_TABLES:
            by_slice.setdefault(Slice(each.source, each.billing_period), []).append(each)
    return Holdings(by_slice, stored_loads(lake), held_increments(lake, known))


def survey(settings: Settings, source: SourceSettings, held: Holdings, month: date | None = None) -> list[Judged]:
    """Every month of a source (or ``month`` alone), each with how it stands.

    Of a source of increments, every kind of report instead: what is new tells its months only once it is read.
    Raises SourceError where the source cannot be listed.
    """
    if source.kind == "oci_cost_reports":
        return survey_reports(source.name, discover_reports(settings, source), held)
    if source.kind == focus.KIND:
        known = held.increments.get((source.name, focus.TABLE), Increments())
        return survey_focus(source.name, discover_focus(settings, source, month), known, settings.lake.first_month)
    first = settings.lake.first_month
    judged = []
    for finding in discover(settings, source, month):
        if finding.billing_period is not None and finding.billing_period < first:
            judged.append(
                Judged(finding, Standing.EARLY, f"lake.first_month is {month_text(first)}; an earlier one loads this too")
            )
        else:
            judged.append(judge(finding, held))
    return judged


def survey_reports(source: str, listed: Mapping[str, Sequence[StoredObject]], held: Holdings) -> list[Judged]:
    """What of each kind of report is new, is held, or was refused as it lies there. Pure."""
    judged: list[Judged] = []
    for table, objects in listed.items():
        known = held.increments.get((source, table), Increments())
        parts = sort_objects(objects, known.etags, known.refused_objects)
        if parts.new:
            judged.append(_offer(source, table, parts.new, Standing.NEW))
        if parts.loaded:
            judged.append(_offer(source, table, parts.loaded, Standing.CURRENT))
        if parts.refused:
            last = known.refused[-1]
            found = Finding(source, None, FindingState.AVAILABLE, Increment(source, table, parts.refused))
            judged.append(Judged(found, Standing.REFUSED, last.reason, may_pass=not last.rejected))
    return judged or [Judged(Finding(source, None, FindingState.WAITING), Standing.WAITING, "no report is there yet")]


def _offer(source: str, table: str, objects: tuple[StoredObject, ...], standing: Standing) -> Judged:
    return Judged(Finding(source, None, FindingState.AVAILABLE, Increment(source, table, objects)), standing)


def judge(finding: Finding, held: Holdings) -> Judged:
    """How one finding stands against the lake."""
    if finding.state is FindingState.FAILED:
        return Judged(finding, Standing.FAILED, finding.reason)
    delivery = finding.delivery
    if not isinstance(delivery, Delivery) or finding.billing_period is None:
        return Judged(finding, Standing.WAITING, finding.reason)
    history = held.history(Slice(finding.source, finding.billing_period))
    standing = Standing(delivery_state(delivery, history).value)
    if standing is Standing.REFUSED:
        return Judged(finding, standing, history.refused[-1].reason)
    return Judged(finding, standing, finding.reason)
