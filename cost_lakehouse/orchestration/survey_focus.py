"""What is delivered as FOCUS, compared with what the lake holds. Pure."""

from __future__ import annotations

from datetime import date

from cost_lakehouse.lake.increments import Increments
from cost_lakehouse.orchestration.decisions import Judged, Standing, month_text
from cost_lakehouse.sources.delivery import Finding, FindingState, Increment
from cost_lakehouse.sources.focus.files import TABLE, FocusFiles
from cost_lakehouse.sources.oci.reports import sort_objects


def survey_focus(source: str, there: FocusFiles, known: Increments, first_month: date) -> list[Judged]:
    """Each month of an export, or what of the files is new, is held, or was refused as it lies there."""
    if there.months:
        return [_of_month(finding, known, first_month) for finding in there.months]
    judged = _of_files(source, there, known)
    if not judged:
        reason = "; ".join(each for each in ("no FOCUS file is there yet", there.note) if each)
        return [Judged(Finding(source, None, FindingState.WAITING, reason=reason), Standing.WAITING, reason)]
    return judged


def _of_month(finding: Finding, known: Increments, first_month: date) -> Judged:
    """How the delivery of one month stands: it is the whole month, or nothing of it is taken."""
    month, delivery = finding.billing_period, finding.delivery
    if finding.state is FindingState.FAILED:
        return Judged(finding, Standing.FAILED, finding.reason)
    if not isinstance(delivery, Increment) or month is None:
        return Judged(finding, Standing.WAITING, finding.reason)
    if month < first_month:
        return Judged(finding, Standing.EARLY, f"lake.first_month is {month_text(first_month)}; an earlier one loads this too")
    there = {each.key: each.etag for each in delivery.objects}
    if known.holds_whole(month, there):
        return Judged(finding, Standing.CURRENT, finding.reason)
    loads = known.of_month(month)
    if loads and delivery.delivered_at < loads[-1].delivered_at:
        return Judged(finding, Standing.OLDER, finding.reason)
    if known.refused_objects.issuperset(there.items()):
        last = [each for each in known.refusals if each.billing_period == month] or list(known.refusals)
        return Judged(finding, Standing.REFUSED, last[-1].reason, may_pass=not last[-1].rejected)
    return Judged(finding, Standing.NEW, finding.reason)


def _of_files(source: str, there: FocusFiles, known: Increments) -> list[Judged]:
    """How the files of a folder stand.

    Where some are gone, those that take their place are loaded together or not at all: a part of them would be a wrong bill.
    """
    parts = sort_objects(there.objects, known.etags, known.refused_objects)
    gone = frozenset(known.objects) - there.keys if there.is_complete else frozenset()
    reason = known.refusals[-1].reason if known.refusals else ""
    may_pass = bool(known.refusals) and not known.refusals[-1].rejected
    judged = []
    if gone and (parts.new or parts.refused):
        # Copies of what is gone, whose lines only the gone one has: they come along.
        copies = [each for each in parts.loaded if known.objects[each.key].repeats in gone]
        objects = tuple(sorted((*parts.new, *parts.refused, *copies), key=lambda each: each.key))
        found = Finding(source, None, FindingState.AVAILABLE, Increment(source, TABLE, objects, gone=gone))
        if parts.new:
            judged.append(Judged(found, Standing.NEW, there.note))
        else:
            judged.append(Judged(found, Standing.REFUSED, reason, may_pass=may_pass))
    else:
        for objects, standing in ((parts.new, Standing.NEW), (parts.refused, Standing.REFUSED)):
            if objects:
                found = Finding(source, None, FindingState.AVAILABLE, Increment(source, TABLE, objects))
                refused = standing is Standing.REFUSED
                judged.append(Judged(found, standing, reason if refused else there.note, may_pass=refused and may_pass))
    if parts.loaded:
        found = Finding(source, None, FindingState.AVAILABLE, Increment(source, TABLE, parts.loaded))
        judged.append(Judged(found, Standing.CURRENT, there.note))
    return judged
