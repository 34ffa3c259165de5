"""Bills of Oracle Cloud through the real loader and the real dbt: every number was read from the files by another program."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.audit.reconciliation import compared, exclusions
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.publish import publish
from cost_lakehouse.summaries.stale import stale_slices
from sample_bills import OciBill, OciExpected, OciReport, OciWritten, write_oci
from sample_bills.money import EXACT
from tests.dbt.building import Ran, ask, build, marts_of
from tests.dbt.second_rules import differences
from tests.oci_builders import Mirror

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
BILL = OciBill(months=(SEPTEMBER, OCTOBER), files_a_day=1, rows=30, bucket="acme-oci", child_currency="EUR", part_rows=25)
SLICES = [Slice("acme-oci", SEPTEMBER), Slice("acme-oci", OCTOBER)]
MONEY = ("usage/billedQuantity", "usage/billedQuantityOverage", "cost/myCost", "cost/myCostOverage")


class Lakehouse:
    """Two months of reports in a lake, loaded in two goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror = Mirror(folder)
        self.written: list[OciWritten] = []
        for first, last in ((0, 20), (21, None)):
            self.written.append(write_oci(folder, BILL, first=first, last=last))
            self.mirror.load()
        self.expected = OciExpected.together(item.expected for item in self.written)

    def rows(self) -> list[dict[str, str]]:
        """Every row of the cost reports."""
        files = [file for written in self.written for file in written.of(OciReport.COST)]
        texts = [gzip.decompress(file.path.read_bytes()).decode() for file in files]
        return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    return Lakehouse(tmp_path_factory.mktemp("oracle"))


@pytest.fixture(scope="module")
def added(lakehouse: Lakehouse) -> Iterator[Ran]:
    """Corrections are further rows."""
    with build(lakehouse.mirror.lake, lakehouse.folder / "added", build_arguments(SLICES)) as ran:
        yield ran


@pytest.fixture(scope="module")
def replaced(lakehouse: Lakehouse) -> Iterator[Ran]:
    """Corrections replace what they refer to."""
    arguments = build_arguments(SLICES, voiding_sources=["acme-oci"])
    with build(lakehouse.mirror.lake, lakehouse.folder / "replaced", arguments) as ran:
        yield ran


def test_every_model_and_test_ends_well_in_a_lake_without_aws(added: Ran, replaced: Ran) -> None:
    for ran in (added, replaced):
        bad = {name: state for name, state in ran.results.items() if state not in {"success", "pass"}}
        assert bad == {}, ran.output
    assert added.results["daily_summary_reconciles_to_the_raw_bill"] == "pass"
    assert added.results["raw_rows_are_what_the_receipts_say"] == "pass"
    assert ask(added, "select count(*) from marts.aws_daily_summary") == [(0,)]


def test_the_daily_summary_is_what_the_files_say_row_by_row(lakehouse: Lakehouse, added: Ran) -> None:
    currency_of = {BILL.tenant_id: "USD", BILL.child_tenant_id: "EUR"}
    sums: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 5)
    with localcontext(EXACT):
        for row in lakehouse.rows():
            tags = {name[5:]: value for name, value in row.items() if name.startswith("tags/") and value}
            key = (
                date.fromisoformat(row["lineItem/intervalUsageStart"][:10]),
                row["lineItem/tenantId"],
                row["cost/subscriptionId"],
                row["product/compartmentId"],
                row["product/compartmentName"],
                row["product/service"],
                row["cost/productSku"],
                row["product/region"] or None,
                row["product/availabilityDomain"] or None,
                row["product/resourceId"],
                row["cost/skuUnitDescription"],
                row["cost/overageFlag"] == "Y",
                row["lineItem/isCorrection"] == "true",
                # Rows that cost nothing name none; each tenancy has one currency.
                row["cost/currencyCode"] or currency_of[row["lineItem/tenantId"]],
                json.dumps(dict(sorted(tags.items())), ensure_ascii=False, separators=(",", ":")),
            )
            cells = [Decimal(row[name] or 0) for name in MONEY]
            sums[key] = [mine + cell for mine, cell in zip(sums[key], [*cells, Decimal(1)], strict=True)]
    found = ask(
        added,
        "select usage_date, tenant_id, subscription_id, compartment_id, compartment_name, service, product_sku, region, "
        "availability_domain, resource_id, unit, is_overage, is_correction, currency_code, tags, billed_quantity, "
        "billed_quantity_overage, cost, cost_overage, line_item_count from marts.oci_daily_summary",
    )
    assert {row[:15]: list(row[15:]) for row in found} == sums
    assert len(found) == len(sums) > 1_000


@pytest.mark.parametrize("voiding", [False, True])
def test_costs_are_the_generators_by_day_tenancy_and_service(
    lakehouse: Lakehouse, added: Ran, replaced: Ran, voiding: bool
) -> None:
    expected = lakehouse.expected.by("usage_date", "tenant_id", "service", voiding=voiding)
    found = ask(
        replaced if voiding else added,
        "select usage_date, account_id, service, sum(billed_cost), sum(effective_cost) from marts.daily_costs group by all",
    )
    assert {row[:3]: row[3] for row in found} == expected
    assert all(row[3] == row[4] for row in found)
    for month in (SEPTEMBER, OCTOBER):
        totals = dict(
            ask(
                replaced if voiding else added,
                f"select currency_code, billed_cost from marts.bill_status where billing_period = date '{month}'",
            )
        )
        assert totals == lakehouse.expected.total(month, voiding=voiding)


def test_every_metric_of_every_day_is_what_a_second_set_of_rules_says(added: Ran, replaced: Ran) -> None:
    for ran, voiding in ((added, []), (replaced, ["acme-oci"])):
        with ran.built.connect() as connection:
            assert differences(connection, "oci", voiding) == []


def test_usage_and_focus_reports_are_kept_and_added_to_nothing(lakehouse: Lakehouse, added: Ran) -> None:
    ((usage, focus),) = lakehouse.mirror.ask("select (select count(*) from raw.oci_usage), (select count(*) from raw.focus)")
    assert usage > focus == lakehouse.expected.rows
    assert ask(added, "select sum(line_item_count) from marts.daily_costs") == [(lakehouse.expected.rows,)]


def test_a_bill_carries_its_newest_load_and_is_corrected_never_invoiced(lakehouse: Lakehouse, added: Ran) -> None:
    newest = {receipt.billing_period: receipt for receipt in receipts(lakehouse.mirror.lake, raw_table="raw.oci_cost")}
    found = ask(
        added,
        "select billing_period, delivery_id, loaded_at, state, invoice_ids from marts.bill_status where currency_code = 'USD'",
    )
    assert {row[0]: row[1:] for row in found} == {
        month: (item.delivery_id, item.loaded_at.replace(tzinfo=None), "corrected", None) for month, item in newest.items()
    }
    # Other tables' loads do not count.
    assert ask(added, "select billing_period, load_count from intermediate.int_costs__slices order by 1") == [
        (SEPTEMBER, 2),
        (OCTOBER, 1),
    ]
    assert ask(added, "select distinct delivery_id from marts.oci_daily_summary order by 1") == sorted(
        {(delivery.delivery_id,) for delivery in newest.values()}
    )


def test_the_history_grows_load_by_load_to_the_whole_bill(lakehouse: Lakehouse, added: Ran) -> None:
    found = ask(
        added,
        "select billing_period, currency_code, arg_max(cost_so_far, loaded_at), count(*) "
        "from intermediate.int_costs__bill_history where currency_code is not null group by all",
    )
    assert {row[:2]: row[2] for row in found} == {
        (month, currency): cost for month in (SEPTEMBER, OCTOBER) for currency, cost in lakehouse.expected.total(month).items()
    }


def test_what_corrections_replace_is_listed_with_its_cost(lakehouse: Lakehouse, added: Ran, replaced: Ran) -> None:
    assert ask(added, "select * from marts.bill_findings") == []
    found = ask(
        replaced,
        "select reason, sum(line_item_count), sum(amount) from marts.bill_findings group by all",
    )
    groups = lakehouse.expected.groups.values()
    cost = Decimal(sum(group.voided_cost for group in groups)).scaleb(-18, EXACT)
    assert found == [("replaced by a correction", sum(group.voided_rows for group in groups), cost)]


def test_the_comparisons_name_every_metric_and_the_receipts(added: Ran, replaced: Ran) -> None:
    for ran in (added, replaced):
        with ran.built.connect() as connection:
            rows = compared(connection, "oci")
            assert compared(connection, "aws") == []
            assert exclusions(connection) == []
        assert {row.metric for row in rows} == {
            "billed_cost",
            "line_items",
            "receipts: cost_my_cost",
            "receipts: cost_my_cost_overage",
            "receipts: usage_billed_quantity",
            "receipts: usage_billed_quantity_overage",
            "receipts: cost_attributed_cost",
            "receipts: rows",
        }
        assert {row.days_apart for row in rows} == {0}
        assert any(row.expected > 0 for row in rows if row.metric == "receipts: cost_attributed_cost")


def test_published_marts_are_current_until_the_next_load(lakehouse: Lakehouse, added: Ran) -> None:
    lake = lakehouse.mirror.lake
    assert [stale_slice.slice for stale_slice in stale_slices(lake)] == SLICES
    published = {
        (slice_.table, slice_.billing_period): slice_.new for slice_ in publish(lake, added.built, SLICES, marts_of(lake))
    }
    for table in ("marts.oci_daily_summary", "marts.daily_costs", "marts.bill_status"):
        assert published[table, OCTOBER] == lakehouse.expected.total(OCTOBER)
    assert stale_slices(lake) == []
