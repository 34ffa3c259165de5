"""What is delivered, compared with what the lake holds: the one look that sensor, schedule and command share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.ingest import SliceHistory, delivery_state, history_of
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import StoredLoad, stored_loads
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.decisions import Judged, Standing, month_text
from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.sources.delivery import Finding, FindingState
from cost_lakehouse.sources.discovery import discover


@dataclass(frozen=True)
class Holdings:
    """What the lake holds, read once for many comparisons."""

    receipts: Mapping[Slice, list[Receipt]]  # oldest first
    stored: dict[Slice, StoredLoad]

    def history(self, slice_: Slice) -> SliceHistory:
        """What the lake knows of one slice."""
        return history_of(slice_, self.receipts.get(slice_, []), self.stored)


def holdings(lake: Lake) -> Holdings:
    """Read what the lake holds.

    Raises LakeError where it cannot be read.
    """
    by_slice: dict[Slice, list[Receipt]] = {}
    for each in receipts(lake):
        by_slice.setdefault(Slice(each.source, each.billing_period), []).append(each)
    return Holdings(by_slice, stored_loads(lake))


def survey(settings: Settings, source: SourceSettings, held: Holdings, month: date | None = None) -> list[Judged]:
    """Every month of a source (or ``month`` alone), each with how it stands.

    Raises SourceError where the source cannot be listed.
    """
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


def judge(finding: Finding, held: Holdings) -> Judged:
    """How one finding stands against the lake."""
    if finding.state is FindingState.FAILED:
        return Judged(finding, Standing.FAILED, finding.reason)
    delivery = finding.delivery
    if delivery is None or finding.billing_period is None:
        return Judged(finding, Standing.WAITING, finding.reason)
    history = held.history(Slice(finding.source, finding.billing_period))
    standing = Standing(delivery_state(delivery, history).value)
    if standing is Standing.REFUSED:
        return Judged(finding, standing, history.refused[-1].reason)
    return Judged(finding, standing, finding.reason)
