"""FOCUS from exports with manifests, and from folders of files, into raw.focus: what a month holds after each delivery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import cost_lakehouse.loading.holders
from cost_lakehouse.errors import DeliveryFailed, DeliveryRefused, SourceError
from cost_lakehouse.lake.ledger import holders_of
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.plan import plan
from cost_lakehouse.sources.delivery import Status
from tests.builders import Workshop, line, write_delivery
from tests.focus_builders import AWS_1_0, AWS_1_2, FocusPlace, as_csv, as_parquet, charge
from tests.oci_builders import Mirror, cost_line

MONDAY = datetime(2026, 10, 5, 12, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
NEW, CURRENT, REFUSED, WAITING = Status.NEW, Status.CURRENT, Status.REFUSED, Status.WAITING


def test_a_delivery_of_an_export_takes_the_place_of_the_month_s_last_one(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E1", [as_csv([charge("1")]), as_csv([charge("2"), charge("4")])], beside=True, written=MONDAY)
    place.export("E9", [as_csv([charge("8", day="2026-09-30")])], month="2026-09", beside=True, written=MONDAY)
    assert place.statuses() == [("2026-09", NEW), ("2026-10", NEW)]

    assert [planned.status for planned in place.load()] == [Status.LOADED, Status.LOADED]
    assert place.costs() == [("acme", "2026-09", Decimal("8")), ("acme", "2026-10", Decimal("7"))]
    assert place.statuses() == [("2026-09", CURRENT), ("2026-10", CURRENT)]

    place.export("E2", [as_csv([charge("1.5")])], beside=True, written=TUESDAY)
    (result,) = place.load()
    assert place.costs() == [("acme", "2026-09", Decimal("8")), ("acme", "2026-10", Decimal("1.5"))]
    assert [(receipt.delivery_id, receipt.files, receipt.rows) for receipt in result.receipts] == [("E2", -1, -2)]
    assert place.ask("select distinct delivery_id from raw.focus where billing_period = date '2026-10-01'") == [("E2",)]
    assert place.load() == []


def test_an_overwritten_export_with_fewer_files_leaves_nothing_behind(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E1", [as_csv([charge("1")]), as_csv([charge("2")])], written=MONDAY)
    place.load()
    place.export("E2", [as_csv([charge("4")])], written=TUESDAY)  # the second file still lies there, listed by nobody

    place.load()

    assert place.costs() == [("acme", "2026-10", Decimal("4"))]


def test_an_older_delivery_never_replaces_a_newer_one(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E2", [as_csv([charge("2")])], beside=True, written=TUESDAY)
    place.load()
    place.export("E1", [as_csv([charge("1")])], beside=True, written=MONDAY)

    assert place.statuses() == [("2026-10", Status.OLDER)]


def test_an_export_without_its_manifest_is_waited_for(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("data/BILLING_PERIOD=2026-10/acme-00001.csv.gz", as_csv([charge("1")]))
    assert place.statuses() == [("2026-10", WAITING)]
    place.export("E1", [as_csv([charge("1")])])
    assert place.statuses() == [("2026-10", NEW)]


def test_a_delivery_with_one_bad_file_changes_nothing_until_it_is_whole(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E1", [as_csv([charge("1")]), as_csv([charge("2")])], beside=True, written=MONDAY)
    place.load()
    place.export("E2", [as_csv([charge("10")]), as_csv([charge("no number")])], beside=True, written=TUESDAY)

    with pytest.raises(DeliveryRefused, match="'no number'"):
        place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("3"))]
    assert place.statuses() == [("2026-10", REFUSED)]

    place.export("E2", [as_csv([charge("10")]), as_csv([charge("20")])], beside=True, written=TUESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("30"))]


def test_aws_s_1_0_and_1_2_exports_as_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        charge("0.1", InvoiceId="", x_Discounts='{"edp": -0.25}', AvailabilityZone="eu-central-1a"),
        charge("1e-7", "0", ChargeCategory="Purchase", Tags="{}"),
        charge("-12345.678901", ChargeCategory="Credit", Tags="", PricingQuantity="", PricingUnit=""),
    ]
    names = ("csv-1-0", "parquet-1-0", "csv-1-2", "parquet-1-2")
    place = FocusPlace(tmp_path, *names)
    for name in names:
        columns = AWS_1_0 if name.endswith("1-0") else AWS_1_2
        written = as_csv(rows, columns) if name.startswith("csv") else as_parquet(rows, columns)
        place.write(f"october{'.csv.gz' if name.startswith('csv') else '.snappy.parquet'}", written, source=name)
        with pytest.MonkeyPatch.context() as patch:
            # One payer's month from four sources would be refused; here they are compared, and never added up.
            patch.setattr(cost_lakehouse.loading.holders, "holders_of", lambda *_: {})
            place.load(name)

    shown = (
        "billed_cost, effective_cost, charge_category, charge_period_start, availability_zone, tags, x_columns['x_Discounts']"
    )
    found = {name: place.ask(f"select {shown} from raw.focus where source = '{name}' order by row_number") for name in names}
    assert [entry[0] for entry in found["csv-1-0"]] == [Decimal("0.1"), Decimal("1e-7"), Decimal("-12345.678901")]
    assert found["csv-1-0"][0][5] == {"team": "red"}
    assert found["csv-1-2"] == found["csv-1-0"]
    assert found["parquet-1-2"] == found["parquet-1-0"]
    assert [entry[:5] for entry in found["parquet-1-0"]] == [entry[:5] for entry in found["csv-1-0"]]


def test_columns_of_a_later_version_are_kept(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1", HostProviderName="AWS", CarbonKilograms="0.25")]))
    place.load()
    assert place.ask("select host_provider_name, other from raw.focus") == [("AWS", {"CarbonKilograms": "0.25"})]


def test_a_file_that_comes_to_a_folder_adds_and_one_that_changes_replaces_its_own_rows(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1"), charge("2", day="2026-09-10")]), MONDAY)
    place.load()
    place.write("b.csv.gz", as_csv([charge("4")]), MONDAY)
    place.load()
    assert place.costs() == [("acme", "2026-09", Decimal("2")), ("acme", "2026-10", Decimal("5"))]

    place.write("a.csv.gz", as_csv([charge("16")]), TUESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("20"))]
    assert place.statuses() == [("focus", CURRENT)]


def test_files_that_take_the_place_of_others_under_new_names_are_not_added_to_them(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    old = place.write("run-1/part.csv.gz", as_csv([charge("1"), charge("2", day="2026-09-10")]), MONDAY)
    place.load()
    old.unlink()
    place.write("run-2/part.csv.gz", as_csv([charge("1.5")]), TUESDAY)

    (result,) = place.load()

    # September is touched by nothing that is new: its rows stay though their file is gone.
    assert place.costs() == [("acme", "2026-09", Decimal("2")), ("acme", "2026-10", Decimal("1.5"))]
    assert [(receipt.files, receipt.rows) for receipt in result.receipts] == [(0, 0)]
    assert place.ask("select key, etag = '' from raw.files where billing_period = date '2026-10-01' order by all") == [
        ("run-1/part.csv.gz", False),
        ("run-1/part.csv.gz", True),
        ("run-2/part.csv.gz", False),
    ]

    place.write("run-2/part.csv.gz", as_csv([charge("8", day="2026-09-10")]), WEDNESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-09", Decimal("8"))]


def test_a_month_that_a_replaced_file_leaves_keeps_the_rows_of_files_that_are_gone(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1"), charge("2", day="2026-09-10")]), MONDAY)
    gone = place.write("c.csv.gz", as_csv([charge("4", day="2026-09-11"), charge("8")]), MONDAY)
    place.load()
    gone.unlink()
    place.write("a.csv.gz", as_csv([charge("16")]), TUESDAY)

    place.load()

    assert place.costs() == [("acme", "2026-09", Decimal("4")), ("acme", "2026-10", Decimal("16"))]
    assert place.statuses() == [("focus", CURRENT)]


def test_a_file_that_comes_back_is_read_again(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    first = as_csv([charge("1"), charge("2", day="2026-09-10")])
    place.write("a.csv.gz", first, MONDAY).unlink()
    place.write("a.csv.gz", first, MONDAY)
    place.load()
    (tmp_path / "acme/a.csv.gz").unlink()
    place.write("b.csv.gz", as_csv([charge("4")]), TUESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-09", Decimal("2")), ("acme", "2026-10", Decimal("4"))]

    place.write("a.csv.gz", first, MONDAY)
    place.load()
    assert place.costs() == [("acme", "2026-09", Decimal("2")), ("acme", "2026-10", Decimal("5"))]


def test_files_that_vanish_change_nothing(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1")]))
    place.write("b.csv.gz", as_csv([charge("2")]))
    place.load()
    (tmp_path / "acme/a.csv.gz").unlink()

    assert place.statuses() == [("focus", CURRENT)]
    assert place.costs() == [("acme", "2026-10", Decimal("3"))]


def test_what_takes_the_place_of_others_comes_whole_or_not_at_all(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    old = place.write("old.csv.gz", as_csv([charge("1")]), MONDAY)
    place.load()
    old.unlink()
    place.write("new-1.csv.gz", as_csv([charge("10")]), TUESDAY)
    place.write("new-2.csv.gz", b"no gzip, and no CSV either \0", TUESDAY)

    with pytest.raises(DeliveryFailed, match=r"new-2.csv.gz"):
        place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("1"))]
    assert place.statuses() == [("focus", REFUSED)]

    place.write("new-2.csv.gz", as_csv([charge("20")]), WEDNESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("30"))]


def test_a_bad_file_that_takes_nobody_s_place_does_not_hold_back_the_others(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1")]))
    place.write("b.csv.gz", as_csv([charge("a lot")]))
    with pytest.raises(DeliveryRefused, match="'a lot'"):
        place.load()

    place.load()

    assert place.costs() == [("acme", "2026-10", Decimal("1"))]
    assert place.statuses() == [("focus", REFUSED), ("focus", CURRENT)]


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", as_csv([charge("1")]))
    place.write("b.csv.gz", b"")
    place.write("notes.txt", b"x")
    place.write("_SUCCESS", b"x")
    (planned,) = place.planned()
    assert planned.reason == "not read, because neither CSV nor Parquet: notes.txt; not read, because empty: b.csv.gz"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("exports/costs/metadata/BILLING_PERIOD=2026-10/costs-Manifest.json", "is a manifest"),
        ("20261001-20261031/run/manifest.json", "is a manifest"),
        ("_delta_log/00000000000000000000.json", "belongs to a Delta table"),
        ("metadata/00001-abc.metadata.json", "belongs to an Iceberg table"),
    ],
)
def test_files_of_which_something_else_says_which_count_are_never_added_up(name: str, why: str, tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.parquet", as_parquet([charge("1")]))
    place.write(name, b"{}")
    with pytest.raises(SourceError, match=why) as told:
        place.planned()
    assert "Set `location` to the export itself" in told.value.fix


def test_deliveries_side_by_side_without_a_manifest_are_never_added_up(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    for execution in ("6b622448-daaa-439c-92f1-afc727f1e0a3", "7b622448-daaa-439c-92f1-afc727f1e0a3"):
        place.write(f"BILLING_PERIOD=2026-10/2026-10-06T01:02:03.337Z-{execution}/a.csv.gz", as_csv([charge("1")]))
    with pytest.raises(SourceError, match="BILLING_PERIOD=2026-10 has 2 deliveries of one month side by side"):
        place.planned()


def test_the_data_folder_of_an_export_is_no_bill(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E1", [as_csv([charge("1")])])
    inside = place.settings.source("acme").model_copy(update={"location": str(tmp_path / "acme/data")})
    with pytest.raises(SourceError, match=f"is a part of the export {tmp_path / 'acme'}"):
        plan(place.settings, inside, holdings(place.lake))


def test_months_before_the_lake_s_first_are_left_out(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path, first_month="2026-10")
    place.export("E9", [as_csv([charge("8", day="2026-09-30")])], month="2026-09")
    place.export("E1", [as_csv([charge("1")])])
    assert place.statuses() == [("2026-09", Status.EARLY), ("2026-10", NEW)]


def test_a_payer_s_month_comes_from_one_of_two_focus_sources(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path, "acme", "acme-too")
    place.write("a.csv.gz", as_csv([charge("1")]))
    place.write("b.csv.gz", as_csv([charge("1")]), source="acme-too")
    place.load()
    with pytest.raises(
        DeliveryRefused, match="the bill of payer 000000000123 for 2026-10 is in the lake already, from source acme"
    ):
        place.load("acme-too")
    assert place.costs() == [("acme", "2026-10", Decimal("1"))]


def test_a_payer_s_month_that_another_source_commits_at_the_same_moment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = FocusPlace(tmp_path, "acme", "acme-too")
    place.write("a.csv.gz", as_csv([charge("1")]))
    place.write("b.csv.gz", as_csv([charge("1")]), source="acme-too")
    real = holders_of
    looks: list[object] = []

    def not_yet_there(*args: object) -> object:
        """The other source's commit lands after this load's first look."""
        looks.append(args)
        if len(looks) == 1:
            with monkeypatch.context() as other:
                other.setattr(cost_lakehouse.loading.holders, "holders_of", real)
                place.load()
            return {}
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(cost_lakehouse.loading.holders, "holders_of", not_yet_there)
    with pytest.raises(DeliveryRefused, match="from source acme; acme-too would add it up twice"):
        place.load("acme-too")

    assert len(looks) == 2
    assert place.costs() == [("acme", "2026-10", Decimal("1"))]
    assert place.ask("select source, state from raw.receipts order by all") == [("acme", "accepted"), ("acme-too", "refused")]
    assert place.ask("select distinct source from raw.control_totals") == [("acme",)]


@pytest.mark.parametrize("first", ["cur", "focus"])
def test_a_payer_s_cur_and_its_focus_are_never_added_up(first: str, tmp_path: Path) -> None:
    cur = {"name": "cur", "kind": "aws_cur", "location": "cur/hourly"}
    place = FocusPlace(tmp_path, "focus", others=[cur])
    ids = {"bill/PayerAccountId": "000000000123", "lineItem/UsageAccountId": "000000000456"}
    write_delivery(tmp_path / "cur", [[line(**ids)]], report="hourly")
    place.write("a.csv.gz", as_csv([charge("1")]))
    workshop = Workshop(tmp_path)
    loads: dict[str, Callable[[], object]] = {"cur": lambda: workshop.load("cur"), "focus": lambda: place.load("focus")}
    loads.pop(first)()
    ((second, load),) = loads.items()

    with pytest.raises(DeliveryRefused, match=f"from source {first}; {second} would add it up twice"):
        load()


@pytest.mark.parametrize("first", ["acme-oci", "focus"])
def test_a_tenancy_s_cost_reports_and_its_focus_reports_are_never_added_up(first: str, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    mirror.write("0001.csv.gz", [cost_line(cost="1")])
    place = FocusPlace(
        tmp_path, "focus", others=[{"name": "acme-oci", "kind": "oci_cost_reports", "location": "acme-oci/reports"}]
    )
    oracle = {"ProviderName": "Oracle", "BillingAccountId": "7000", "SubAccountId": "ocid1.tenancy.oc1..acme"}
    place.write("FOCUS Reports/2026/10/06/0001.csv.gz", as_csv([charge("1", **oracle)]))
    second = {"acme-oci": "focus", "focus": "acme-oci"}[first]
    place.load(first)

    with pytest.raises(
        DeliveryRefused, match=f"ocid1.tenancy.oc1..acme for 2026-10 is in the lake already, from source {first}"
    ):
        place.load(second)


def test_oracle_s_focus_reports_stay_when_oracle_deletes_them(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    old = place.write("FOCUS Reports/2026/10/06/0001.csv.gz", as_csv([charge("1", ProviderName="Oracle")]))
    place.load()
    old.unlink()
    place.write("FOCUS Reports/2026/10/07/0002.csv.gz", as_csv([charge("2", ProviderName="Oracle")]))
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("3"))]
