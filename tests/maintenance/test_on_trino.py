"""Maintenance by Trino's own procedures, on the real Trino, S3 and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.lake import trino_client
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.lake.loads import load_lock
from cost_lakehouse.loading import read
from cost_lakehouse.maintenance.facts import keep_tags
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.delivery import Status
from tests.builders import Workshop, line, settings_for
from tests.maintenance.rows import file_count, rows, rules
from tests.services.production import ProductionStack

SEPTEMBER = date(2026, 9, 1)
SOURCES = {"acme": "bucket/cur/hourly", "globex": "bucket/cur/other"}


@pytest.fixture
def workshop(production: ProductionStack, tmp_path: Path) -> Workshop:
    sources = [{"name": name, "kind": "aws_cur", "location": location} for name, location in SOURCES.items()]
    production.new_lake(tmp_path, sources)
    return Workshop(tmp_path)


def deliver(workshop: Workshop, number: int, month: date = date(2026, 10, 1)) -> None:
    workshop.write([line(UnblendedCost=str(number)), line(UnblendedCost="0.5")], assembly=f"A{number:04d}", month=month)
    workshop.load(month=month)


def deliveries(workshop: Workshop) -> dict[str, int]:
    """Delivery id -> the snapshot that its load committed, of the snapshots that are left."""
    return {
        snapshot.summary.additional_properties["delivery-id"]: snapshot.snapshot_id
        for snapshot in workshop.lake.table("raw.aws_cur").metadata.snapshots
        if snapshot.summary is not None and "delivery-id" in snapshot.summary.additional_properties
    }


def test_old_snapshots_go_kept_ones_stay_readable_and_no_proof_is_lost(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 9, SEPTEMBER)
    for number in range(1, 6):
        deliver(workshop, number)
    before = rows(lake)

    planned = maintain(lake, dry_run=True, rules=rules())
    report = maintain(lake, rules=rules())

    assert report.ok, report
    assert rows(lake) == before
    found = {candidate.table: candidate for candidate in report.tables}
    assert {
        candidate.table: (candidate.expired, candidate.removed_expired.count, candidate.merged) for candidate in planned.tables
    } == {name: (item.expired, item.removed_expired.count, item.merged) for name, item in found.items()}
    snapshots = deliveries(workshop)
    assert sorted(snapshots) == ["A0004", "A0005", "A0009"]
    for delivery, snapshot in snapshots.items():
        sql = (
            f"SELECT sum(line_item_unblended_cost) FROM raw.aws_cur FOR VERSION AS OF {snapshot} WHERE billing_period = DATE "
            + ("'2026-09-01'" if delivery == "A0009" else "'2026-10-01'")
        )
        assert trino_client.rows(workshop.settings, sql) == [(Decimal(int(delivery[1:])) + Decimal("0.5"),)]
    for name in LEDGERS:
        assert found[name].expired
        assert file_count(lake, name) == 2  # a slice each

    # The tag of a delivery that is not among the newest any more goes with its snapshot.
    deliver(workshop, 6)
    again = maintain(lake, rules=rules())
    assert again.ok, again
    assert sorted(deliveries(workshop)) == ["A0005", "A0006", "A0009"]
    assert len(keep_tags(lake.table("raw.aws_cur"))) == 3


def test_trino_reads_rows_that_were_taken_over_and_what_it_merges_is_read_from_the_bill_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "OWN_GROUPS_BYTES", 0)
    files = [[line(UnblendedCost=f"{file}.{row}") for row in range(1, 4)] for file in (1, 2, 3)]
    for number in (1, 2, 3):
        files[1] = [line(UnblendedCost=str(number))]
        workshop.write(*files, assembly=f"A{number}")
        workshop.load()
        if number == 3:
            break
        columns = "file_name, row_number, line_item_unblended_cost, line_item_usage_start_date, billing_period, delivery_id"
        found = trino_client.rows(workshop.settings, f"SELECT {columns} FROM raw.aws_cur WHERE delivery_id = 'A{number}'")
        with connect(workshop.lake) as connection:
            expected = connection.execute(f"select {columns} from raw.aws_cur").fetchall()
        assert sorted(map(tuple, found)) == sorted(expected)
        assert len(found) == len(trino_client.rows(workshop.settings, "SELECT * FROM raw.aws_cur")) == 7
        assert files_read(workshop.lake) == (3 if number == 1 else 1)
        if number == 2:
            trino_client.execute(workshop.settings, "ALTER TABLE raw.aws_cur EXECUTE optimize")
    assert files_read(workshop.lake) == 3
    assert trino_client.rows(
        workshop.settings, "SELECT delivery_id, count(*), sum(line_item_unblended_cost) FROM raw.aws_cur GROUP BY 1"
    ) == [("A3", 7, Decimal("16.2"))]  # 3.6 + 3 + 9.6


def files_read(lake: Lake) -> int:
    """How many files of the current delivery were read, rather than taken over."""
    with connect(lake) as connection:
        found = connection.execute(
            "select count(*) from raw.files where read_by = load_id and delivery_id in (select delivery_id from raw.aws_cur)"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_loads_after_trino_merged_the_ledgers_and_the_line_items_are_what_they_were(workshop: Workshop) -> None:
    lake = workshop.lake
    for number in range(1, 4):
        deliver(workshop, number)
    for name in ("raw.aws_cur", *LEDGERS):
        trino_client.execute(workshop.settings, f"ALTER TABLE {name} EXECUTE optimize")
    assert [file_count(lake, name) for name in LEDGERS] == [1, 1, 1]

    assert workshop.load().status is Status.UNCHANGED
    assert workshop.load(force=True).status is Status.LOADED
    workshop.write([line(UnblendedCost="bad")], assembly="A0007")
    with pytest.raises(DeliveryRefused):
        workshop.load()
    deliver(workshop, 8)

    found = rows(lake)
    receipts = sorted((entry[2], entry[4]) for entry in found["raw.receipts"])
    assert receipts == [
        ("A0001", "accepted"),
        ("A0002", "accepted"),
        ("A0003", "accepted"),
        ("A0003", "accepted"),
        ("A0007", "refused"),
        ("A0008", "accepted"),
    ]
    assert sorted(entry[2] for entry in found["raw.files"]) == ["A0001", "A0002", "A0003", "A0008"]


def test_rows_that_trino_deleted_stay_deleted_and_their_notes_go(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    rows_of_other = [line(UnblendedCost="9"), line(UnblendedCost="0.5")]
    workshop.write(rows_of_other, assembly="A0009", month=SEPTEMBER, report="cur/other")
    workshop.load("globex", SEPTEMBER)
    trino_client.execute(workshop.settings, "DELETE FROM raw.aws_cur WHERE line_item_unblended_cost = DECIMAL '0.5'")
    with pytest.raises(Exception, match="maintain"):
        rows(lake)

    report = maintain(lake, rules=rules())

    assert report.ok, report
    assert sorted(row for row in trino_client.rows(workshop.settings, "SELECT line_item_unblended_cost FROM raw.aws_cur")) == [
        (Decimal(1),),
        (Decimal(9),),
    ]
    assert len(rows(lake)["raw.aws_cur"]) == 2
    assert trino_client.rows(workshop.settings, 'SELECT count(*) FROM raw."aws_cur$files" WHERE content <> 0') == [(0,)]


def test_without_trino_the_deleted_rows_of_one_slice_can_go_while_another_is_being_loaded(
    workshop: Workshop, production: ProductionStack
) -> None:
    deliver(workshop, 1)
    rows_of_other = [line(UnblendedCost="9"), line(UnblendedCost="0.5")]
    workshop.write(rows_of_other, assembly="A0009", month=SEPTEMBER, report="cur/other")
    workshop.load("globex", SEPTEMBER)
    trino_client.execute(workshop.settings, "DELETE FROM raw.aws_cur WHERE line_item_unblended_cost = DECIMAL '0.5'")
    keys = production.lake_keys(production.names(workshop.settings.file))
    embedded = settings_for(workshop.bucket.parent, SOURCES, keys | {"engine": "duckdb", "trino": None})
    lake = Lake(embedded)

    with Lake(embedded).lock(load_lock("acme", "raw.aws_cur"), "The load of acme 2026-10"):
        half = maintain(lake, ["raw.aws_cur"], rules=rules()).tables[0]
    assert (half.slices_merged, half.position_deletes, len(half.skipped)) == (1, 1, 1)
    count = 'SELECT count(*) FROM raw."aws_cur$files" WHERE content <> 0'
    assert trino_client.rows(workshop.settings, count) == [(1,)]
    whole = maintain(lake, ["raw.aws_cur"], rules=rules()).tables[0]

    assert (whole.slices_merged, whole.position_deletes, whole.failed) == (1, 1, "")
    assert trino_client.rows(workshop.settings, count) == [(0,)]
    seen = trino_client.rows(workshop.settings, "SELECT line_item_unblended_cost FROM raw.aws_cur ORDER BY 1")
    assert seen == [(Decimal(1),), (Decimal(9),)]
    assert sorted(row[0] for row in rows(lake)["raw.aws_cur"]) == ["acme", "globex"]
    totals = lake.table("raw.aws_cur").snapshots()[-1].summary
    assert totals is not None
    assert (totals["total-delete-files"], totals["total-position-deletes"]) == ("0", "0")


def test_orphans_older_than_the_safety_age_go_and_younger_ones_stay(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    before = rows(lake)
    left = (
        f"{lake.warehouse.location}/raw/aws_cur/data/source=acme/billing_period=2026-10-01/load-00000000000000ff-00000.parquet"
    )
    with lake.warehouse.file_io.new_output(left).create() as stream:
        stream.write(b"left by a killed load")

    young = maintain(lake, ["raw.aws_cur"], rules=rules()).tables[0]
    gone = maintain(lake, ["raw.aws_cur"], rules=rules(orphan_safety=timedelta(0)), now=datetime.now(UTC)).tables[0]

    assert (young.left_young.count, young.removed_orphans.count) == (1, 0)
    assert (gone.removed_orphans.count, gone.failed) == (1, "")
    assert rows(lake) == before
