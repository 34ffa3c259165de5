"""A month of sample bills of both clouds as FOCUS files: whole, exact, and as the specification wants the rows."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.publish.focus_export import export_slice, slices_to_export
from cost_lakehouse.publish.target import open_target
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.registry import open_source
from sample_bills.bills import Bill, BillDelivery
from sample_bills.expected import DISCOUNT_TYPES
from sample_bills.focus_export import write_focus_export
from sample_bills.oci_bills import OciBill, OciReport
from sample_bills.oci_writing import write_oci
from sample_bills.writing import write_delivery
from tests.docs.pages import ROOT
from tests.focus_builders import FocusPlace
from tests.lake.stores import store_of
from tests.oci_builders import load_reports
from tests.publish.focus_of_aws import delivered_rows, differences, explanations
from tests.publish.focus_rules import Rule, rules
from tests.services.s3 import S3Server

OCTOBER = date(2026, 10, 1)
BILL = Bill(months=(OCTOBER,), rows=150)
OCI_BILL = OciBill(months=(OCTOBER,), files_a_day=1, rows=40, reports=(OciReport.COST,))
FOCUS_COLUMNS = 57


def run(*arguments: object) -> Any:
    """The command; its output and exit code."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Lakehouse:
    """October of an AWS payer and an OCI tenancy, loaded, and exported once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "lakehouse.yaml"
        self.to = folder / "out"
        self.aws = write_delivery(folder, BILL, BillDelivery(month=OCTOBER, delivered_at=datetime(2026, 11, 3, tzinfo=UTC)))
        self.oci = write_oci(folder, OCI_BILL)
        sources = [
            {"name": "acme", "kind": "aws_cur", "location": BILL.location},
            {"name": "acme-oci", "kind": "oci_cost_reports", "location": OCI_BILL.location},
        ]
        self.config.write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, "sources": sources}), encoding="utf-8")
        settings = load_settings(self.config)
        lake = Lake(settings)
        opened = open_source(settings, settings.source("acme"))
        (finding,) = opened.list_deliveries(OCTOBER).months
        assert isinstance(finding.delivery, Delivery), finding.reason
        load_delivery(lake, opened, finding.delivery)
        load_reports(settings, lake)
        self.done = self.export()

    def export(self, *options: object) -> Any:
        """``export focus`` of October."""
        return run("export", "focus", "--month", "2026-10", "--to", self.to, "--config", self.config, *options)

    def manifest(self, source: str) -> Mapping[str, Any]:
        content: Mapping[str, Any] = json.loads((self.to / source / "2026-10" / "manifest.json").read_text())
        return content


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    made = Lakehouse(tmp_path_factory.mktemp("focus_export"))
    assert made.done.exit_code == 0, made.done.output
    return made


@pytest.fixture(scope="module")
def exported(lakehouse: Lakehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with a view of the files that the manifests name."""
    files = [
        str(lakehouse.to / source / "2026-10" / file["path"])
        for source in ("acme", "acme-oci")
        for file in lakehouse.manifest(source)["files"]
    ]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("create table focus as select * from read_parquet($files)", {"files": files})
        yield connection


@pytest.mark.parametrize("rule", [pytest.param(rule, id=f"{rule.id}-{rule.column}") for rule in rules()])
def test_rows_keep_the_rule(exported: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    assert rule.breaks(exported, "focus") == 0


@pytest.mark.parametrize("rule", [pytest.param(rule, id=f"{rule.id}-{rule.column}") for rule in rules()])
def test_a_rule_applies_to_some_row(exported: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    """A condition that no row meets checks nothing; only capacity reservations are in no sample bill."""
    (count,) = exported.execute(f"select count(*) from focus where {rule.when or 'true'}").fetchall()[0]

    assert count > 0


def test_aws_own_export_of_the_same_bill_is_equal_or_the_difference_is_explained(
    lakehouse: Lakehouse, exported: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Row by row and column by column; no row is missing but those of discounts, which AWS's lines hold already."""
    theirs = delivered_rows(write_focus_export(tmp_path, BILL, lakehouse.aws.delivery))
    rows = exported.execute("select * from focus where x_Source = 'acme'").to_arrow_table().to_pylist()
    ours = {(row["x_RowNumber"], row["x_Part"]): row for row in rows}
    assert theirs.keys() <= ours.keys()
    assert {row["x_LineItemType"] for place, row in ours.items() if place not in theirs} == {*DISCOUNT_TYPES}
    for amount in ("BilledCost", "EffectiveCost"):
        host_fee = Decimal(1314) if amount == "EffectiveCost" else 0
        assert sum(row[amount] for row in rows) == sum(Decimal(row[amount]) for row in theirs.values()) + host_fee

    found = list(differences(ours, theirs))
    known = explanations()
    unexplained = [
        (column, row["x_LineItemType"], row["x_RowNumber"], row[column], value)
        for column, row, value in found
        if not any(one.covers(column, row, value) for one in known)
    ]
    assert unexplained == []
    used = {(column, one) for column, row, value in found for one in known if one.covers(column, row, value)}
    assert used == {(name, one) for one in known for name in one.columns}, "each explanation is needed"


def test_the_docs_explain_the_same_differences() -> None:
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("### Beside AWS's own export\n")
    lines = rest.split("\n## ")[0].splitlines()
    told = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines if line.startswith("| ")]
    assert told[1:] == [(", ".join(one.columns), one.why) for one in explanations()]


def test_aws_own_export_is_a_bill_that_loads(lakehouse: Lakehouse, tmp_path: Path) -> None:
    """As a source of kind focus, in a lake of its own: the same total."""
    location = write_focus_export(tmp_path, BILL, lakehouse.aws.delivery).location
    place = FocusPlace(tmp_path, others=[{"name": "aws-focus", "kind": "focus", "location": str(location)}])
    (result,) = place.load("aws-focus")
    assert sum(result.rows.values()) == 140
    assert place.ask("select sum(billed_cost) from raw.focus") == [(lakehouse.aws.expected.total()["USD"],)]


def test_the_manifest_says_what_the_files_hold(lakehouse: Lakehouse, exported: duckdb.DuckDBPyConnection) -> None:
    for source, delivered in (("acme", lakehouse.aws.expected), ("acme-oci", lakehouse.oci.expected)):
        manifest = lakehouse.manifest(source)
        folder = lakehouse.to / source / "2026-10"
        names = [column["name"] for column in manifest["columns"]]
        assert len([name for name in names if not name.startswith("x_")]) == FOCUS_COLUMNS
        assert names == [name for name, *_ in exported.execute("describe focus").fetchall()]
        for file in manifest["files"]:
            content = (folder / file["path"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        (total,) = manifest["totals"]
        found = exported.execute(
            "select count(*), sum(BilledCost), sum(EffectiveCost) from focus where x_Source = ?", [source]
        ).fetchall()
        assert found == [(total["rows"], Decimal(total["BilledCost"]), Decimal(total["EffectiveCost"]))]
        assert manifest["rows"] == total["rows"]
        assert delivered.rows > 0


def test_a_month_that_is_exported_already_is_left_as_it_is(lakehouse: Lakehouse) -> None:
    before = {path: path.stat().st_mtime_ns for path in lakehouse.to.rglob("*") if path.is_file()}

    again = lakehouse.export()

    assert again.exit_code == 0, again.output
    assert "acme 2026-10: unchanged" in again.output
    assert {path: path.stat().st_mtime_ns for path in lakehouse.to.rglob("*") if path.is_file()} == before


def test_what_a_killed_export_left_is_made_whole_and_cleared(lakehouse: Lakehouse, tmp_path: Path) -> None:
    """Files without a manifest do not count; csv has the same numbers, row by row."""
    folder = tmp_path / "acme-oci" / "2026-10"
    folder.mkdir(parents=True)
    (folder / "focus-killed-00001.csv.gz").write_bytes(b"cut sho")
    (folder / "notes.txt").write_text("mine")
    parquet = lakehouse.manifest("acme-oci")

    done = lakehouse.export("--to", tmp_path, "--source", "acme-oci", "--format", "csv")

    assert done.exit_code == 0, done.output
    manifest = json.loads((folder / "manifest.json").read_text())
    (name,) = [file["path"] for file in manifest["files"]]
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, "manifest.json", "notes.txt"])
    assert (manifest["totals"], manifest["rows"]) == (parquet["totals"], parquet["rows"])
    with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(manifest["totals"][0]["BilledCost"])
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in rows} == {
        ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
    }


def test_an_export_into_a_bucket_is_the_same_as_into_a_folder(
    lakehouse: Lakehouse, s3_server: S3Server, s3_bucket: str
) -> None:
    """On a real S3 server, and beside what a killed export left there; what is there already is not written again."""
    lake = Lake(load_settings(lakehouse.config))
    target = S3Warehouse(f"s3://{s3_bucket}/finops/focus", store_of(s3_server))
    target.write("acme-oci/2026-10/focus-killed-00001.parquet", b"cut sho", only_new=True)
    ((slice_, receipt),) = slices_to_export(lake, OCTOBER, "acme-oci").items()

    done = export_slice(lake, target, slice_, receipt, "parquet")

    assert (done.is_new, done.location) == (True, f"s3://{s3_bucket}/finops/focus/acme-oci/2026-10")
    in_folder = lakehouse.manifest("acme-oci")
    manifest = json.loads(target.read("acme-oci/2026-10/manifest.json") or b"")
    assert {name: manifest[name] for name in ("rows", "totals", "columns")} == {
        name: in_folder[name] for name in ("rows", "totals", "columns")
    }
    (entry,) = manifest["files"]
    assert {file.location.rpartition("/")[2] for file in target.list("acme-oci/2026-10")} == {entry["path"], "manifest.json"}
    content = target.read(f"acme-oci/2026-10/{entry['path']}") or b""
    assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])

    again = export_slice(lake, target, slice_, receipt, "parquet")

    assert (again.is_new, again.rows, again.totals) == (False, done.rows, done.totals)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--month", "2026-03"], "The lake holds no bill for 2026-03.", id="month"),
        pytest.param(["--month", "2026-13"], "is no month", id="no-month"),
        pytest.param(["--source", "other"], "other", id="source"),
        pytest.param(["--to", "{folder}/lake/warehouse/focus"], "lies inside the lake", id="lake"),
        pytest.param(["--to", "{folder}/lakehouse.yaml"], "cannot be written", id="file"),
        pytest.param(["--to", "ftp://x/y"], "is no place to export to", id="scheme"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(lakehouse: Lakehouse, options: list[str], said: str) -> None:
    done = lakehouse.export(*(option.format(folder=lakehouse.folder) for option in options))

    assert (done.exit_code, said in " ".join(done.output.split())) == (2, True), done.output


def test_where_focus_is_off_the_setting_is_named(lakehouse: Lakehouse, tmp_path: Path) -> None:
    text = lakehouse.config.read_text().replace("first_month: 2026-01", "first_month: 2026-01\n  focus: 'off'")
    text = text.replace("first_month: '2026-01'", "first_month: '2026-01'\n  focus: 'off'")
    off = lakehouse.folder / "off.yaml"
    off.write_text(text)

    done = run("export", "focus", "--month", "2026-10", "--to", tmp_path, "--config", off)

    assert (done.exit_code, "focus: export" in done.output) == (2, True), done.output


def test_a_place_of_the_lake_is_known_by_other_spellings(lakehouse: Lakehouse) -> None:
    link = lakehouse.folder / "link"
    link.symlink_to(lakehouse.folder / "lake" / "warehouse", target_is_directory=True)
    try:
        with pytest.raises(ConfigurationError, match="lies inside the lake"):
            open_target(load_settings(lakehouse.config), str(link / "focus"))
    finally:
        link.unlink()
    shutil.rmtree(lakehouse.folder / "lake" / "warehouse" / "focus", ignore_errors=True)
