"""What is to be loaded: what lies at a source, compared with what the lake holds. Sensor, schedule and command ask here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.increments import Increments
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holdings import Holdings, delivery_status
from cost_lakehouse.sources.base import Delivered
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import StoredObject


@dataclass(frozen=True)
class Planned:
    """One finding and where it stands. ``reason`` is for people; empty where nothing is to be said.

    ``may_pass`` says of what was refused that it could not be read, which another try may find otherwise.
    """

    finding: Finding
    status: Status
    reason: str = ""
    may_pass: bool = False

    @property
    def source(self) -> str:
        """The source's name."""
        return self.finding.source

    @property
    def month(self) -> str:
        """The billing period as ``YYYY-MM``, or empty where the whole source is meant."""
        return month_text(self.finding.billing_period) if self.finding.billing_period else ""

    @property
    def delivery(self) -> Delivery | None:
        """The delivery that was found, if one is complete."""
        return self.finding.delivery

    @property
    def subject(self) -> str:
        """What the finding is about beside its source: a month, or a kind of report whose months are not known yet."""
        return self.month or (self.delivery.report_name if self.delivery else "")

    @property
    def label(self) -> str:
        """Source and month for people."""
        return f"{self.source} {self.subject}".strip()


@dataclass(frozen=True)
class Sorted:
    """What is listed of one kind of report, against what the lake knows."""

    new: tuple[StoredObject, ...]
    refused: tuple[StoredObject, ...]
    loaded: tuple[StoredObject, ...]


def plan(settings: Settings, source: SourceSettings, held: Holdings, month: date | None = None) -> list[Planned]:
    """Every month of a source (or ``month`` alone), each with where it stands.

    Of files that add to a bill, every kind of report instead: what is new tells its months only once it is read.
    Raises SourceError where the source cannot be listed.
    """
    return plan_delivered(source.name, open_source(settings, source).list_deliveries(month), held, settings.lake.first_month)


def plan_recent(settings: Settings, source: SourceSettings, held: Holdings, today: date) -> list[Planned]:
    """The same of this month and the last one only, where months can be told apart: what changes day by day.

    A month that nothing is delivered of, yet or any more, is left out. Raises SourceError where the source cannot be listed.
    """
    opened = open_source(settings, source)
    this = today.replace(day=1)
    planned: list[Planned] = []
    for month in ((this - timedelta(days=1)).replace(day=1), this):
        there = opened.list_deliveries(month)
        planned += plan_delivered(source.name, there, held, settings.lake.first_month)
        if not there.months:
            break  # files without months are listed whole
    return [candidate for candidate in planned if candidate.status is not Status.WAITING]


def plan_delivered(source: str, there: Delivered, held: Holdings, first_month: date) -> list[Planned]:
    """Where each month stands that is delivered whole, or what of the files is new, is held, or was refused. Pure."""
    if there.months:
        return [_of_month(finding, held, first_month) for finding in there.months]
    planned = []
    for table, objects in there.files.items():
        planned += _of_files(source, table, objects, there, held.increments.get((source, table), Increments()))
    if planned:
        return planned
    reason = "; ".join(said for said in (there.nothing, there.note) if said)
    return [Planned(Finding(source, None, Status.WAITING, reason=reason), Status.WAITING, reason)]


def _of_month(finding: Finding, held: Holdings, first_month: date) -> Planned:
    month, delivery = finding.billing_period, finding.delivery
    if month is not None and month < first_month:
        return Planned(finding, Status.EARLY, f"lake.first_month is {month_text(first_month)}; an earlier one loads this too")
    if finding.status is Status.FAILED:
        return Planned(finding, Status.FAILED, finding.reason)
    if delivery is None or month is None:
        return Planned(finding, Status.WAITING, finding.reason)
    if FORMATS[delivery.table].adds_up:
        return _of_files_of_month(finding, delivery, month, held.increments.get((finding.source, delivery.table), Increments()))
    history = held.history(Slice(finding.source, month))
    status = delivery_status(delivery, history)
    return Planned(finding, status, history.refused[-1].reason if status is Status.REFUSED else finding.reason)


def _of_files_of_month(finding: Finding, delivery: Delivery, month: date, known: Increments) -> Planned:
    """Where files stand that are one whole month together, or nothing of them is taken."""
    there = {found.key: found.etag for found in delivery.objects}
    if known.holds_whole(month, there):
        return Planned(finding, Status.CURRENT, finding.reason)
    loads = known.of_month(month)
    if loads and delivery.delivered_at < loads[-1].delivered_at:
        return Planned(finding, Status.OLDER, finding.reason)
    if known.refused_objects.issuperset(there.items()):
        last = [receipt for receipt in known.refusals if receipt.billing_period == month] or list(known.refusals)
        return Planned(finding, Status.REFUSED, last[-1].reason, may_pass=not last[-1].rejected)
    return Planned(finding, Status.NEW, finding.reason)


def _of_files(source: str, table: str, listed: Sequence[StoredObject], there: Delivered, known: Increments) -> list[Planned]:
    """Where the files of one kind of report stand.

    Where some are gone, those that take their place are loaded together or not at all: a part of them would be a wrong bill.
    """

    def planned(objects: Sequence[StoredObject], status: Status, gone: frozenset[str] = frozenset()) -> Planned:
        found = Finding(source, None, Status.NEW, Delivery.of_files(source, table, tuple(objects), gone))
        if status is Status.REFUSED and known.refusals:
            return Planned(found, status, known.refusals[-1].reason, may_pass=not known.refusals[-1].rejected)
        return Planned(found, status, there.note)

    parts = sort_objects(listed, known.etags, known.refused_objects)
    gone = frozenset(known.objects) - there.keys if there.is_complete else frozenset()
    result = []
    if gone and (parts.new or parts.refused):
        # Copies of what is gone, whose lines only the gone one has, come along.
        copies = [found for found in parts.loaded if known.objects[found.key].repeats in gone]
        together = sorted((*parts.new, *parts.refused, *copies), key=lambda found: found.key)
        result.append(planned(together, Status.NEW if parts.new else Status.REFUSED, gone))
    else:
        for objects, status in ((parts.new, Status.NEW), (parts.refused, Status.REFUSED)):
            if objects:
                result.append(planned(objects, status))
    if parts.loaded:
        result.append(planned(parts.loaded, Status.CURRENT))
    return result


def sort_objects(listed: Sequence[StoredObject], loaded: Mapping[str, str], refused: Iterable[tuple[str, str]] = ()) -> Sorted:
    """What is new, what was refused as it lies there, and what the lake holds; ``loaded`` maps a key to its etag. Pure.

    The whole set counts, not the last name: new names may sort before old ones. An object with another etag is new.
    """
    known_refused = set(refused)
    parts: tuple[list[StoredObject], list[StoredObject], list[StoredObject]] = ([], [], [])
    for stored_object in listed:
        if loaded.get(stored_object.key) == stored_object.etag:
            parts[2].append(stored_object)
        elif (stored_object.key, stored_object.etag) in known_refused:
            parts[1].append(stored_object)
        else:
            parts[0].append(stored_object)
    new, bad, held = (tuple(part) for part in parts)
    return Sorted(new, bad, held)


def month_text(month: date) -> str:
    """A month as people and the command line write it: ``YYYY-MM``."""
    return month.strftime("%Y-%m")
