"""Sample bills that several tests read; each is written once."""

from __future__ import annotations

from datetime import date

import pytest

from sample_bills import Bill, FileFormat, Versioning, Written, write_bill

MONTHS = (date(2026, 9, 1), date(2026, 10, 1))


@pytest.fixture(scope="session")
def csv_bill(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    """Two months of a payer with discounts, in two gzip files each."""
    return write_bill(tmp_path_factory.mktemp("csv"), Bill(months=MONTHS, rows=2_000), files=2)


@pytest.fixture(scope="session")
def parquet_bill(tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    """Two months in Athena's layout."""
    bill = Bill(months=MONTHS, rows=2_000, file_format=FileFormat.PARQUET, versioning=Versioning.OVERWRITE, currency="EUR")
    return write_bill(tmp_path_factory.mktemp("parquet"), bill)


@pytest.fixture
def small_bill() -> Bill:
    """One month with as few rows as a month can have."""
    return Bill(months=(date(2026, 10, 1),), rows=150)
