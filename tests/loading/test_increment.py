"""New files of a bill in increments: rows of the months they touch by one commit, proven, replaced and never doubled."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest

from cost_lakehouse.errors import DeliveryFailed, DeliveryRefused
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading import load as loading_load
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.summaries.stale import stale_slices
from tests.builders import csv_bytes
from tests.oci_builders import Mirror, cost_line

COSTS = "select billing_period::varchar, sum(cost_my_cost) from raw.oci_cost group by all order by all"
SUMS = (
    "select billing_period::varchar, sum(stored), sum(line_items)::int from raw.control_totals "
    "where raw_table = 'raw.oci_cost' and metric = 'cost_my_cost' group by all order by all"
)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


def test_each_row_goes_into_the_month_in_which_its_usage_began_by_one_commit(mirror: Mirror) -> None:
    mirror.write(
        "0001-00001.csv.gz",
        [
            cost_line(cost="0.1", start="2026-09-30T23:00Z"),
            cost_line(cost="0.2", start="2026-10-01T00:00:00Z"),
            cost_line(cost="0.000000000000000001"),
        ],
    )

    (result,) = mirror.load()

    assert result.status is Status.LOADED
    assert [(receipt.billing_period, receipt.files, receipt.rows) for receipt in result.receipts] == [
        (date(2026, 9, 1), 1, 1),
        (date(2026, 10, 1), 1, 2),
    ]
    assert mirror.ask(COSTS) == [("2026-09-01", Decimal("0.1")), ("2026-10-01", Decimal("0.200000000000000001"))]
    assert result.totals[date(2026, 10, 1)] == {"USD": Decimal("0.200000000000000001")}
    assert len(mirror.lake.table("raw.oci_cost").metadata.snapshots) == 1


def test_only_new_files_are_read_and_a_second_look_changes_nothing(mirror: Mirror) -> None:
    mirror.write("0002-00001.csv.gz", [cost_line(cost="1")])
    mirror.load()
    # A new name may sort before all old ones, and a large file comes in parts.
    mirror.write("0001-00001.csv.gz", [cost_line(cost="2")])
    mirror.write("0001-00002.csv.gz", [cost_line(cost="4")])

    (increment,) = mirror.offers(Status.NEW)
    assert [stored_object.name for stored_object in increment.objects] == ["0001-00001.csv.gz", "0001-00002.csv.gz"]
    mirror.load()

    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("7"))]
    assert mirror.load() == []
    assert mirror.ask("select files, rows from raw.receipts order by loaded_at") == [(1, 1), (2, 2)]
    assert mirror.ask(SUMS) == [("2026-10-01", Decimal("7"), 3)]


def test_a_file_of_the_same_name_with_another_content_replaces_its_own_rows_only(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1", start="2026-09-30T01:00Z"), cost_line(cost="2")])
    mirror.write("0002-00001.csv.gz", [cost_line(cost="10")])
    mirror.load()
    mirror.write("0001-00001.csv.gz", [cost_line(cost="3"), cost_line(cost="4")], written=datetime(2026, 10, 7, tzinfo=UTC))

    (result,) = mirror.load()

    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("17"))]
    assert mirror.ask("select file_name, cost_my_cost::int from raw.oci_cost order by all") == [
        ("reports/cost-csv/0001-00001.csv.gz", 3),
        ("reports/cost-csv/0001-00001.csv.gz", 4),
        ("reports/cost-csv/0002-00001.csv.gz", 10),
    ]
    # What was taken out is on the receipts: the sum of all of a month's is what the lake holds of it.
    assert [(receipt.billing_period.month, receipt.files, receipt.rows) for receipt in result.receipts] == [
        (9, -1, -1),
        (10, 0, 1),
    ]
    assert mirror.ask(
        "select billing_period::varchar, sum(files)::int, sum(rows)::int from raw.receipts group by 1 order by 1"
    ) == [
        ("2026-09-01", 0, 0),
        ("2026-10-01", 2, 3),
    ]
    assert mirror.ask(SUMS) == [("2026-09-01", Decimal("0"), 0), ("2026-10-01", Decimal("17"), 3)]
    assert mirror.load() == []


def test_a_forced_load_of_everything_doubles_nothing(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1"), cost_line(cost="2", start="2026-09-01T00:00Z")])
    mirror.write("0002-00001.csv.gz", [cost_line(cost="4")])
    mirror.load()

    (result,) = mirror.load(standing=Status.CURRENT)

    assert result.status is Status.LOADED
    assert mirror.ask(COSTS) == [("2026-09-01", Decimal("2")), ("2026-10-01", Decimal("5"))]
    assert mirror.ask(SUMS) == [("2026-09-01", Decimal("2"), 1), ("2026-10-01", Decimal("5"), 2)]


def test_as_many_files_as_two_months_bring_are_one_load(mirror: Mirror) -> None:
    """More files than a byte can count: their names are written as codes."""
    for number in range(130):
        mirror.write(f"{number:04}.csv.gz", [cost_line(cost="0.01", reference=f"V{number}")])
    mirror.load()
    assert mirror.ask("select count(*), count(distinct file_name), sum(cost_my_cost) from raw.oci_cost") == [
        (130, 130, Decimal("1.30"))
    ]


def test_a_file_that_vanishes_changes_nothing(mirror: Mirror) -> None:
    path = mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    mirror.write("0002-00001.csv.gz", [cost_line(cost="2")])
    mirror.load()
    path.unlink()  # Oracle deletes reports after a year

    assert mirror.load() == []
    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("3"))]


def test_a_bad_number_refuses_its_load_whole_and_the_next_one_goes_on_without_that_file(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    mirror.load()
    mirror.write("0002-00001.csv.gz", [cost_line(cost="2")])
    mirror.write("0003-00001.csv.gz", [cost_line(cost="4"), cost_line(cost="4,50")])

    with pytest.raises(DeliveryRefused, match=r"0003-00001.csv.gz, record 2, column cost/myCost: '4,50' is not a number"):
        mirror.load()

    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("1"))]
    assert [(offer.objects[0].name, len(offer.objects)) for offer in mirror.offers(Status.REFUSED)] == [
        ("0003-00001.csv.gz", 1)
    ]
    assert [stored_object.name for stored_object in mirror.offers(Status.NEW)[0].objects] == ["0002-00001.csv.gz"]
    mirror.load()
    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("3"))]
    # The file is repaired: it is another one now, and no refusal stands any more.
    mirror.write("0003-00001.csv.gz", [cost_line(cost="4"), cost_line(cost="4.50")])
    mirror.load()
    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("11.5"))]
    assert mirror.offers(Status.REFUSED) == []
    assert mirror.planned()[0].status is Status.CURRENT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(csv_bytes([cost_line()]), mtime=0)[:-9], "0001-00001.csv.gz"),
        (
            gzip.compress(b"lineItem/referenceNo,usage/consumedQuantity\n1,2\n", mtime=0),
            "is no OCI cost report: its header lacks",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_put_on_record(mirror: Mirror, content: bytes, says: str) -> None:
    mirror.write("0001-00001.csv.gz", content)

    with pytest.raises(DeliveryFailed, match=says):
        mirror.load()

    ((state, reason, table),) = mirror.ask("select state, reason, raw_table from raw.receipts")
    assert (state, table) == ("refused", "raw.oci_cost")
    assert says in reason
    (refused,) = [candidate for candidate in mirror.planned() if candidate.status is Status.REFUSED]
    assert refused.may_pass
    assert mirror.ask("select count(*) from raw.oci_cost") == [(0,)]


def test_a_row_that_belongs_to_no_month_refuses_its_file(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(), cost_line(start="")])

    with pytest.raises(DeliveryRefused, match="record 2, column lineItem/intervalUsageStart.*month"):
        mirror.load()


def test_a_load_that_was_killed_between_its_receipts_and_its_commit_never_happened(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    mirror.load()
    mirror.write("0002-00001.csv.gz", [cost_line(cost="2"), cost_line(cost="2", start="2026-08-01T00:00Z")])
    with patch.object(loading_load, "replace_files", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        mirror.load()

    # On record, but not in the lake: neither status nor summaries may take it for true.
    assert mirror.ask("select count(*)::int from raw.receipts") == [(3,)]
    assert [stale_slice.slice for stale_slice in stale_slices(mirror.lake)] == [Slice("acme-oci", date(2026, 10, 1))]
    assert [stored_object.name for stored_object in mirror.offers(Status.NEW)[0].objects] == ["0002-00001.csv.gz"]
    mirror.load()

    assert mirror.ask(COSTS) == [("2026-08-01", Decimal("2")), ("2026-10-01", Decimal("3"))]
    assert mirror.ask(SUMS) == [("2026-08-01", Decimal("2"), 1), ("2026-10-01", Decimal("3"), 2)]
    assert mirror.ask("select count(distinct load_id)::int from raw.receipts") == [(2,)]
    files = [entry.location for entry in mirror.lake.warehouse.list("raw/oci_cost/data")]
    assert len(files) == 3  # nothing of the killed load is left


@pytest.mark.parametrize(("corrections", "counted"), [("add", "add"), ("replace", "replace")])
def test_corrections_are_kept_as_rows_and_the_receipt_shows_what_replacing_would_change(
    tmp_path: Path, corrections: str, counted: str
) -> None:
    mirror = Mirror(tmp_path, corrections=corrections)
    mirror.write("0001-00001.csv.gz", [cost_line(reference="A", cost="5"), cost_line(reference="B", cost="7")])
    mirror.load()
    mirror.write("0002-00001.csv.gz", [cost_line(reference="C", back="A", correction="true", cost="-1.5")])

    (result,) = mirror.load()

    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("10.5"))]
    assert json.loads(result.receipts[0].corrections) == {
        "counted_as": counted,
        "corrections": 1,
        "corrections_cost": {"USD": "-1.5"},
        "corrected_rows": 1,
        "corrected_cost": {"USD": "5"},
        "replace_minus_add": {"USD": "-5"},
    }
    assert mirror.ask(
        "select line_item_type, sum(stored) from raw.control_totals where metric = 'cost_my_cost' group by 1 order by 1"
    ) == [("Correction", Decimal("-1.5")), ("Usage", Decimal("12"))]


def test_a_tenancy_that_another_source_brings_is_refused(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, "acme-copy")
    for source in ("acme-oci", "acme-copy"):
        mirror.write("0001-00001.csv.gz", [cost_line(cost="1")], source=source)
    mirror.load()

    with pytest.raises(DeliveryRefused, match="from source acme-oci; acme-copy would add it up twice"):
        mirror.load("acme-copy")

    assert mirror.ask(COSTS) == [("2026-10-01", Decimal("1"))]


def test_each_kind_of_report_has_a_table_of_its_own_and_cost_and_focus_are_never_added_up(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    usage = {
        name: value
        for name, value in cost_line().items()
        if name.startswith(("lineItem/", "product/")) and name != "product/Description"
    }
    mirror.write(
        "0001-00001.csv.gz",
        [usage | {"usage/consumedQuantity": "3600000000000000000000", "usage/billedQuantity": "1.000001"}],
        report="reports/usage-csv",
    )
    focus = {
        "BilledCost": "1",
        "BillingAccountId": "7000",
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "ChargePeriodStart": "2026-10-05T10:00:00Z",
        "Provider": "Oracle",
        "EffectiveCost": "1",
        "oci_ReferenceNumber": "V2.1",
    }
    mirror.write("0001-00001.csv.gz", [focus], report="FOCUS Reports/2026/10/06")

    assert len(mirror.load()) == 3

    assert mirror.ask("select sum(cost_my_cost) from raw.oci_cost") == [(Decimal("1"),)]
    assert mirror.ask("select usage_consumed_quantity from raw.oci_usage") == [(Decimal("3600000000000000000000"),)]
    assert mirror.ask("select billed_cost, provider_name from raw.focus") == [(Decimal("1"), "Oracle")]
    assert mirror.ask("select raw_table, state from raw.receipts order by 1") == [
        ("raw.focus", "accepted"),
        ("raw.oci_cost", "accepted"),
        ("raw.oci_usage", "accepted"),
    ]
    assert mirror.ask(
        "select stored is null, delivered_exact from raw.control_totals where metric = 'usage_consumed_quantity'"
    ) == [(True, "3600000000000000000000")]


def test_a_file_without_rows_is_on_record_and_not_read_again(mirror: Mirror) -> None:
    header = ",".join(cost_line()).encode() + b"\n"
    mirror.write("0001-00001.csv.gz", gzip.compress(header, mtime=0))

    mirror.load()

    assert mirror.load() == []
    assert mirror.ask("select key, rows from raw.files") == [("reports/cost-csv/0001-00001.csv.gz", 0)]
    assert mirror.ask("select billing_period::varchar, files, rows from raw.receipts") == [("2026-10-01", 1, 0)]


def test_rows_of_months_before_the_lakes_first_are_kept_but_not_summarised(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1", start="2025-12-31T23:00Z"), cost_line(cost="2")])

    mirror.load()

    assert mirror.ask(COSTS) == [("2025-12-01", Decimal("1")), ("2026-10-01", Decimal("2"))]
    assert [stale_slice.billing_period for stale_slice in stale_slices(mirror.lake)] == [date(2026, 10, 1)]


@pytest.mark.parametrize("location", ["acme-oci", "acme-oci/reports"])
def test_the_place_may_be_the_mirror_or_its_folder_of_reports(tmp_path: Path, location: str) -> None:
    mirror = Mirror(tmp_path, location=location)
    mirror.write("0001-00001.csv.gz", [cost_line()])
    mirror.write("0001-00001.csv.gz", [cost_line()], report="FOCUS Reports/2026/10/06")

    assert [(offer.table, len(offer.objects)) for offer in mirror.offers(Status.NEW)] == [("raw.oci_cost", 1), ("raw.focus", 1)]


def test_a_lake_of_before_increments_gains_their_columns(mirror: Mirror) -> None:
    table = mirror.lake.table("raw.receipts")
    with table.update_schema() as update:
        update.delete_column("raw_table")
        update.delete_column("corrections")
    from cost_lakehouse.lake import catalog

    catalog._UP_TO_DATE.clear()
    again = Mirror(mirror.folder)
    again.write("0001-00001.csv.gz", [cost_line(cost="1")])
    again.load()

    assert again.ask("select raw_table from raw.receipts") == [("raw.oci_cost",)]
