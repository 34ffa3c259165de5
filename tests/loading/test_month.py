"""A delivery becomes a slice whole, or not at all."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import DeliveryFailed, DeliveryRefused, LakeError
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.sources.delivery import Status
from tests.builders import BASE, Workshop, csv_bytes, line
from tests.services.small_disk import small_disk


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def ask(workshop: Workshop, sql: str) -> list[tuple[Any, ...]]:
    with connect(workshop.lake) as connection:
        return connection.execute(sql).fetchall()


def costs(workshop: Workshop) -> list[Decimal]:
    return [row[0] for row in ask(workshop, "select line_item_unblended_cost from raw.aws_cur order by row_number")]


def test_a_delivery_of_several_files_is_loaded_whole_with_its_receipt(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="0.1"), line(UnblendedCost="0.2")], [line(UnblendedCost="1E-7")])

    result = workshop.load()

    assert result.status is Status.LOADED
    assert (result.receipt.files, result.receipt.rows, result.receipt.state) == (2, 3, "accepted")
    assert result.totals[date(2026, 10, 1)] == {"USD": Decimal("0.3000001")}
    assert ask(workshop, "select sum(line_item_unblended_cost) from raw.aws_cur") == [(Decimal("0.30000010000000000000"),)]
    origin = ask(workshop, "select file_name, row_number, delivery_id from raw.aws_cur order by all")
    assert [(name.rsplit("/", 1)[-1], number) for name, number, _ in origin] == [
        ("hourly-00001.csv.gz", 1),
        ("hourly-00001.csv.gz", 2),
        ("hourly-00002.csv.gz", 1),
    ]
    assert {delivery for *_, delivery in origin} == {"20261103T040211Z"}
    assert ask(workshop, "select count(*), sum(rows) from raw.files") == [(2, 3)]


def test_a_row_that_is_gone_in_the_new_delivery_is_gone_in_the_lake(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="1"), line(UnblendedCost="2"), line(UnblendedCost="3")], assembly="A1")
    workshop.load()
    workshop.write([line(UnblendedCost="1"), line(UnblendedCost="2.5")], assembly="A2")

    result = workshop.load()

    assert result.previous is not None
    assert result.previous.delivery_id == "A1"
    assert costs(workshop) == [Decimal("1"), Decimal("2.5")]
    assert ask(workshop, "select delivery_id, state from raw.receipts order by loaded_at") == [
        ("A1", "accepted"),
        ("A2", "accepted"),
    ]


def test_a_delivery_that_is_current_is_not_loaded_again(workshop: Workshop) -> None:
    workshop.write([line()])
    workshop.load()

    assert workshop.load().status is Status.UNCHANGED
    assert ask(workshop, "select count(*) from raw.receipts") == [(1,)]


def test_a_forced_load_of_the_same_delivery_doubles_neither_rows_nor_control_totals(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="2")])
    first = workshop.load()

    second = workshop.load(force=True)

    assert second.status is Status.LOADED
    assert second.receipt.digest == first.receipt.digest
    assert costs(workshop) == [Decimal("2")]
    assert ask(workshop, "select count(*) from raw.receipts where state = 'accepted'") == [(2,)]
    assert ask(workshop, "select sum(stored) from raw.control_totals where metric = 'line_item_unblended_cost'") == [
        (Decimal("2"),)
    ]
    assert ask(workshop, "select sum(rows) from raw.files") == [(1,)]


def test_files_replaced_in_place_under_the_same_assembly_are_loaded_again(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="2")])
    workshop.load()
    workshop.write([line(UnblendedCost="3"), line(UnblendedCost="4")])

    assert workshop.load().status is Status.LOADED
    assert costs(workshop) == [Decimal("3"), Decimal("4")]


def test_an_older_delivery_never_replaces_a_newer_one(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="2")], assembly="A2")
    workshop.load()
    workshop.write([line(UnblendedCost="1")], assembly="A1")
    manifest = workshop.bucket / "cur/hourly/20261001-20261101/hourly-Manifest.json"
    os.utime(manifest, (1_000_000_000, 1_000_000_000))

    assert workshop.load().status is Status.OLDER
    assert workshop.load(force=True).status is Status.OLDER
    assert costs(workshop) == [Decimal("2")]


def test_a_bad_number_refuses_the_delivery_with_value_file_record_and_column(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="2")], assembly="A1")
    workshop.load()
    workshop.write([line()], [line(), line(UnblendedCost="12,34")], assembly="A2")

    with pytest.raises(DeliveryRefused) as refused:
        workshop.load()

    assert "hourly-00002.csv.gz, record 2, column lineItem/UnblendedCost: '12,34' is not a number" in str(refused.value)
    assert costs(workshop) == [Decimal("2")]
    ((state, rejected, values),) = ask(
        workshop, "select state, rejected, rejected_values from raw.receipts where delivery_id = 'A2'"
    )
    assert (state, rejected) == ("refused", 1)
    (value,) = json.loads(values)
    assert (value["value"], value["record"], value["column"]) == ("12,34", 2, "lineItem/UnblendedCost")
    assert value["file"].endswith("hourly-00002.csv.gz")
    assert ask(workshop, "select distinct delivery_id from raw.control_totals") == [("A1",)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda packed: packed[: len(packed) // 2], "truncated or corrupt"),
        (lambda packed: packed[:40] + b"\x00\x11\x22\x33" * 5 + packed[60:], "truncated or corrupt"),
        (
            lambda packed: gzip.compress(gzip.decompress(packed) + b"one,value\n", mtime=0),
            "record 201: it has 2 values where the header has 12",
        ),
        (lambda packed: gzip.compress(gzip.decompress(packed).replace(b"id199", b'"id199'), mtime=0), "quot"),
        (lambda packed: gzip.compress(b"a,b\n1,2\n", mtime=0), "no Cost and Usage Report"),
    ],
)
def test_a_broken_file_fails_its_own_delivery_and_keeps_the_old_slice(
    workshop: Workshop, damage: Callable[[bytes], bytes], said: str
) -> None:
    workshop.write([line(UnblendedCost="2")], assembly="A1")
    workshop.load()
    rows = [line(**{"identity/LineItemId": f"id{number}"}) for number in range(200)]
    path, *_ = workshop.write(rows, assembly="A2")
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(DeliveryFailed) as failed:
        workshop.load()

    assert said in str(failed.value)
    assert "hourly-00001.csv.gz" in str(failed.value)
    assert costs(workshop) == [Decimal("2")]
    refused = "select state, seconds < 600, requests, athena_bytes from raw.receipts where delivery_id = 'A2'"
    assert ask(workshop, refused) == [("refused", True, 0, 0)]


def test_a_header_only_delivery_empties_the_slice_and_is_current_afterwards(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="2")], assembly="A1")
    workshop.load()
    workshop.write(gzip.compress(csv_bytes([], header=list(BASE)), mtime=0), assembly="A2")

    result = workshop.load()

    assert result.receipt.rows == 0
    (finding,) = result.findings
    assert finding.endswith("A2 has no lines; gone from the month are those of A1: 1.")
    assert costs(workshop) == []
    assert workshop.load().status is Status.UNCHANGED


def test_one_payer_and_month_comes_from_one_source_only(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, {"acme": "bucket/cur/hourly", "twin": "bucket/other/hourly"})
    workshop.write([line(UnblendedCost="2")])
    workshop.write([line(UnblendedCost="2")], report="other/hourly")
    workshop.load("acme")

    with pytest.raises(DeliveryRefused, match="111111111111.*from source acme; twin would add it up twice"):
        workshop.load("twin")

    assert costs(workshop) == [Decimal("2")]
    assert ask(workshop, "select source, state from raw.receipts order by source") == [
        ("acme", "accepted"),
        ("twin", "refused"),
    ]


def test_sources_of_forty_characters_with_a_common_beginning_do_not_collide(tmp_path: Path) -> None:
    names = ["acme-billing-account-of-the-group-" + tail for tail in ("emea-1", "emea-2")]
    assert [len(name) for name in names] == [40, 40]
    workshop = Workshop(tmp_path, {name: f"bucket/{name}/hourly" for name in names})
    for number, name in enumerate(names, 1):
        payer = {"bill/PayerAccountId": f"{number:012d}"}
        workshop.write([line(UnblendedCost=str(number), **payer)], report=f"{name}/hourly")
        workshop.load(name)
    workshop.write(
        [line(UnblendedCost="7", **{"bill/PayerAccountId": "000000000001"})], report=f"{names[0]}/hourly", assembly="A9"
    )

    workshop.load(names[0])

    assert ask(workshop, "select source, line_item_unblended_cost from raw.aws_cur order by source") == [
        (names[0], Decimal("7")),
        (names[1], Decimal("2")),
    ]


def test_digits_past_the_twentieth_are_rounded_half_even_and_the_exact_difference_is_on_record(workshop: Workshop) -> None:
    # 0.123456789012345678905 is half-way: the even neighbour is ...890; ...915 goes up to ...920.
    workshop.write([line(UnblendedCost="0.123456789012345678905"), line(UnblendedCost="0.123456789012345678915")])

    result = workshop.load()

    assert costs(workshop) == [Decimal("0.12345678901234567890"), Decimal("0.12345678901234567892")]
    assert result.receipt.rounding_values == 2
    totals = ask(
        workshop,
        "select delivered, stored, rounding, delivered_exact, rounding_exact from raw.control_totals "
        "where metric = 'line_item_unblended_cost'",
    )
    assert totals == [
        (
            Decimal("0.246913578024691357820"),
            Decimal("0.24691357802469135782"),
            Decimal("0"),
            "0.24691357802469135782",
            "0",
        )
    ]


def test_delivered_is_stored_plus_rounding_in_every_control_total(workshop: Workshop) -> None:
    workshop.write(
        [line(UnblendedCost="0.0000000000000000000012345", UsageAmount="3"), line(LineItemType="Tax", UnblendedCost="-5.01")]
    )
    workshop.load()

    rows = ask(
        workshop,
        "select line_item_type, metric, delivered, stored, rounding, rounding_exact from raw.control_totals order by all",
    )

    assert [(kind, metric) for kind, metric, *_ in rows] == [
        ("Tax", "line_item_unblended_cost"),
        ("Tax", "line_item_usage_amount"),
        ("Usage", "line_item_unblended_cost"),
        ("Usage", "line_item_usage_amount"),
    ]
    assert all(delivered == stored + rounding for _, _, delivered, stored, rounding, _ in rows)
    assert rows[2][5] == "0.0000000000000000000012345"


def test_files_that_no_snapshot_needs_are_cleaned_up(workshop: Workshop) -> None:
    workshop.write([line()], assembly="A1")
    workshop.load()
    folder = workshop.warehouse / workshop.lake.data_folder("raw.aws_cur", Slice("acme", date(2026, 10, 1)))
    (folder / "load-0123456789abcdef-00000.parquet").write_bytes(b"left by a killed load")
    workshop.write([line(), line(UnblendedCost="bad")], assembly="A2")

    with pytest.raises(DeliveryRefused):
        workshop.load()

    assert len(list(folder.glob("*.parquet"))) == 1


def test_months_are_slices_of_their_own(workshop: Workshop) -> None:
    workshop.write([line(UnblendedCost="1")], month=date(2026, 9, 1))
    workshop.write([line(UnblendedCost="2")], month=date(2026, 10, 1))
    workshop.load(month=date(2026, 9, 1))
    workshop.load(month=date(2026, 10, 1))

    assert ask(workshop, "select billing_period, line_item_unblended_cost from raw.aws_cur order by all") == [
        (date(2026, 9, 1), Decimal("1")),
        (date(2026, 10, 1), Decimal("2")),
    ]


def test_a_disk_that_is_full_is_told_and_leaves_the_month_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "2m", os.getuid()) as disk:
        workshop = Workshop(tmp_path, {"acme": "bucket/cur/hourly"}, {"warehouse": str(disk / "warehouse")})
        workshop.write([line(UnblendedCost="1")], assembly="A1")
        workshop.load()
        workshop.write([line(UnblendedCost="2")], assembly="A2")
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"0" * 4096):
                pass

        with pytest.raises(LakeError, match="there is no space left where the lake .* run it again"):
            workshop.load()

        assert costs(workshop) == [Decimal(1)]
        filler.unlink()
        workshop.load()
        assert costs(workshop) == [Decimal(2)]
