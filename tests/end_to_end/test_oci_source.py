"""One tenancy's reports, read out of Oracle's bucket, out of a mirror in S3 and out of one in a folder, are the same bill."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.mirror.run import run_mirror
from cost_lakehouse.sources.delivery import Status
from sample_bills import OciBill, OciReport, OciWritten, write_oci
from tests.oci_builders import load_reports
from tests.services.oci import Fault, OciServer
from tests.services.oci_buckets import Bucket
from tests.services.s3 import S3Server

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


class Tenancy:
    """Reports in Oracle's bucket, and configurations that read them."""

    def __init__(self, folder: Path, cloud: OciServer) -> None:
        self.folder = folder
        self.cloud = cloud
        cloud.add_user(folder / "oci")
        self.bucket: Bucket = cloud.make_bucket()
        self.written: OciWritten = write_oci(
            folder / "oracle", OciBill(months=(SEPTEMBER, OCTOBER), files_a_day=1, rows=12, seed=11)
        )
        for path in sorted(candidate for candidate in self.written.bucket_root.rglob("*") if candidate.is_file()):
            cloud.add_object(self.bucket, path.relative_to(self.written.bucket_root).as_posix(), path)

    @property
    def access(self) -> dict[str, Any]:
        """Who asks Oracle."""
        return {"config_file": str(self.folder / "oci/config"), "endpoint": self.cloud.endpoint}

    def settings(self, name: str, source: dict[str, Any], mirrors: list[dict[str, Any]] | None = None) -> Settings:
        """A lakehouse of its own that reads one source."""
        file = self.folder / f"{name}.yaml"
        document = {
            "lake": {"first_month": "2026-01", "catalog": f"sqlite:///{name}/catalog.db", "warehouse": f"{name}/warehouse"},
            "sources": [{"name": "acme-oci", "kind": "oci_cost_reports", **source}],
            "mirrors": mirrors or [],
        }
        file.write_text(yaml.safe_dump(document))
        return load_settings(file)


@pytest.fixture
def tenancy(tmp_path: Path, oci_server: OciServer) -> Tenancy:
    return Tenancy(tmp_path, oci_server)


def held(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """What the lake holds, without what differs by the place it came from."""
    with connect(Lake(settings)) as connection:
        return {
            table: connection.execute(
                f"select * exclude (delivery_id, file_name), split_part(file_name, '/', -1) as name "
                f"from raw.{table} order by billing_period, name, row_number"
            ).fetchall()
            for table in ("oci_cost", "oci_usage", "focus")
        }


def test_oracles_bucket_and_mirrors_in_s3_and_a_folder_give_the_same_rows(
    tenancy: Tenancy, s3_server: S3Server, s3_shared_bucket: str
) -> None:
    location = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex[:12]}"
    reach = {"endpoint": s3_server.endpoint, "access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    mirror = {"name": "to-s3", "tenancy": tenancy.cloud.tenancy, "oci": tenancy.access, "destination": location, **reach}
    places = {
        "direct": tenancy.settings("direct", {"tenancy": tenancy.cloud.tenancy, "oci": tenancy.access}),
        "s3": tenancy.settings("s3", {"location": f"{location}/reports", **reach}, [mirror]),
        "folder": tenancy.settings("folder", {"location": str(tenancy.written.bucket_root / "reports")}),
    }
    assert run_mirror(places["s3"], places["s3"].mirror("to-s3")).copied == len(tenancy.written.files)

    for settings in places.values():
        load_reports(settings, Lake(settings))
        assert load_reports(settings, Lake(settings)) == []  # all is known, wherever it was read

    found = {name: held(settings) for name, settings in places.items()}
    assert found["direct"] == found["s3"] == found["folder"]
    expected = tenancy.written.expected
    with connect(Lake(places["direct"])) as connection:
        for month in (SEPTEMBER, OCTOBER):
            sums = connection.execute(
                "select cost_currency_code, sum(cost_my_cost) from raw.oci_cost where billing_period = ? "
                "and cost_currency_code is not null group by 1",
                [month],
            ).fetchall()
            assert {currency: Decimal(total) for currency, total in sums} == {
                currency: total for currency, total in expected.total(month).items() if currency
            }
    rows = {table: len(lines) for table, lines in found["direct"].items()}
    assert rows == {
        "oci_cost": sum(item.rows for item in tenancy.written.of(OciReport.COST)),
        "oci_usage": sum(item.rows for item in tenancy.written.of(OciReport.USAGE)),
        "focus": sum(item.rows for item in tenancy.written.of(OciReport.FOCUS)),
    }


def test_what_oracle_deletes_stays_in_the_lake_and_a_cut_download_goes_on(tenancy: Tenancy) -> None:
    settings = tenancy.settings("direct", {"tenancy": tenancy.cloud.tenancy, "oci": tenancy.access})
    lake = Lake(settings)
    fault = tenancy.cloud.fail(Fault(cut_after=200, matches=lambda seen: seen.method == "GET" and "/o/" in seen.path))
    load_reports(settings, lake)
    before = held(settings)

    assert fault.happened == 1
    for file in tenancy.written.files:  # Oracle deletes reports after a year
        tenancy.bucket.remove(file.key)

    assert load_reports(settings, lake) == []
    assert held(settings) == before
    assert len(before["oci_cost"]) == sum(item.rows for item in tenancy.written.of(OciReport.COST))


def test_a_server_that_stays_broken_fails_the_load_and_is_made_good_by_the_next(tenancy: Tenancy) -> None:
    settings = tenancy.settings("direct", {"tenancy": tenancy.cloud.tenancy, "oci": tenancy.access})
    lake = Lake(settings)
    load_reports(settings, lake)
    name = "reports/cost-csv/0009000000000000-00001.csv.gz"
    first = tenancy.written.of(OciReport.COST)[0]
    tenancy.cloud.add_object(tenancy.bucket, name, first.path.read_bytes()[:-20])

    with pytest.raises(DeliveryFailed, match="0009000000000000-00001.csv.gz"):
        load_reports(settings, lake)
    tenancy.cloud.add_object(tenancy.bucket, name, first.path)
    (result,) = load_reports(settings, lake)

    assert load_reports(settings, lake, standing=Status.REFUSED) == []
    # What was made good is a copy of another report, so its lines count once.
    assert [finding.partition(" says again what ")[0] for finding in result.findings] == [name]
    assert len(held(settings)["oci_cost"]) == sum(item.rows for item in tenancy.written.of(OciReport.COST))
