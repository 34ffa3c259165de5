"""What many lakehouses in one pane cost, and what PostgreSQL costs beside a plain ``COPY`` of the same rows.

``python -m benchmarks.fleet`` writes what ``--writers`` lakehouses push of ``--months`` months into a real S3 server, and
measures a look without news, its requests, and one changed month: as one source of all writers and as a source of each. Then it
publishes ``--rows`` rows of daily costs to a real PostgreSQL, and copies the same file into a table without index there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from hashlib import sha256
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import psutil  # type: ignore[import-untyped]  # its stubs are no dependency
import psycopg2  # type: ignore[import-untyped]  # its stubs are no dependency
import pyarrow as pa
import yaml
from pyarrow import parquet as pq

from benchmarks.servers import postgres_and_s3
from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.loads import last_load_property
from cost_lakehouse.lake.replace import replace_files, replace_slices
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import append_rows, replace_rows
from cost_lakehouse.lake.tables import RECEIPTS
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import plan_delivered
from cost_lakehouse.publish.postgres.publisher import publish_to_postgres
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.lakehouse.layout import (
    MANIFEST,
    CurrencyTotals,
    Manifest,
    PushedFile,
    PushedMonth,
    month_folder,
)
from cost_lakehouse.sources.lakehouse.months import TABLE
from cost_lakehouse.sources.registry import open_source
from tests.lake.stores import store_of
from tests.publish.backbone.lakes import DAILY, STATUS
from tests.services.postgres import PostgresServer
from tests.services.s3 import S3Server

NOW = datetime(2026, 12, 5, tzinfo=UTC)
FIRST = date(2024, 12, 1)


def main() -> None:
    """Measure, and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--writers", type=int, default=200)
    arguments.add_argument("--months", type=int, default=24)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--only", choices=("pane", "postgres"))
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleet-") as text, postgres_and_s3(Path(text)) as (postgres, s3):
        folder = Path(text)
        if given.only != "postgres":
            pane(folder, s3, given.writers, given.months)
        if given.only != "pane":
            tables(folder, postgres, given.rows)


def months_from(first: date, count: int) -> list[date]:
    """So many months."""
    numbers = [first.year * 12 + first.month - 1 + number for number in range(count)]
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


def month_of(writer: str, account: str, month: date, amount: Decimal, pushed_at: datetime) -> tuple[PushedMonth, bytes]:
    """A writer's month of a row a day, and its file."""
    days = range(1, 29)
    columns: dict[str, Any] = {
        "source": "payer", "provider": "aws", "billing_period": month, "delivery_id": "d1", "account_id": account,
        "service": "AmazonEC2", "region": "eu-central-1", "currency_code": "USD", "billed_cost": amount,
        "effective_cost": amount,
        "line_item_count": 10, "payer_account_id": account, "bill_state": "invoiced", "invoice_ids": None, "writer": writer,
        "lake_id": writer, "load_id": "l1", "receipt_digest": sha256(writer.encode()).hexdigest(),
    }  # fmt: skip
    rows = [{**columns, "daily_costs_id": f"{writer}{month}{day}", "usage_date": month.replace(day=day)} for day in days]
    own = ("payer_account_id", "bill_state", "invoice_ids", "writer", "lake_id", "load_id", "receipt_digest")
    schema = pa.schema([*DAILY, *(pa.field(name, pa.string()) for name in own)])
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    content = sink.getvalue()
    digest = sha256(content).hexdigest()
    path = f"{month_folder('payer', month)}/daily_costs-{digest[:32]}.parquet"
    total = CurrencyTotals("USD", len(rows), {"billed_cost": amount * len(rows), "effective_cost": amount * len(rows)})
    pushed = PushedMonth(
        "payer", month, digest[:32], pushed_at, "d1", "l1", columns["receipt_digest"], "invoiced",
        PushedFile(f"{month_folder('payer', month)}/{digest[:32]}.json", 0, 1, digest),
        {"daily_costs": (PushedFile(path, len(rows), len(content), digest),)}, {"daily_costs": (total,)}, ((account, account),),
    )  # fmt: skip
    return pushed, content


def pane(folder: Path, s3: S3Server, writers: int, months: int) -> None:
    """The pane's table."""
    bucket = s3.make_bucket()
    fleet = Fleet(s3, f"s3://{bucket}/fleet", [f"writer-{number:03}" for number in range(writers)], months_from(FIRST, months))
    fleet.write()
    access = {"endpoint": s3.endpoint, "region": s3.region, "access_key": s3.access_key, "secret_key": s3.secret_key}
    place_of = {"kind": "lakehouse", "location": fleet.place, **access}
    print(f"\n{writers} writers, {months} months each, in a real S3 server\n")
    heads = (
        "the first look ever, s", "requests", "the next in a new process, s", "in the same process, s",
        "one writer's changed month, s", "requests",
    )  # fmt: skip
    print(f"| as | {' | '.join(heads)} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    shapes: list[tuple[str, list[dict[str, Any]]]] = [
        ("one source of all writers", [{"name": "fleet", **place_of}]),
        ("a source of each writer", [{"name": name, "writer": name, **place_of} for name in fleet.names]),
    ]
    for number, (label, sources) in enumerate(shapes, 1):
        settings = configured(folder / label.replace(" ", "-"), sources)
        lake = Lake(settings)
        put_on_record(settings, lake, fleet.months[-1])
        opened = open_source(settings, settings.sources[0])
        load_delivery(lake, opened, delivery_of(settings, fleet.months[-1]))
        with counted() as requests:
            first = timed(partial(look, settings, lake))
        assert look(settings, lake) == 0  # noqa: S101 - else it is no look without news
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            new = pool.submit(looked, settings.file).result()
        again = timed(partial(look, settings, lake))
        fleet.change(Decimal("1.25") + number)
        delivery = delivery_of(settings, fleet.months[-1])
        with counted() as read:
            changed = timed(partial(load_delivery, lake, opened, delivery))
        print(f"| {label} | {first:.2f} | {len(requests)} | {new:.2f} | {again:.2f} | {changed:.2f} | {len(read)} |")


class Fleet:
    """What writers push, written as they lay it out."""

    def __init__(self, s3: S3Server, place: str, names: Sequence[str], months: Sequence[date]) -> None:
        self.s3 = s3
        self.place = place
        self.names = names
        self.months = months
        self._first: tuple[PushedMonth, ...] = ()

    def write(self) -> None:
        """All months of all writers, several at a time."""
        with ThreadPoolExecutor(8) as pool:
            pushed = list(pool.map(self._write, range(len(self.names))))
        self._first = pushed[0]

    def _write(self, number: int) -> tuple[PushedMonth, ...]:
        written = [month_of(self.names[number], f"{number:012}", month, Decimal("1.25"), NOW) for month in self.months]
        self._put(self.names[number], written)
        self._name(self.names[number], NOW, [pushed for pushed, _ in written])
        return tuple(pushed for pushed, _ in written)

    def change(self, amount: Decimal) -> None:
        """The first writer pushes its newest month again."""
        now = datetime.now(UTC)
        written = month_of(self.names[0], f"{0:012}", self.months[-1], amount, now)
        self._put(self.names[0], [written])
        self._name(self.names[0], now, [*self._first[:-1], written[0]])

    def _put(self, name: str, written: Sequence[tuple[PushedMonth, bytes]]) -> None:
        place = S3Warehouse(f"{self.place}/{name}", store_of(self.s3))
        for pushed, content in written:
            place.write(pushed.files["daily_costs"][0].path, content, only_new=False)

    def _name(self, name: str, at: datetime, months: Sequence[PushedMonth]) -> None:
        place = S3Warehouse(f"{self.place}/{name}", store_of(self.s3))
        place.write(MANIFEST, Manifest(name, name, at, tuple(months)).to_bytes(), only_new=False)


def delivery_of(settings: Settings, month: date) -> Delivery:
    """What the first source delivers of a month."""
    (found,) = open_source(settings, settings.sources[0]).list_deliveries(month).months
    assert found.delivery is not None  # noqa: S101 - it was written
    return found.delivery


def put_on_record(settings: Settings, lake: Lake, but: date) -> None:
    """Say that everything but the first source's newest month is loaded: reading 4,800 months is not what is measured."""
    rows: dict[Slice, list[dict[str, Any]]] = {}
    last: dict[str, str] = {}
    for number, source in enumerate(settings.sources):
        for finding in open_source(settings, source).list_deliveries().months:
            delivery, month = finding.delivery, finding.billing_period
            assert delivery is not None and month is not None  # noqa: S101, PT018 - months were written
            if number == 0 and month == but:
                continue
            receipt = Receipt(
                source.name, month, delivery.delivery_id, f"{source.name}-{month}", ACCEPTED, "", len(delivery.objects), 28,
                delivery.bytes, 0, "[]", 0, NOW, delivery.delivered_at, delivery.fingerprint, "", delivery.table,
            )  # fmt: skip
            row = {
                name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
                for name, value in vars(receipt).items()
            }
            rows[Slice(source.name, month)] = [row]
            last[last_load_property(source.name)] = receipt.load_id
    append_rows(lake, "raw.receipts", RECEIPTS, rows)
    lake.current(TABLE)
    replace_files(lake, TABLE, [], [], lambda table, file: False, table_properties=last)


def look(settings: Settings, lake: Lake) -> int:
    """What a pass does without news: list every source, and compare with what the lake holds; how many months are new."""
    held = holdings(lake)
    new = 0
    for source in settings.sources:
        there = open_source(settings, source).list_deliveries()
        new += sum(one.status is Status.NEW for one in plan_delivered(source.name, there, held, settings.lake.first_month))
    return new


def looked(file: Path) -> float:
    """Seconds of a new process's look, its imports left out."""
    settings = load_settings(file)
    return timed(partial(look, settings, Lake(settings)))


def tables(folder: Path, server: PostgresServer, rows: int) -> None:
    """PostgreSQL's table."""
    url = server.url(server.make_database()).replace("+psycopg2", "")
    settings = configured(folder / "publisher", [], publish={"postgres": {"url": url, "schema": "costs"}})
    lake = Lake(settings)
    month, slice_ = date(2026, 11, 1), Slice("payer", date(2026, 11, 1))
    generated = duckdb.sql(
        f"select md5(i::varchar) as daily_costs_id, 'payer' as source, 'aws' as provider, date '{month}' as billing_period, "
        f"'d1' as delivery_id, date '{month}' + (i % 30)::int as usage_date, lpad((i % 997)::varchar, 12, '0') as account_id, "
        "'Service' || (i % 211) as service, 'eu-central-' || (i % 17) as region, 'USD' as currency_code, "
        "((i * 7919) % 1000003 / 1000)::decimal(38, 20) as billed_cost, ((i * 7907) % 1000003 / 1000)::decimal(38, 20) "
        f"as effective_cost, (i % 50)::bigint as line_item_count from range({rows}) numbers(i)"
    )
    lake.create_table("marts.daily_costs", DAILY)
    lake.create_table("marts.bill_status", STATUS)
    status = {"source": "payer", "billing_period": month, "delivery_id": "d1", "state": "estimated", "currency_code": "USD"}
    kept(lake, slice_, generated.to_arrow_table().cast(DAILY))
    replace_rows(lake, "marts.bill_status", STATUS, {slice_: [status]})
    file = folder / "rows.csv"
    duckdb.sql("select * from generated order by daily_costs_id").write_csv(str(file), header=False)
    database = settings.publish.postgres
    assert database is not None  # noqa: S101 - it is configured above
    print(f"\n{rows:,} rows of daily costs in a real PostgreSQL\n")
    print("| | seconds | times plain | CPU seconds, the server's too | times plain |\n|---|---|---|---|---|")
    plain = best_of_three(server, lambda: copied(url, file))
    ours = best_of_three(server, lambda: publish_to_postgres(lake, database, again=True))
    said = "plain `COPY` of the same file, no index, nothing checked", "published: out of the lake, replaced, indexed, added up"
    for label, (seconds, processor) in zip(said, (plain, ours), strict=True):
        print(f"| {label} | {seconds:.2f} | {seconds / plain[0]:.2f} | {processor:.2f} | {processor / plain[1]:.2f} |")


def best_of_three(server: PostgresServer, work: Callable[[], object]) -> tuple[float, float]:
    """The shortest time, and the least time of processors: other work on a machine disturbs this one less."""
    times = []
    for _ in range(3):
        before = processor_seconds(server)
        seconds = timed(work)
        times.append((seconds, processor_seconds(server) - before))
    return min(seconds for seconds, _ in times), min(processor for _, processor in times)


def processor_seconds(server: PostgresServer) -> float:
    """What this process and the server have used, with the server's processes, of which ended ones need a moment to count."""
    time.sleep(0.5)
    own, postmaster = psutil.Process(), psutil.Process(server.process.pid)
    used = sum(own.cpu_times()[:2]) + sum(postmaster.cpu_times()[:4])
    return float(used + sum(sum(child.cpu_times()[:2]) for child in postmaster.children()))


def kept(lake: Lake, slice_: Slice, rows: pa.Table) -> None:
    """Make these the rows of a month of daily costs, without a dictionary a row."""
    load_id, folder = new_load_id(), lake.data_folder("marts.daily_costs", slice_)
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        for batch in rows.to_batches(64 * 1024):
            writer.write(batch)
        writer.close()
        replace_slices(lake, "marts.daily_costs", [slice_], lake.warehouse.keep(writer.files, folder))


def copied(url: str, file: Path) -> None:
    """The floor: the same rows into a table of the same columns."""
    kinds = {"decimal128(38, 20)": "numeric(38,20)", "string": "text", "date32[day]": "date", "int64": "bigint"}
    columns = ", ".join(f"{field.name} {kinds[str(field.type)]}" for field in DAILY)
    database = psycopg2.connect(url)
    with database, database.cursor() as cursor, file.open("rb") as rows:
        cursor.execute(f"drop table if exists plain; create table plain ({columns})")
        cursor.copy_expert("copy plain from stdin with (format csv)", rows)
    database.close()


def configured(folder: Path, sources: Sequence[dict[str, Any]], **more: Any) -> Settings:
    """A lakehouse.yaml in a new folder."""
    folder.mkdir()
    document = {"lake": {"first_month": f"{FIRST:%Y-%m}"}, "sources": list(sources), **more}
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(folder / "lakehouse.yaml")


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def counted() -> Iterator[list[str]]:
    """Every request to S3 meanwhile, by its operation."""
    from botocore.client import BaseClient

    made: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, parameters: Any) -> Any:
        made.append(operation)
        return original(self, operation, parameters)

    BaseClient._make_api_call = call  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        BaseClient._make_api_call = original  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
