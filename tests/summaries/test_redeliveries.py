"""What people see of a month as its bill changes: late refunds, empty bills, a delivery replaced under its own id."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FoundFile
from cost_lakehouse.summaries.publish import PublishedSlice
from cost_lakehouse.summaries.stale import StaleSlice, stale_slices
from tests.builders import Row, Workshop, csv_bytes, line
from tests.summaries.conftest import DbtRunner, rows

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
# Payers by what befalls their bills.
REFUND, EMPTY, SAME, CURRENCIES, REGIONS = "refund", "empty", "same", "currencies", "regions"


def files_of(lake: Lake, table: str, slice_: Slice) -> list[FoundFile]:
    """The files of a slice as they lie in the warehouse."""
    return lake.warehouse.list(lake.data_folder(table, slice_))


def invoiced(cost: str, invoice: str = "INV-1", **changes: str) -> dict[str, str]:
    """A line that AWS has invoiced."""
    return line(UnblendedCost=cost, **{"bill/InvoiceId": invoice}, **changes)


def of_september(row: Row) -> Row:
    """The same line, a month earlier."""
    return {**row, "lineItem/UsageStartDate": "2026-09-05T10:00:00Z", "lineItem/UsageEndDate": "2026-09-05T11:00:00Z"}


def in_region(number: str, code: str, region: str, zone: str, **more: str) -> Row:
    """A line with a place in a legacy header."""
    columns = {"product/regionCode": code, "product/region": region, "product/ProductName": "Amazon EC2"}
    return line(ResourceId=number, AvailabilityZone=zone, **columns, **more)


@dataclass
class Told:
    """Bills that were delivered and summarised twice: what was seen after the first time, and in between."""

    lake: Lake
    first: dict[str, list[tuple[Any, ...]]]
    untouched: list[FoundFile]
    stale: dict[str, list[StaleSlice]]
    published: dict[tuple[str, str], PublishedSlice]

    def status(self, source: str) -> list[tuple[Any, ...]]:
        """What the marts say of a source's bills now."""
        return status(self.lake, source)


def status(lake: Lake, source: str) -> list[tuple[Any, ...]]:
    columns = "billing_period, delivery_id, state, currency_code, billed_cost, invoice_ids"
    return rows(lake, f"select {columns} from marts.bill_status where source = '{source}' order by all")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, dbt: DbtRunner) -> Told:
    """A payer for each story in one lake, so that two builds are enough for all of them."""
    names = (REFUND, EMPTY, SAME, CURRENCIES, REGIONS)
    workshop = Workshop(tmp_path_factory.mktemp("redeliveries"), {name: f"bucket/cur/{name}" for name in names})

    def deliver(source: str, content: list[Row] | bytes, assembly: str, month: date = OCTOBER, **options: bool) -> None:
        mine = [{**row, "bill/PayerAccountId": source} for row in content] if isinstance(content, list) else content
        workshop.write(mine, assembly=assembly, month=month, report=f"cur/{source}")
        workshop.load(source, month, **options)

    deliver(REFUND, [of_september(invoiced("10"))], "sep-1", SEPTEMBER)
    deliver(REFUND, [invoiced("0.1"), line(UnblendedCost="0.2")], "oct-1")
    deliver(EMPTY, [line(UnblendedCost="3")], "first")
    deliver(SAME, [line(UnblendedCost="3")], "same")
    deliver(CURRENCIES, [line(UnblendedCost="3"), line(UnblendedCost="5", CurrencyCode="EUR"), line(UnblendedCost="4")], "once")
    labels = {"resourceTags/user:CostCenter": "7", "costCategory/My Team": "core"}
    places = [
        in_region("1", "eu-west-1", "us-east-1", "us-east-1a", **labels),
        in_region("2", "", "us-east-1", "us-west-2a"),
        in_region("3", "", "", "us-west-2a"),
        in_region("4", "", "", "us-west-2-lax-1a"),
        in_region("5", "", "", ""),
    ]
    deliver(REGIONS, places, "once")
    dbt.summarize(workshop.lake)
    first = {name: status(workshop.lake, name) for name in names}
    untouched = files_of(workshop.lake, "marts.daily_costs", Slice(REFUND, OCTOBER))

    deliver(
        REFUND,
        [of_september(invoiced("10")), of_september(invoiced("-4", "INV-2", LineItemType="Refund"))],
        "sep-2",
        SEPTEMBER,
    )
    deliver(EMPTY, gzip.compress(csv_bytes([], list(line())), mtime=0), "second")
    deliver(SAME, [line(UnblendedCost="5")], "same", force=True)
    stale = {name: [one for one in stale_slices(workshop.lake) if one.source == name] for name in names}
    published = {(item.source, item.table): item for item in dbt.summarize(workshop.lake)}
    return Told(workshop.lake, first, untouched, stale, published)


def test_a_late_refund_corrects_an_invoiced_month_and_leaves_the_other_alone(told: Told) -> None:
    assert told.first[REFUND] == [
        (SEPTEMBER, "sep-1", "invoiced", "USD", Decimal(10), "INV-1"),
        (OCTOBER, "oct-1", "estimated", "USD", Decimal("0.3"), "INV-1"),
    ]
    assert [(stale.slice, stale.delivery_id, stale.published_delivery_id) for stale in told.stale[REFUND]] == [
        (Slice(REFUND, SEPTEMBER), "sep-2", "sep-1")
    ]
    change = told.published[REFUND, "marts.daily_costs"]
    assert (change.billing_period, change.old, change.new) == (SEPTEMBER, {"USD": Decimal(10)}, {"USD": Decimal(6)})
    assert told.status(REFUND)[0] == (SEPTEMBER, "sep-2", "corrected", "USD", Decimal(6), "INV-1, INV-2")
    assert files_of(told.lake, "marts.daily_costs", Slice(REFUND, OCTOBER)) == told.untouched != []


def test_a_bill_that_became_empty_empties_its_marts_and_keeps_its_status(told: Told) -> None:
    change = told.published[EMPTY, "marts.daily_costs"]
    assert (change.rows, change.old) == (0, {"USD": Decimal(3)})
    assert told.status(EMPTY) == [(OCTOBER, "second", "estimated", None, Decimal(0), None)]
    assert rows(told.lake, f"select count(*) from marts.aws_daily_summary where source = '{EMPTY}'") == [(0,)]


def test_a_delivery_loaded_again_under_its_own_id_is_stale_until_it_is_summarised_again(told: Told) -> None:
    assert [stale.published_delivery_id for stale in told.stale[SAME]] == ["same"]
    assert rows(told.lake, f"select sum(billed_cost) from marts.daily_costs where source = '{SAME}'") == [(Decimal(5),)]


def test_what_did_not_change_is_not_built_again(told: Told) -> None:
    assert told.stale[CURRENCIES] == told.stale[REGIONS] == []
    assert {source for source, _ in told.published} == {REFUND, EMPTY, SAME}
    assert stale_slices(told.lake) == []


def test_two_currencies_of_one_bill_stay_apart(told: Told) -> None:
    asked = (
        f"select currency_code, billed_cost, line_item_count from marts.daily_costs where source = '{CURRENCIES}' order by 1"
    )
    assert rows(told.lake, asked) == [("EUR", Decimal(5), 1), ("USD", Decimal(7), 2)]


def test_regions_and_tags_of_legacy_headers(told: Told) -> None:
    found = rows(
        told.lake,
        "select region, availability_zone, tags, cost_categories, product_name "
        f"from marts.aws_daily_summary where source = '{REGIONS}' order by 1 nulls last, 2",
    )
    assert found == [
        ("eu-west-1", "us-east-1a", '{"user_cost_center":"7"}', '{"my_team":"core"}', "Amazon EC2"),
        ("us-east-1", "us-west-2a", "{}", "{}", "Amazon EC2"),
        ("us-west-2", "us-west-2-lax-1a", "{}", "{}", "Amazon EC2"),
        ("us-west-2", "us-west-2a", "{}", "{}", "Amazon EC2"),
        (None, None, "{}", "{}", "Amazon EC2"),
    ]


def test_a_scratch_database_that_was_built_for_other_slices_is_not_published(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line()])
    workshop.load()
    dbt.build(workshop.lake, [])
    with pytest.raises(LakeError, match="was not built for acme 2026-10"):
        dbt.publish(workshop.lake, [Slice("acme", OCTOBER)])
    with pytest.raises(LakeError, match="There is no scratch database"):
        dbt.publish(workshop.lake, [Slice("acme", OCTOBER)], tmp_path / "missing.duckdb")
    assert workshop.lake.table_or_none("marts.bill_status") is None
