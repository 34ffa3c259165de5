"""Runs queries at Athena: waits for them, stops them, tries again, and counts what they scanned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cost_lakehouse.config import SourceSettings
from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.aws.athena.errors import AthenaErrors, OverTheCap
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_causes import S3_FAILURES, error_code

ATTEMPTS = 8  # of a request: Athena throttles
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 3.0
PAGE_ROWS = 1000  # the most that Athena gives at once
SMALLEST_CHARGE_BYTES = 10_000_000  # a query costs at least as much as scanning this
TERABYTE = 10**12
CLOCKS_DIFFER = timedelta(minutes=5)
_NOT_THERE = ("MetadataException", "EntityNotFoundException", "ResourceNotFoundException")

Row = list[str | None]


@dataclass(frozen=True)
class Executed:
    """A query that succeeded. ``manifest`` is where UNLOAD lists its files."""

    query_id: str
    bytes_scanned: int
    submitted: datetime
    manifest: str | None = None


@dataclass
class Spent:
    """What queries have scanned, and about what AWS asks for that."""

    price_per_tb: Decimal
    queries: int = 0
    bytes_scanned: int = 0
    price: Decimal = Decimal(0)

    def add(self, scanned: int, queries: int = 1) -> None:
        """Count a query."""
        self.queries += queries
        self.bytes_scanned += scanned
        self.price += max(scanned, SMALLEST_CHARGE_BYTES) * self.price_per_tb / TERABYTE


class AthenaQueries:
    """One source's way to Athena. Every method raises SourceError with cause and fix."""

    def __init__(self, source: SourceSettings, athena: AthenaSettings, pause: Callable[[float], None] = time.sleep) -> None:
        self._athena = athena
        self._errors = AthenaErrors(source, athena)
        self._client = _client(source, athena, self._errors)
        self._pause = pause
        self._started = datetime.now(UTC)
        self.spent = Spent(athena.price_per_tb)

    def describe(self, table: str) -> dict[str, str] | None:
        """Every column of a table of the database, partition keys too, with its type; None where there is no such table."""
        athena = self._athena
        try:
            answer = self._client.get_table_metadata(CatalogName=athena.catalog, DatabaseName=athena.database, TableName=table)[
                "TableMetadata"
            ]
        except S3_FAILURES as error:
            if isinstance(error, ClientError) and error_code(error) in _NOT_THERE and "denied" not in str(error).lower():
                return None
            raise self._errors.explain(error) from None
        columns = [*answer.get("Columns", ()), *answer.get("PartitionKeys", ())]
        return {column["Name"]: column.get("Type", "string") for column in columns}

    def run(self, sql: str, token: str | None = None, limit: int | None = None) -> Executed:
        """Run a query to its end. The same ``token`` and SQL are one query for AWS, whoever asks and however often.

        Raises QueryFailed where it does not succeed, OverTheCap where it has scanned more than ``limit`` bytes while it runs.
        It is stopped where the wait for it is broken off.
        """
        query_id = self._start(sql, token)
        try:
            return self._wait(query_id, limit)
        except SourceError:
            raise
        except BaseException:
            with suppress(*S3_FAILURES):
                self._client.stop_query_execution(QueryExecutionId=query_id)
            raise

    def rows(self, sql: str) -> list[Row]:
        """A small result."""
        return [row for page in self.pages(self.run(sql)) for row in page]

    def pages(self, executed: Executed) -> Iterator[list[Row]]:
        """A SELECT's rows, a page at a time; every value is text as Athena writes it, None is null."""
        first, token = True, None
        while first or token:
            more: dict[str, Any] = {"NextToken": token} if token else {}
            try:
                answer = self._client.get_query_results(QueryExecutionId=executed.query_id, MaxResults=PAGE_ROWS, **more)
            except S3_FAILURES as error:
                raise self._errors.explain(error) from None
            rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]
            yield rows[1:] if first else rows  # the first row of the first page are the names
            first, token = False, answer.get("NextToken")

    def is_old(self, submitted: datetime) -> bool:
        """Whether a query was begun well before this way to Athena was made; clocks may differ a little."""
        return submitted < self._started - CLOCKS_DIFFER

    def _start(self, sql: str, token: str | None) -> str:
        athena = self._athena
        request: dict[str, Any] = {
            "QueryString": sql,
            "QueryExecutionContext": {"Catalog": athena.catalog, "Database": athena.database},
            "WorkGroup": athena.workgroup,
        }
        if athena.results is not None:
            request["ResultConfiguration"] = {"OutputLocation": f"{athena.results}/queries/"}
        if token is not None:
            request["ClientRequestToken"] = token
        try:
            return str(self._client.start_query_execution(**request)["QueryExecutionId"])
        except S3_FAILURES as error:
            raise self._errors.explain(error) from None

    def _wait(self, query_id: str, limit: int | None) -> Executed:
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                found = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            except S3_FAILURES as error:
                raise self._errors.explain(error) from None
            status, statistics = found["Status"], found.get("Statistics", {})
            scanned = int(statistics.get("DataScannedInBytes", 0))
            if status["State"] == "SUCCEEDED":
                self.spent.add(scanned)
                return Executed(query_id, scanned, status["SubmissionDateTime"], statistics.get("DataManifestLocation"))
            if status["State"] in ("FAILED", "CANCELLED"):
                if scanned:
                    self.spent.add(scanned)
                retryable = bool(status.get("AthenaError", {}).get("Retryable"))
                said = status.get("StateChangeReason", "no reason given")
                old = self.is_old(status["SubmissionDateTime"])
                raise self._errors.failed(status["State"], said, may_pass=retryable, is_old=old)
            if limit is not None and scanned > limit:
                self.spent.add(scanned)
                gigabytes = self._athena.max_scanned_gb or 0.0
                raise OverTheCap(f"A query was stopped after it had scanned {scanned:,} bytes", gigabytes)
            self._pause(wait)
            wait = min(wait * 1.5, LONGEST_WAIT_SECONDS)


def _client(source: SourceSettings, athena: AthenaSettings, errors: AthenaErrors) -> Any:
    try:
        session, region = session_of(source)
        config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
        return session.client("athena", region_name=athena.region or region, endpoint_url=athena.endpoint, config=config)
    except BotoCoreError as error:
        raise errors.explain(error) from None
    except ValueError:
        raise SourceError(
            f"Source {source.name}: Athena's address or region is not valid.", "Correct `athena.region`."
        ) from None
