"""What to generate: a bill (one payer's report over several months) and the deliveries AWS makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sample_bills.faults import PARQUET_IMPOSSIBLE, Fault

FEWEST_ROWS = 150


class FileFormat(StrEnum):
    """How the files of a report are written."""

    CSV_GZIP = "csv-gzip"
    CSV_ZIP = "csv-zip"
    PARQUET = "parquet"  # always snake_case; a legacy report has the Athena layout, and is overwritten


class Report(StrEnum):
    """Which of AWS's bills it is."""

    LEGACY = "legacy"  # Cost and Usage Report
    CUR_2 = "cur-2.0"  # CUR 2.0 by Data Exports


class Versioning(StrEnum):
    """AWS's ReportVersioning: whether a delivery gets a folder of its own or overwrites the one before."""

    CREATE_NEW = "create-new"
    OVERWRITE = "overwrite"


class Headers(StrEnum):
    """The spelling of the header line of CSV files."""

    SLASH = "slash"  # lineItem/UsageAmount, as AWS writes CSV
    SNAKE = "snake"  # line_item_usage_amount, as tools that convert reports write it


class TimeUnit(StrEnum):
    """The report's granularity, here that of the commitments' rows."""

    HOURLY = "hourly"
    DAILY = "daily"
    MONTHLY = "monthly"


def next_month(month: date) -> date:
    """The first day of the month after ``month``."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_from(first: date, last: date) -> tuple[date, ...]:
    """All months from ``first`` to ``last``, both included, as first days."""
    return tuple(_each_month(first.replace(day=1), last.replace(day=1)))


def _each_month(month: date, last: date) -> Iterator[date]:
    while month <= last:
        yield month
        month = next_month(month)


def midnight(day: date) -> datetime:
    """The start of ``day`` in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """One payer's report definition and what the months of its bill hold.

    The same bill gives the same rows in every delivery, apart from line item ids, invoice ids and the faults asked for.
    ``rows`` is the number of rows of each month (exactly, before rows vanish by a fault). Terms of commitments depend on
    ``months``, so generate all deliveries of a bill from one ``Bill``.
    """

    months: tuple[date, ...]
    rows: int = 2_000
    seed: int = 7
    payer_account_id: str = "001234567890"
    currency: str = "USD"
    bucket: str = "acme-billing"
    prefix: str = "cur"  # may be empty
    report_name: str = "hourly-cur"
    file_format: FileFormat = FileFormat.CSV_GZIP
    versioning: Versioning = Versioning.CREATE_NEW
    headers: Headers = Headers.SLASH
    discounts: bool = True  # the payer has discounts: Net* and discount/* columns
    split_costs: bool = True  # split cost allocation for EKS and ECS is on
    coarse_amounts: bool = False  # amounts that doubles hold also in CSV, so that every format gives the same numbers
    report: Report = Report.LEGACY
    # Of CUR 2.0 only:
    left_out: tuple[str, ...] = ()  # columns that the export's query does not select
    period_folder: str = "BILLING_PERIOD"  # as AWS spells it; copies have it in lower case

    def __post_init__(self) -> None:
        if not self.months or self.months != months_from(self.months[0], self.months[-1]):
            raise ValueError(f"months must be consecutive first days of months, not {self.months}")
        if self.rows < FEWEST_ROWS:
            raise ValueError(f"rows must be at least {FEWEST_ROWS} (every line item type is in every month), not {self.rows}")
        athena = self.file_format is FileFormat.PARQUET and self.report is Report.LEGACY
        if athena and self.versioning is not Versioning.OVERWRITE:
            raise ValueError("AWS delivers Parquet for Athena with versioning=Versioning.OVERWRITE only")

    @property
    def time_unit(self) -> TimeUnit:
        """How fine the commitments' rows are: as fine as ``rows`` leaves room for."""
        if self.rows >= 40_000:
            return TimeUnit.HOURLY
        return TimeUnit.DAILY if self.rows >= 2_000 else TimeUnit.MONTHLY

    @property
    def amount_digits(self) -> int:
        """Fractional digits of amounts. A double holds 15 digits, so Parquet bills have coarser amounts."""
        return 3 if self.coarse_amounts or self.file_format is FileFormat.PARQUET else 10

    @property
    def location(self) -> str:
        """Bucket, prefix and report name: the folder to watch, relative to the root the bill is written to."""
        return "/".join(part for part in (self.bucket, self.prefix, self.report_name) if part)


@dataclass(frozen=True, kw_only=True)
class BillDelivery:
    """One delivery of one month of a bill: when it comes, in how many files, and what is wrong with it."""

    month: date
    delivered_at: datetime  # UTC; becomes the files' modification time
    assembly_id: str = ""  # by default delivered_at as 20261106T053621Z
    invoiced: bool = False  # bill/InvoiceId is filled on all rows, not only on purchases
    files: int = 1
    gzip_level: int = 6
    faults: frozenset[Fault] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.delivered_at.tzinfo is None:
            raise ValueError("delivered_at must carry a time zone")
        if self.month.day != 1 or self.files < 1:
            raise ValueError("month must be the first of a month and files at least 1")
        if not self.assembly_id:
            stamp = self.delivered_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
            object.__setattr__(self, "assembly_id", stamp)

    def check_against(self, bill: Bill) -> None:
        """Raise ValueError where this delivery cannot be one of ``bill``."""
        if self.month not in bill.months:
            raise ValueError(f"{self.month} is not a month of the bill {bill.report_name}")
        impossible = self.faults & PARQUET_IMPOSSIBLE if bill.file_format is FileFormat.PARQUET else frozenset()
        if impossible:
            raise ValueError(f"A Parquet delivery cannot have {', '.join(sorted(impossible))}")
        if Fault.OLD_ASSEMBLY in self.faults and bill.versioning is Versioning.OVERWRITE:
            raise ValueError("Overwritten deliveries have no assembly folders, so no old one can lie beside")
        if Fault.UNEVEN_COLUMNS in self.faults and self.files < 2:
            raise ValueError("uneven-columns needs a delivery of at least two files")


def usual_deliveries(bill: Bill, *, files: int = 1, gzip_level: int = 6, last_is_open: bool = True) -> list[BillDelivery]:
    """One delivery a month: on the 5th of the following month, invoiced; the last one on the 1st and still open by default."""
    deliveries = []
    for month in bill.months:
        is_open = last_is_open and month == bill.months[-1]
        delay = timedelta(hours=5, minutes=36, seconds=21) + timedelta(days=0 if is_open else 4)
        deliveries.append(
            BillDelivery(
                month=month,
                delivered_at=midnight(next_month(month)) + delay,
                invoiced=not is_open,
                files=files,
                gzip_level=gzip_level,
            )
        )
    return deliveries
