"""The rules of Oracle Cloud's summaries on rows made by hand, and models that are wrong on purpose."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from tests.builders import csv_bytes
from tests.dbt.building import ask, build, spoiled_project
from tests.oci_builders import Mirror, cost_line

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
SLICES = [Slice("acme-oci", SEPTEMBER), Slice("acme-oci", OCTOBER)]


def test_numbers_worked_out_by_hand(tmp_path: Path) -> None:
    rows = [
        cost_line(cost="1.000000000000000001", quantity="2"),
        cost_line(cost="0.5", quantity="1", start="2026-10-05T23:59Z"),
        cost_line(cost="4", reference="V2.2", start="2026-10-31T23:00:00Z", **{"cost/myCostOverage": "1.5"}),
        cost_line(cost="-1", reference="V2.3", back="V2.2", correction="true", start="2026-10-31T23:00Z"),
        cost_line(cost="0", currency="", quantity="7", start="2026-10-31T23:00Z"),
        # Two currencies: what names none stays without.
        cost_line(cost="0", currency="", tenant="child"),
        cost_line(cost="1", currency="EUR", tenant="child"),
        cost_line(cost="2", currency="USD", tenant="child"),
        cost_line(cost="8", currency="", tenant="third", back="gone", correction="true"),
        cost_line(cost="3", tenant="tags", **{"tags/b": "2", "tags/A.b": "é", r"tags/k8s:io\x y": 'say "x"', "tags/a": ""}),
    ]
    mirror = Mirror(tmp_path)
    mirror.write("0001.csv.gz", rows)
    mirror.write("0001.csv", csv_bytes(rows), written=datetime(2026, 10, 7, tzinfo=UTC))
    mirror.write("0002.csv", b"")
    mirror.load()
    with build(mirror.lake, tmp_path / "build", build_arguments([Slice("acme-oci", OCTOBER)])) as ran:
        assert set(ran.results.values()) <= {"success", "pass", "warn"}, ran.output
        days = ask(
            ran,
            "select day(usage_date), is_correction, currency_code, cost, cost_overage, billed_quantity, line_item_count "
            "from marts.oci_daily_summary where tenant_id = 'ocid1.tenancy.oc1..acme' order by 1, 2",
        )
        others = ask(
            ran,
            "select tenant_id, currency_code, cost, tags from marts.oci_daily_summary "
            "where tenant_id <> 'ocid1.tenancy.oc1..acme' order by 1, 2 nulls first",
        )
        findings = ask(
            ran, "select reason, currency_code, line_item_type, line_item_count, amount from marts.bill_findings order by all"
        )
        status = ask(ran, "select currency_code, billed_cost, state from marts.bill_status order by 1 nulls first")
    assert days == [
        (5, False, "USD", Decimal("1.500000000000000001"), 0, 3, 2),
        (31, False, "USD", 4, Decimal("1.5"), 8, 2),
        (31, True, "USD", -1, 0, 1, 1),
    ]
    ada = '{"Oracle-Tags.CreatedBy":"ada"}'
    assert others == [
        ("child", None, 0, ada),
        ("child", "EUR", 1, ada),
        ("child", "USD", 2, ada),
        ("tags", "USD", 3, r'{"A.b":"é","Oracle-Tags.CreatedBy":"ada","b":"2","k8s:io\\x y":"say \"x\""}'),
        ("third", None, 8, ada),
    ]
    assert findings == [
        ("correction of a row that is not in the bill", None, "Correction", 1, 8),
        ("no currency", None, "Correction", 1, 8),
        ("no currency", None, "Usage", 1, 0),
        ("report repeats another one", None, None, 0, 0),
        ("report without lines", None, None, 0, 0),
    ]
    assert status == [
        (None, 8, "corrected"),
        ("EUR", 1, "corrected"),
        ("USD", Decimal("9.500000000000000001"), "corrected"),
    ]


def test_a_file_that_comes_again_counts_once_and_the_receipts_still_add_up(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    mirror.write("0002.csv.gz", [cost_line(cost="1"), cost_line(cost="2", start="2026-09-30T23:00Z")])
    mirror.load()
    mirror.write("0001.csv.gz", [cost_line(cost="4")])  # sorts before what is there
    mirror.load()
    mirror.write("0002.csv.gz", [cost_line(cost="8")])
    mirror.load()
    with build(mirror.lake, tmp_path / "build", build_arguments(SLICES)) as ran:
        assert set(ran.results.values()) <= {"success", "pass"}, ran.output
        status = ask(ran, "select billing_period, currency_code, billed_cost, state from marts.bill_status order by 1")
        history = ask(
            ran,
            "select billing_period, cost_so_far, line_item_count from intermediate.int_costs__bill_history "
            "order by 1, loaded_at",
        )
    # Nothing is left of September, and the month is still known.
    assert status == [(SEPTEMBER, None, 0, "estimated"), (OCTOBER, "USD", 12, "estimated")]
    assert history == [
        (SEPTEMBER, 2, 1),
        (SEPTEMBER, 0, -1),
        (OCTOBER, 1, 1),
        (OCTOBER, 5, 1),
        (OCTOBER, 12, 0),
    ]


def test_a_model_that_loses_money_and_a_receipt_that_does_not_fit_stop_the_marts(tmp_path: Path) -> None:
    project = spoiled_project(
        tmp_path,
        ("int_oci__costs", "from valued", "from valued where service <> 'NETWORK'"),
        ("int_costs__loads", "where kinds.preference = 1", "where kinds.preference = 1 and all_loads.line_item_count > 1"),
    )
    mirror = Mirror(tmp_path)
    mirror.write("0001.csv.gz", [cost_line(cost="1", **{"product/service": "NETWORK"})])
    mirror.load()
    mirror.write("0002.csv.gz", [cost_line(cost="2"), cost_line(cost="4")])
    mirror.load()
    with build(mirror.lake, tmp_path / "build", build_arguments(SLICES), project) as ran:
        for failing in ("daily_summary_reconciles_to_the_raw_bill", "raw_rows_are_what_the_receipts_say"):
            assert ran.results[failing] == "fail", ran.output
        assert {ran.results[name] for name in ("oci_daily_summary", "daily_costs", "bill_status")} == {"skipped"}
