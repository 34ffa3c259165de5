"""A lake whose source is a table in Athena, on sample bills that lie as AWS lays them out for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.aws.athena.source import AthenaSource
from cost_lakehouse.sources.aws.athena.table import AthenaTable
from cost_lakehouse.sources.delivery import Delivery, Finding
from cost_lakehouse.sources.registry import open_source
from sample_bills import Bill, BillDelivery, FileFormat, Report, Versioning, write_delivery
from tests.services.athena import AthenaServer
from tests.services.s3 import S3Server

OCTOBER = date(2026, 10, 1)
LEGACY = Bill(
    months=(date(2026, 9, 1), OCTOBER), rows=300, seed=11, file_format=FileFormat.PARQUET, versioning=Versioning.OVERWRITE
)
YEAR_MONTH = {"year": "string", "month": "string"}
_TINY = pa.schema(
    {
        "identity_line_item_id": pa.string(),
        "bill_payer_account_id": pa.string(),
        "line_item_line_item_type": pa.string(),
        "line_item_usage_start_date": pa.timestamp("us"),
        "line_item_currency_code": pa.string(),
        "line_item_unblended_cost": pa.float64(),
        "resource_tags_user_team": pa.string(),
    }
)
# Of a lake's rows: where they came from differs by the way they came.
_OF_THE_WAY = ("source", "delivery_id", "file_name", "row_number")


class AthenaWorkshop:
    """A folder with bills, Athena over them, and a lake."""

    def __init__(self, folder: Path, athena: AthenaServer, s3: S3Server, bucket: str) -> None:
        self.folder, self.athena, self.s3, self.bucket = folder, athena, s3, bucket
        self.bill = LEGACY
        self.configure()

    def configure(self, *, pages: bool = False, **athena: Any) -> None:
        """Write lakehouse.yaml; options are those of ``athena``."""
        given = {
            "database": "billing",
            "table": "cur",
            "endpoint": self.athena.endpoint,
            "results": None if pages else self.results,
            **athena,
        }
        source = {
            "name": "acme",
            "kind": "aws_athena",
            "endpoint": self.s3.endpoint,
            "region": self.s3.region,
            "access_key": self.s3.access_key,
            "secret_key": self.s3.secret_key,
            "athena": {key: value for key, value in given.items() if value is not None},
        }
        document = {"lake": {"first_month": "2026-01"}, "sources": [source]}
        (self.folder / "lakehouse.yaml").write_text(json.dumps(document))  # JSON is YAML

    @property
    def results(self) -> str:
        """Where Athena may write."""
        return f"s3://{self.bucket}/{self.folder.name}"

    @property
    def settings(self) -> Settings:
        """What lakehouse.yaml says now."""
        return load_settings(self.folder / "lakehouse.yaml")

    @property
    def table_folder(self) -> Path:
        """Where the legacy table's partitions lie."""
        return self.folder / "bills" / self.bill.location / self.bill.report_name

    def deliver(self, day: int = 3, month: date = OCTOBER, files: int = 2, **options: Any) -> None:
        """AWS writes the month anew, on that day of November 2026, and its crawler sees it."""
        moment = datetime(2026, 11, day, 5, 30, tzinfo=UTC)
        delivery = BillDelivery(month=month, delivered_at=moment, files=files, **options)
        write_delivery(self.folder / "bills", self.bill, delivery)
        self.athena.add_table("billing", "cur", self.table_folder, YEAR_MONTH)
        self.athena.add_table("billing", "cost_and_usage_data_status", self.table_folder / "cost_and_usage_data_status", {})

    def deliver_cur_2(self, day: int = 3) -> None:
        """AWS writes October of a CUR 2.0 export."""
        self.bill = replace(LEGACY, report=Report.CUR_2, period_folder="billing_period")
        delivery = BillDelivery(month=OCTOBER, delivered_at=datetime(2026, 11, day, 5, 30, tzinfo=UTC), files=2)
        written = write_delivery(self.folder / "bills", self.bill, delivery)
        self.athena.add_table("billing", "cur", written.files[0].parents[1], {"billing_period": "string"})

    def put(self, costs: Mapping[int, float], starts: Mapping[int, datetime | None] | None = None, day: int = 3) -> None:
        """A tiny legacy table: October's rows by line item id, with the cost and the start of usage of each."""
        rows = [
            {
                "identity_line_item_id": f"id-{number:05d}",
                "bill_payer_account_id": "111111111111",
                "line_item_line_item_type": "Usage",
                "line_item_usage_start_date": (starts or {}).get(number, datetime(2026, 10, 1 + number % 31, number % 24)),
                "line_item_currency_code": "USD",
                "line_item_unblended_cost": cost,
                "resource_tags_user_team": "",
            }
            for number, cost in costs.items()
        ]
        file = self.table_folder / "year=2026/month=10/hourly-cur-00001.snappy.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, _TINY), file)
        moment = datetime(2026, 11, day, 5, 30, tzinfo=UTC).timestamp()
        os.utime(file, (moment, moment))
        self.athena.add_table("billing", "cur", self.table_folder, YEAR_MONTH)

    def read(self) -> pa.Table:
        """October as the load would read it."""
        (whole,) = self.delivery().objects
        with self.store().open(whole) as stream:
            return pq.read_table(stream)

    def opened(self) -> AthenaSource:
        """The source, opened anew."""
        settings = self.settings
        opened = open_source(settings, settings.source("acme"))
        assert isinstance(opened, AthenaSource)
        return opened

    def store(self) -> AthenaTable:
        """A new way to the table."""
        return self.opened().table

    def findings(self, month: date | None = None) -> list[Finding]:
        """What discovery finds."""
        return list(self.opened().list_deliveries(month).months)

    def delivery(self, month: date = OCTOBER) -> Delivery:
        """The complete delivery that is there now."""
        (finding,) = self.findings(month)
        assert isinstance(finding.delivery, Delivery), finding.reason
        return finding.delivery

    def load(self, month: date = OCTOBER, *, force: bool = False) -> LoadResult:
        """Load what is there now."""
        return load_delivery(Lake(self.settings), self.opened(), self.delivery(month), force=force)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the lake."""
        with connect(Lake(self.settings)) as connection:
            return connection.execute(sql).fetchall()

    def rows(self) -> list[str]:
        """Every row of the lake without where it came from, as text."""
        return bill_rows(self.settings)

    def rows_of_the_files(self, kind: str = "aws_cur") -> list[str]:
        """The rows of a lake of its own that reads the same bill's files as they lie there."""
        folder = self.folder / "files"
        folder.mkdir()
        source = {"name": "files", "kind": kind, "location": f"../bills/{self.bill.location}"}
        (folder / "lakehouse.yaml").write_text(json.dumps({"lake": {"first_month": "2026-01"}, "sources": [source]}))
        settings = load_settings(folder / "lakehouse.yaml")
        (finding,) = open_source(settings, settings.sources[0]).list_deliveries(OCTOBER).months
        assert isinstance(finding.delivery, Delivery), finding.reason
        load_delivery(Lake(settings), open_source(settings, settings.sources[0]), finding.delivery)
        return bill_rows(settings)


def bill_rows(settings: Settings) -> list[str]:
    """Every row of a lake without where it came from, as text."""
    with connect(Lake(settings)) as connection:
        rows = connection.execute(f"select * exclude ({', '.join(_OF_THE_WAY)}) from raw.aws_cur").fetchall()
    return sorted(map(repr, rows))


@contextmanager
def athena_server(s3: S3Server) -> Iterator[AthenaServer]:
    """Athena over that S3 server."""
    server = AthenaServer(s3).start()
    try:
        yield server
    finally:
        server.stop()
