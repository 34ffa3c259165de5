"""Athena on this machine: its API over HTTP, its SQL by DuckDB on Parquet files, its UNLOAD into a real S3 server."""

from __future__ import annotations

import io
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.services.s3 import S3Server

PAGE_ROWS = 1000
_UNLOAD = re.compile(
    r"UNLOAD \((.*)\) TO 's3://([^/']+)/([^']*)' WITH \(format = 'PARQUET', compression = 'SNAPPY'\)", re.DOTALL
)
_TABLE = re.compile(r'FROM "([^"]+)"\."([^"]+)"')
_PARTITION = re.compile(r'("year" = \S+ AND "month" IN \([^)]*\)|"billing_period" = \S+)')
_HIDDEN = ('"$path"', '"$file_size"', '"$file_modified_time"')


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass
class GlueTable:
    """A table of the catalog: the Parquet files below a folder, partitioned as their folders say."""

    folder: Path
    partitions: Mapping[str, str]
    tells_files: bool = True  # a view does not know them

    def files(self) -> list[Path]:
        """Its files."""
        status = "cost_and_usage_data_status"  # lies below a legacy report's table, and is a table of its own
        found = self.folder.rglob("*.parquet")
        return sorted(entry for entry in found if status not in entry.relative_to(self.folder).parts)


@dataclass
class Query:
    """A query that was started."""

    query_id: str
    sql: str
    token: str
    output: str
    submitted: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "QUEUED"
    reason: str = ""
    retryable: bool = False
    scanned: int = 0
    manifest: str | None = None
    names: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    looks: int = 0


@dataclass
class Rule:
    """What happens to queries whose SQL contains ``match``, so many times."""

    match: str
    times: int
    act: Callable[[Query], None]


class AthenaServer:
    """One region with one catalog. ``running_looks`` is how often a query is found running before it is done."""

    def __init__(self, s3: S3Server | None = None) -> None:
        self.s3 = s3
        self.tables: dict[tuple[str, str], GlueTable] = {}
        self.queries: list[Query] = []
        self.running_looks = 0
        self.calls: list[str] = []
        self._rules: list[Rule] = []
        self._refusals: list[tuple[str, Refused, int]] = []
        self._lock = threading.RLock()
        self._http = _Http(self)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> AthenaServer:
        """Answer from now on."""
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._http.server_close()

    def add_table(
        self, database: str, name: str, folder: Path, partitions: Mapping[str, str], *, tells_files: bool = True
    ) -> GlueTable:
        """Put a table into the catalog."""
        self.tables[database, name] = table = GlueTable(folder, partitions, tells_files)
        return table

    def on(self, match: str, act: Callable[[Query], None], times: int = 1) -> None:
        """Do something when a query that contains ``match`` is started, before it runs."""
        self._rules.append(Rule(match, times, act))

    def fail(self, match: str, reason: str, *, times: int = 1, retryable: bool = False) -> None:
        """Let queries that contain ``match`` end as FAILED."""

        def act(query: Query) -> None:
            query.state, query.reason, query.retryable = "FAILED", reason, retryable

        self.on(match, act, times)

    def refuse(self, action: str, kind: str, message: str, times: int = 1) -> None:
        """Answer requests for an action with an error."""
        self._refusals.append((action, Refused(kind, message), times))

    def sent(self, text: str) -> list[Query]:
        """The queries whose SQL contains a text, in order."""
        return [query for query in self.queries if text in query.sql]

    def answer(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        """What the API answers."""
        with self._lock:
            self.calls.append(action)
            for index, (refused, error, times) in enumerate(self._refusals):
                if refused == action and times > 0:
                    self._refusals[index] = (refused, error, times - 1)
                    raise error
            handler = {
                "GetTableMetadata": self._metadata,
                "StartQueryExecution": self._start,
                "GetQueryExecution": self._execution,
                "GetQueryResults": self._results,
                "StopQueryExecution": self._stop,
            }.get(action)
            if handler is None:
                raise Refused("InvalidRequestException", f"Unknown action {action}")
            return handler(request)

    def _metadata(self, request: dict[str, Any]) -> dict[str, Any]:
        table = self.tables.get((request["DatabaseName"], request["TableName"]))
        if table is None:
            raise Refused("MetadataException", f"EntityNotFoundException: Entity Not Found: {request['TableName']}")
        schema = pq.read_schema(table.files()[0])
        columns = [
            {"Name": named.name, "Type": _hive_type(named.type)} for named in schema if named.name not in table.partitions
        ]
        keys = [{"Name": name, "Type": kind} for name, kind in table.partitions.items()]
        return {"TableMetadata": {"Name": request["TableName"], "Columns": columns, "PartitionKeys": keys}}

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        sql, token = request["QueryString"], request["ClientRequestToken"]
        assert len(token) >= 32, "AWS asks for 32 characters at least"
        for candidate in self.queries:
            if candidate.token == token:
                if candidate.sql != sql:
                    raise Refused("InvalidRequestException", "Idempotent parameters do not match")
                return {"QueryExecutionId": candidate.query_id}
        output = request.get("ResultConfiguration", {}).get("OutputLocation", "")
        query = Query(str(uuid.uuid4()), sql, token, output)
        self.queries.append(query)
        for rule in self._rules:
            if rule.times > 0 and rule.match in sql:
                rule.times -= 1
                rule.act(query)
        if query.state == "QUEUED":
            try:
                self._execute(query)
                query.state = "DONE"
            except duckdb.Error as error:
                query.state, query.reason = "FAILED", " ".join(str(error).split())
            except Refused as error:
                query.state, query.reason = "FAILED", str(error)
        return {"QueryExecutionId": query.query_id}

    def _find(self, request: dict[str, Any]) -> Query:
        for query in self.queries:
            if query.query_id == request["QueryExecutionId"]:
                return query
        raise Refused("InvalidRequestException", "QueryExecution was not found")

    def _execution(self, request: dict[str, Any]) -> dict[str, Any]:
        query = self._find(request)
        query.looks += 1
        if query.state == "DONE" and query.looks > self.running_looks:
            query.state = "SUCCEEDED"
        state = "RUNNING" if query.state == "DONE" else query.state
        status: dict[str, Any] = {"State": state, "SubmissionDateTime": query.submitted.timestamp()}
        if query.reason:
            status["StateChangeReason"] = query.reason
            status["AthenaError"] = {"ErrorCategory": 2, "Retryable": query.retryable, "ErrorMessage": query.reason}
        statistics: dict[str, Any] = {"DataScannedInBytes": query.scanned}
        if query.manifest:
            statistics["DataManifestLocation"] = query.manifest
        return {"QueryExecution": {"QueryExecutionId": query.query_id, "Status": status, "Statistics": statistics}}

    def _results(self, request: dict[str, Any]) -> dict[str, Any]:
        query = self._find(request)
        if query.state != "SUCCEEDED":
            raise Refused("InvalidRequestException", f"Query did not finish successfully. Final query state: {query.state}")
        most = int(request.get("MaxResults", PAGE_ROWS))
        start = int(request.get("NextToken") or 0)
        rows = [cast("list[str | None]", query.names), *query.rows][start : start + most]
        data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
        answer: dict[str, Any] = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": []}}}
        if start + most < len(query.rows) + 1:
            answer["NextToken"] = str(start + most)
        return answer

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        query = self._find(request)
        query.state, query.reason = "CANCELLED", "Query cancelled by user"
        return {}

    def _execute(self, query: Query) -> None:
        unload = _UNLOAD.fullmatch(query.sql)
        sql = unload.group(1) if unload else query.sql
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set timezone = 'UTC'; create macro json_format(x) as cast(x as varchar)")
            for (database, name), table in self.tables.items():
                connection.execute(f'create schema if not exists "{database}"')
                connection.execute(f'create view "{database}"."{name}" as {_view(table)}')
            query.scanned = _scanned(connection, sql)
            result = connection.execute(sql).to_arrow_table()
        if unload:
            self._write(query, result, unload.group(2), unload.group(3))
        else:
            query.names = result.column_names
            query.rows = [[_text(value) for value in row.values()] for row in result.to_pylist()]

    def _write(self, query: Query, rows: pa.Table, bucket: str, prefix: str) -> None:
        """Two files where there are rows enough, as several writers leave them; none where there is no row."""
        assert self.s3 is not None, "UNLOAD needs an S3 server"
        client = self.s3.client()
        if client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
            raise Refused("", f"HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: s3://{bucket}/{prefix}")
        half = (rows.num_rows + 1) // 2
        addresses = []
        for part in (rows.slice(0, half), rows.slice(half)):
            if part.num_rows:
                content = io.BytesIO()
                pq.write_table(part, content, compression="snappy")
                key = f"{prefix}{uuid.uuid4()}"
                client.put_object(Bucket=bucket, Key=key, Body=content.getvalue())
                addresses.append(f"s3://{bucket}/{key}\n")
        output_bucket, _, output = query.output.removeprefix("s3://").partition("/")
        key = f"{output}{query.query_id}-manifest.csv"
        client.put_object(Bucket=output_bucket, Key=key, Body="".join(addresses).encode())
        query.manifest = f"s3://{output_bucket}/{key}"


def _view(table: GlueTable) -> str:
    files = table.files()
    names = ", ".join(f"'{path}'" for path in files)
    types = ", ".join(f"'{name}': {'varchar' if kind == 'string' else kind}" for name, kind in table.partitions.items())
    hive = f"hive_partitioning = true, hive_types = {{{types}}}" if types else "hive_partitioning = false"
    rows = f"read_parquet([{names}], {hive}, filename = true, union_by_name = true)"
    if not table.tells_files:
        return f"select * exclude (filename) from {rows}"
    listed = ", ".join(
        f"('{path}', 's3://bill/{path.relative_to(table.folder)}', {path.stat().st_size}, to_timestamp({path.stat().st_mtime}))"
        for path in files
    )
    hidden = ", ".join(_HIDDEN)
    chosen = "d.* exclude (filename), f.* exclude (local)"
    return f"select {chosen} from {rows} d join (values {listed}) f(local, {hidden}) on d.filename = f.local"


def _scanned(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The bytes of the files of the partitions that the query names; none where no column of them is read."""
    table, partition = _TABLE.search(sql), _PARTITION.search(sql)
    if table is None or '"$path"' in sql or "1 = 0" in sql or not partition:
        return 0
    where = partition.group(1)
    try:
        rows = f'select distinct "$path", "$file_size" as size from "{table.group(1)}"."{table.group(2)}" where {where}'
        found = connection.execute(f"select sum(size) from ({rows})").fetchone()
    except duckdb.BinderException:
        return 1000
    return int(found[0] or 0) if found else 0


def _text(value: Any) -> str | None:
    """A value as Athena writes it (Java's way for doubles)."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _java_double(value)
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
        return text if value.tzinfo is None else f"{text} UTC"
    return str(value)


def _java_double(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = f"{value:.17g}" if float(repr(value)) != value else repr(value)
        return text if "." in text else f"{text}.0"
    mantissa, _, exponent = f"{value:e}".partition("e")
    for digits in range(17):
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _hive_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_map(kind):
        return "map<string,string>"
    if pa.types.is_floating(kind):
        return "double"
    return "bigint" if pa.types.is_integer(kind) else "string"


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, athena: AthenaServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.athena = athena


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        action = self.headers["X-Amz-Target"].removeprefix("AmazonAthena.")
        try:
            status, answer = 200, self.server.athena.answer(action, request)
        except Refused as error:
            status, answer = 400, {"__type": error.kind, "message": str(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests read ``calls`` and ``queries``."""
