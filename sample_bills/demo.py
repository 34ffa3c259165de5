"""The story that the demo tells: two payers of AWS and a tenancy of Oracle Cloud, redeliveries, late rows, a late refund in a
closed month, and a delivery with a bad number.

Call the five steps in order on the same folder. The same ``today`` gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sample_bills.bills import Bill, BillDelivery, FileFormat, Versioning, midnight
from sample_bills.expected import Expected
from sample_bills.faults import Fault
from sample_bills.oci_bills import OciBill, OciReport
from sample_bills.oci_faults import OciFault
from sample_bills.oci_writing import OciWritten, write_oci
from sample_bills.writing import Written, write_delivery

DEFAULT_TODAY = date(2026, 11, 2)
"""A day to tell the story on: September is closed and invoiced, October is open."""

ROWS = 2_000
OCI_SOURCE = "acme-oci"
_LATE_FILES = 1  # increments after the last month: they hold late rows only
_COMES_AGAIN = 3  # the increment that is delivered twice, counted from the end


@dataclass(frozen=True)
class Step:
    """One step of the story: a sentence to print, what was delivered by source, and whether a loader must refuse it."""

    sentence: str
    deliveries: tuple[tuple[str, Written], ...] = ()  # (source name, delivery)
    increments: tuple[OciWritten, ...] = ()  # of OCI_SOURCE
    refused: bool = False

    @property
    def expected(self) -> Expected:
        """The exact totals of all AWS deliveries of the step together."""
        return Expected.together(written.expected for _, written in self.deliveries)


def demo_months(today: date = DEFAULT_TODAY) -> tuple[date, date]:
    """The closed and the open month of the story: the two full months before ``today``."""
    open_month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    return (open_month - timedelta(days=1)).replace(day=1), open_month


def demo_bills(today: date = DEFAULT_TODAY) -> Mapping[str, Bill]:
    """Source name -> its bill; ``bill.location`` is the source's folder below the root."""
    months = demo_months(today)
    return {
        "acme-payer": Bill(months=months, rows=ROWS, seed=7),
        "globex-payer": Bill(
            months=months,
            rows=ROWS,
            seed=11,
            payer_account_id="000098765432",
            currency="EUR",
            bucket="globex-billing",
            prefix="",
            report_name="globex-cur",
            file_format=FileFormat.PARQUET,
            versioning=Versioning.OVERWRITE,
            discounts=False,
            split_costs=False,
        ),
    }


def demo_oci_bill(today: date = DEFAULT_TODAY) -> OciBill:
    """The tenancy's bill; ``location`` is the source's folder below the root. Oracle makes no usage reports any more."""
    return OciBill(months=demo_months(today), files_a_day=1, rows=40, reports=(OciReport.COST, OciReport.FOCUS))


def first_deliveries(root: Path, today: date = DEFAULT_TODAY) -> Step:
    """All sources deliver both months: AWS's closed one invoiced, the open one not yet; OCI's as they came day by day."""
    closed, _ = demo_months(today)
    delivered = []
    for name, bill in demo_bills(today).items():
        for month in bill.months:
            is_closed = month == closed
            moment = _at(month, days=35) if is_closed else _at(today, days=-1)
            # Never later than the open month's delivery, whatever the length of the months.
            moment = min(moment, _at(today, days=-2)) if is_closed else moment
            files = 2 if bill.file_format is FileFormat.CSV_GZIP else 1
            delivery = BillDelivery(month=month, delivered_at=moment, invoiced=is_closed, files=files)
            delivered.append((name, write_delivery(root, bill, delivery)))
    sentence = (
        f"AWS delivers {closed:%B} (closed and invoiced) and {bill.months[1]:%B} (open) of two payers: "
        "acme-payer in CSV and USD, globex-payer in Parquet and EUR. Oracle Cloud delivers both months of acme-oci, "
        "a file a day."
    )
    oci = demo_oci_bill(today)
    return Step(sentence, tuple(delivered), (write_oci(root, oci, last=len(oci.increments) - 1 - _LATE_FILES),))


def redelivery(root: Path, today: date = DEFAULT_TODAY) -> Step:
    """The open month of acme-payer comes again; some rows changed, some are gone."""
    _, month = demo_months(today)
    faults = frozenset({Fault.CHANGED_ROWS, Fault.VANISHED_ROWS})
    written = _acme(root, today, BillDelivery(month=month, delivered_at=_at(today, hour=9), files=2, faults=faults))
    gone = ROWS - written.expected.rows
    sentence = f"AWS delivers {month:%B} of acme-payer again: some rows have other costs, {gone} rows are gone."
    return Step(sentence, (("acme-payer", written),))


def late_rows(root: Path, today: date = DEFAULT_TODAY) -> Step:
    """Oracle delivers what came late of the open month, and one file of it again, under its old name with other rows."""
    _, month = demo_months(today)
    oci = demo_oci_bill(today)
    count = len(oci.increments)
    again = count - _COMES_AGAIN
    late = write_oci(root, oci, first=count - _LATE_FILES)
    faults = frozenset({OciFault.CHANGED_ROWS, OciFault.VANISHED_ROWS})
    replaced = write_oci(root, oci, first=again, last=again, faults=faults, delivered_at=_at(today, hour=11))
    day = oci.increments[again].start
    sentence = (
        f"Oracle delivers {late.expected.rows} late rows of {month:%B} of acme-oci, and the file of {day:%B} {day.day} again: "
        "same name, some rows have other costs, some are gone."
    )
    return Step(sentence, increments=(late, replaced))


def late_refund(root: Path, today: date = DEFAULT_TODAY) -> Step:
    """The closed month of acme-payer, invoiced long ago, is corrected by one refund."""
    month, _ = demo_months(today)
    delivery = BillDelivery(
        month=month, delivered_at=_at(today, hour=13), invoiced=True, files=2, faults=frozenset({Fault.LATE_REFUND})
    )
    written = _acme(root, today, delivery)
    sentence = f"AWS corrects {month:%B} of acme-payer, a month that was closed: one refund of 18.75 USD more."
    return Step(sentence, (("acme-payer", written),))


def refused(root: Path, today: date = DEFAULT_TODAY) -> Step:
    """The open month of acme-payer comes a third time, with a cost that is no number; it must not replace the good one."""
    _, month = demo_months(today)
    faults = frozenset({Fault.CHANGED_ROWS, Fault.VANISHED_ROWS, Fault.BAD_NUMBER})
    written = _acme(root, today, BillDelivery(month=month, delivered_at=_at(today, hour=18), files=2, faults=faults))
    bad = written.expected.planted[0]
    sentence = f'{month:%B} of acme-payer comes a third time, with "{bad.value}" as a cost: {bad.file}, record {bad.record}.'
    return Step(sentence, (("acme-payer", written),), refused=True)


def _acme(root: Path, today: date, delivery: BillDelivery) -> Written:
    return write_delivery(root, demo_bills(today)["acme-payer"], delivery)


def _at(day: date, *, days: int = 0, hour: int = 5) -> datetime:
    return midnight(day) + timedelta(days=days, hours=hour, minutes=36, seconds=21)
