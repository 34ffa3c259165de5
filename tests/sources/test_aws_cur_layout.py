"""Names of folders and keys, in every spelling that AWS has used."""

from __future__ import annotations

from datetime import date

import pytest

from cost_lakehouse.sources.aws.cur_layout import ReportLocation, month_of, period_of, year_of
from cost_lakehouse.sources.aws.manifest import ManifestError

OCTOBER = date(2026, 10, 1)


@pytest.mark.parametrize("name", ["20261001-20261101", "20261001-20261031"])
def test_only_the_first_date_of_a_period_folder_counts(name: str) -> None:
    assert period_of(name) == OCTOBER


@pytest.mark.parametrize(
    "name", ["20261002-20261101", "20261301-20261401", "2026-10", "20261001", "crawler", "x20261001-20261101"]
)
def test_other_folders_are_no_months(name: str) -> None:
    assert period_of(name) is None


def test_athena_writes_months_without_a_leading_zero_and_copies_may_add_one() -> None:
    assert (year_of("year=2026"), month_of("month=5"), month_of("month=05"), month_of("month=12")) == (2026, 5, 5, 12)
    assert (year_of("years"), month_of("month=13"), month_of("month=0")) == (None, None, None)


@pytest.mark.parametrize(
    ("prefix", "written", "stored"),
    [
        ("cur/hourly", "cur/hourly/20261001-20261101/f.gz", "cur/hourly/20261001-20261101/f.gz"),
        ("cur/hourly", "/cur/hourly/20261001-20261101/f.gz", "cur/hourly/20261001-20261101/f.gz"),
        ("cur/hourly", "cur//hourly/20261001-20261101/f.gz", "cur/hourly/20261001-20261101/f.gz"),
        ("hourly", "/hourly/20261001-20261101/f.gz", "hourly/20261001-20261101/f.gz"),
        ("/hourly", "/hourly/20261001-20261101/f.gz", "/hourly/20261001-20261101/f.gz"),
        ("/hourly", "hourly/20261001-20261101/f.gz", "/hourly/20261001-20261101/f.gz"),
        ("cur//hourly", "cur//hourly/20261001-20261101/f.gz", "cur//hourly/20261001-20261101/f.gz"),
        ("cur/hourly", "cur/hourly/hourly/year=2026/month=10/f.parquet", "cur/hourly/hourly/year=2026/month=10/f.parquet"),
    ],
)
def test_keys_are_found_in_the_location_whatever_their_slashes(prefix: str, written: str, stored: str) -> None:
    assert ReportLocation(prefix).resolve(written, OCTOBER) == stored


@pytest.mark.parametrize("key", ["cur/hourly-2/20261001-20261101/f.gz", "/etc/passwd", "hourly/f.gz", "cur/hourly"])
def test_a_key_outside_of_the_location_is_an_error(key: str) -> None:
    with pytest.raises(ManifestError, match="outside"):
        ReportLocation("cur/hourly").resolve(key, OCTOBER)


def test_a_key_of_another_month_is_an_error() -> None:
    with pytest.raises(ManifestError, match="another month"):
        ReportLocation("cur/hourly").resolve("cur/hourly/20260901-20261001/f.gz", OCTOBER)
