"""A header that names a column twice loses nothing and doubles nothing; blanks in columns of codes say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from cost_lakehouse.formats.table_format import AWS_CUR, FOCUS, OCI_COST, TableFormat
from tests.formats.loading import Loaded, load
from tests.formats.test_parquet_entrance import OCTOBER, loaded

AWS = {
    "bill/PayerAccountId": "111111111111",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-10-05T10:00:00Z",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "1",
}
OCI = {
    "lineItem/tenantId": "ocid1.tenancy.oc1..t",
    "lineItem/intervalUsageStart": "2026-10-05T10:00Z",
    "cost/myCost": "1",
    "cost/currencyCode": "USD",
}
CHARGE = {
    "BilledCost": "1",
    "EffectiveCost": "1",
    "BillingCurrency": "USD",
    "BillingAccountId": "a",
    "ChargePeriodStart": "2026-10-05T10:00:00Z",
    "ProviderName": "AWS",
}


def both(folder: Path, table: TableFormat, base: dict[str, str], second: str, values: Sequence[tuple[str, str]]) -> Loaded:
    """A file with a second column that means the last one of ``base``; values of both, a pair a row."""
    *others, name = base
    header = ",".join([*others, name, second])
    rows = [",".join([*(base[other] for other in others), *pair]) for pair in values]
    month = OCTOBER if table is AWS_CUR else None
    return load(folder, table, "\n".join([header, *rows]).encode(), suffix=".csv", month=month)


@pytest.mark.parametrize("second", ["lineItem/UnblendedCost", "LineItem/unblendedCost", "line_item_unblended_cost"])
def test_an_amount_twice_that_differs_is_refused_naming_both(second: str, tmp_path: Path) -> None:
    result = both(tmp_path, AWS_CUR, AWS, second, [("1", "1.00"), ("1", "3"), ("1", "")])
    (rejected,) = result.files.rejected
    assert str(rejected) == (
        f"1.csv, record 2, column {second}: '3' is not what the other column lineItem/UnblendedCost says, '1': "
        "the header has it twice, as columns 5 and 6"
    )


def test_an_amount_twice_is_counted_once_and_filled_from_both(tmp_path: Path) -> None:
    result = both(tmp_path, AWS_CUR, AWS, "lineItem/UnblendedCost", [("1", "1.0"), ("", "5"), ("2e0", "2")])
    assert result.rows("line_item_unblended_cost") == [(Decimal(1),), (Decimal(5),), (Decimal(2),)]
    assert sum(result.sums("line_item_unblended_cost").values()) == 8


def test_a_moment_twice_in_two_spellings_is_one(tmp_path: Path) -> None:
    base = {name: AWS[name] for name in sorted(AWS, key=lambda name: name == "lineItem/UsageStartDate")}
    same = [("2026-10-05T10:00:00Z", "2026-10-05 10:00:00")]
    assert both(tmp_path, AWS_CUR, base, "lineItem/UsageStartDate", same).files.rejected == []


@pytest.mark.parametrize(
    ("table", "base", "second"),
    [(OCI_COST, OCI, "Cost/CurrencyCode"), (FOCUS, CHARGE, "Provider")],
    ids=["oci", "focus"],
)
def test_other_kinds_of_bills_refuse_too(table: TableFormat, base: dict[str, str], second: str, tmp_path: Path) -> None:
    result = both(tmp_path, table, base, second, [("EUR", "EUR"), ("EUR", "USD")])
    (rejected,) = result.files.rejected
    assert (rejected.record, rejected.column, rejected.value) == (2, second, "USD")


def test_parquet_that_names_an_amount_twice_is_compared_too(tmp_path: Path) -> None:
    twice = {"lineItem/UnblendedCost": pa.array([0.1, 0.3])}
    (rejected,) = loaded(tmp_path, **twice).files.rejected
    assert (rejected.record, rejected.column, rejected.value) == (2, "lineItem/UnblendedCost", "0.3")


@pytest.mark.parametrize("blank", ["   ", "\t", "\N{NO-BREAK SPACE}"])
def test_a_blank_code_is_a_missing_one(blank: str, tmp_path: Path) -> None:
    names = ("line_item_currency_code", "bill_invoice_id", "line_item_line_item_description")
    csv = ",".join([*AWS, "bill/InvoiceId", "lineItem/LineItemDescription"]) + "\n"
    csv += ",".join([*(AWS | {"lineItem/CurrencyCode": blank}).values(), blank, blank])
    assert load(tmp_path / "csv", AWS_CUR, csv.encode(), suffix=".csv", month=OCTOBER).row(*names) == (None, None, blank)

    columns = {"line_item_currency_code": pa.array([blank, "USD"]), "bill_invoice_id": pa.array([blank, blank])}
    result = loaded(tmp_path / "parquet", **columns)
    assert result.rows(*names[:2]) == [(None, None), ("USD", None)]
    assert {group[1] for _, group in result.sums("line_item_unblended_cost")} == {"", "USD"}


def focus(folder: Path, *periods: str) -> Loaded:
    header = ",".join([*CHARGE, "BillingPeriodStart"])
    rows = [",".join([*(CHARGE | {"ChargePeriodStart": "2026-10-04T00:00:00+08:00"}).values(), period]) for period in periods]
    return load(folder, FOCUS, "\n".join([header, *rows]).encode(), suffix=".csv")


@pytest.mark.parametrize(
    ("period", "month", "findings"),
    [
        ("2026-10-01T00:00:00+08:00", date(2026, 10, 1), {"billing period in local time": "+08:00"}),
        ("2026-10-01T00:00:00-0430", date(2026, 10, 1), {"billing period in local time": "-04:30"}),
        ("2026-10-01T00:00:00Z", date(2026, 10, 1), None),
        ("2026-10-01", date(2026, 10, 1), None),
        (
            "2026-09-30T16:00:00Z",
            date(2026, 9, 1),
            {"billing period does not begin with a month": "2026-09-30 16:00"},
        ),
        (
            "2026-10-15T00:00:00+01:00",
            date(2026, 10, 1),
            {
                "billing period in local time": "+01:00",
                "billing period does not begin with a month": "2026-10-15 00:00",
            },
        ),
    ],
)
def test_a_focus_period_is_of_the_month_that_its_own_clock_shows(
    period: str, month: date, findings: dict[str, str] | None, tmp_path: Path
) -> None:
    result = focus(tmp_path, period)
    assert result.months == [month]
    assert result.row("findings") == (findings,)
    assert str(result.row("charge_period_start")[0]) == "2026-10-03 16:00:00"  # charges stay in UTC


def test_periods_of_several_offsets_are_told_apart(tmp_path: Path) -> None:
    result = focus(tmp_path, "2026-10-01T00:00:00+08:00", "2026-10-01T00:00:00Z", "2026-10-01T00:00:00+02:00")
    assert result.months == [OCTOBER]
    told = "billing period in local time"
    assert result.rows("findings") == [({told: "+08:00"},), (None,), ({told: "+02:00"},)]
