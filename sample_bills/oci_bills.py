"""What to generate for Oracle Cloud: a tenancy's bill over several months, and the increments that its reports come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from sample_bills.bills import midnight, months_from, next_month

LATE_HOURS = 24
"""How much later than the rest a late row comes."""

FEWEST_OCI_ROWS = 10
_FIRST_NUMBER = 1_000_002_420_479
_NUMBER_STEP = 37
# Oracle collects an increment for a while after its last hour of usage.
_COLLECTION = timedelta(hours=2, minutes=13, seconds=8)


class OciReport(StrEnum):
    """The kinds of report; the value is the folder's name as Oracle spells it."""

    COST = "cost-csv"
    USAGE = "usage-csv"
    FOCUS = "FOCUS Reports"


@dataclass(frozen=True)
class Increment:
    """One delivery of a tenancy: the usage from ``start`` to ``end``, with rows that come late. ``index`` counts from 0."""

    index: int
    start: datetime
    end: datetime
    created_at: datetime
    late_only: bool  # after the bill's last month: only what comes late of it

    def name(self, part: int, *, plain: bool = False, early: bool = False) -> str:
        """The file's name; ``early`` gives one that sorts before all others."""
        number = _FIRST_NUMBER + self.index * _NUMBER_STEP - (10_000_000 if early else 0)
        return f"{number:016d}.csv.gz" if plain else f"{number:016d}-{part:05d}.csv.gz"


@dataclass(frozen=True, kw_only=True)
class OciBill:
    """One tenancy's reports. The same bill gives the same bytes in every increment, apart from the faults asked for.

    ``rows`` is the number of rows of a cost file that is no late one. Rows outside ``months`` are never made.
    """

    months: tuple[date, ...]
    files_a_day: int = 4
    rows: int = 40
    seed: int = 7
    tenant_id: str = "ocid1.tenancy.oc1..aaaaaaaaacmeparent"
    child_tenant_id: str = "ocid1.tenancy.oc1..aaaaaaaaacmechild"
    subscription_id: str = "70000001"
    child_subscription_id: str = "70000002"
    currency: str = "USD"
    child_currency: str = "USD"
    bucket: str = "acme-oci-mirror"
    reports: tuple[OciReport, ...] = (OciReport.COST, OciReport.USAGE, OciReport.FOCUS)
    until: datetime | None = None  # no increment is made after it: the last month is an open one then
    part_rows: int = 1_000_000
    plain_names: bool = False  # 0001000002420479.csv.gz, as before parts came up
    gzip_level: int = 6

    def __post_init__(self) -> None:
        if not self.months or self.months != months_from(self.months[0], self.months[-1]):
            raise ValueError(f"months must be consecutive first days of months, not {self.months}")
        if self.rows < FEWEST_OCI_ROWS:
            raise ValueError(f"rows must be at least {FEWEST_OCI_ROWS} (every kind of row is in every file), not {self.rows}")
        if self.files_a_day not in (1, 2, 3, 4, 6, 8, 12, 24):
            raise ValueError(f"files_a_day must divide 24, not {self.files_a_day}")
        if self.plain_names and self.rows > self.part_rows:
            raise ValueError("plain_names leaves no room for a second part")

    @property
    def location(self) -> str:
        """The folder to watch, relative to the root the bill is written to."""
        return f"{self.bucket}/reports"

    @property
    def hours(self) -> int:
        """The hours of usage in an increment."""
        return 24 // self.files_a_day

    @cached_property
    def increments(self) -> tuple[Increment, ...]:
        """Every increment, in the order it comes."""
        found: list[Increment] = []
        moment, last = midnight(self.months[0]), midnight(next_month(self.months[-1]))
        while moment < last + timedelta(hours=LATE_HOURS):
            end = moment + timedelta(hours=self.hours)
            created_at = end + _COLLECTION
            if self.until is None or created_at <= self.until:
                found.append(Increment(len(found), moment, end, created_at, late_only=moment >= last))
            moment = end
        return tuple(found)
