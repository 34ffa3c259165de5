"""What is to be loaded: what lies at a source, compared with what the lake holds. Sensor, schedule and command ask here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.lake.loads import Loads
from cost_lakehouse.loading.holdings import Holdings, compared, sort_objects
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
        planned += _of_files(source, table, objects, there, held.of(source, table))
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
    comparison = compared(delivery, held.of(finding.source, delivery.table))
    return Planned(finding, comparison.status, comparison.reason or finding.reason, comparison.may_pass)


def _of_files(source: str, table: str, listed: Sequence[StoredObject], there: Delivered, known: Loads) -> list[Planned]:
    """Where the files of one kind of report stand: a delivery of each standing that some of them have.

    Where some are gone, those that take their place are loaded together or not at all: a part of them would be a wrong bill.
    """
    parts = sort_objects(listed, known)
    groups = [(parts.new, frozenset[str]()), (parts.refused, frozenset[str]())]
    gone = frozenset(known.objects) - there.keys if there.is_complete else frozenset()
    if gone and (parts.new or parts.refused):
        # Copies of what is gone, whose lines only the gone one has, come along.
        copies = [found for found in parts.loaded if known.objects[found.key].repeats in gone]
        together = sorted((*parts.new, *parts.refused, *copies), key=lambda found: found.key)
        groups = [(tuple(together), gone)]
    result = []
    for objects, replaced in [*groups, (parts.loaded, frozenset[str]())]:
        if objects:
            delivery = Delivery.of_files(source, table, objects, replaced)
            comparison = compared(delivery, known)
            found = Finding(source, None, Status.NEW, delivery)
            result.append(Planned(found, comparison.status, comparison.reason or there.note, comparison.may_pass))
    return result


def month_text(month: date) -> str:
    """A month as people and the command line write it: ``YYYY-MM``."""
    return month.strftime("%Y-%m")
