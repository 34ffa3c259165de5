"""Trino with fault-tolerant execution, configured as in deploy/trino-retries, builds a small mart of the lake."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.registry import open_source
from tests.builders import line, write_delivery
from tests.deploy.compose import DEPLOY
from tests.services.or_skip import or_skip
from tests.services.postgres import PostgresServer
from tests.services.production import ProductionStack
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer
from tests.services.trino_files import exchange_plugin, trino_files

RETRIES = DEPLOY / "trino-retries"
# Of the 2 GB that a test's Trino has: the defaults are for nodes of 32 GB and more.
SMALL = {
    "fault-tolerant-execution-task-memory": "128MB",
    "fault-tolerant-execution-coordinator-task-memory": "128MB",
    "fault-tolerant-execution-max-partition-count": "4",
    "fault-tolerant-execution-min-partition-count": "1",
    "fault-tolerant-execution-min-partition-count-for-write": "1",
}


def properties(file: Path) -> dict[str, str]:
    """A properties file's keys and values."""
    lines = [entry for entry in file.read_text(encoding="utf-8").splitlines() if entry.strip() and not entry.startswith("#")]
    return dict(entry.split("=", 1) for entry in lines)


@pytest.fixture
def stack(tmp_path: Path, postgres_server: PostgresServer, s3_server: S3Server) -> Iterator[ProductionStack]:
    """The servers of production, with a Trino of its own that keeps in S3 what tasks hand on."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    for plugin in (or_skip(trino_files) / "plugin" / "iceberg", or_skip(exchange_plugin)):
        (plugins / plugin.name).symlink_to(plugin)
    config = properties(RETRIES / "config.properties") | SMALL | {"plugin.dir": str(plugins)}
    trino = TrinoServer(tmp_path / "trino", config=config)
    values = {
        "LAKEHOUSE_S3_ENDPOINT": s3_server.endpoint,
        "LAKEHOUSE_S3_REGION": s3_server.region,
        "LAKEHOUSE_S3_ACCESS_KEY": s3_server.access_key,
        "LAKEHOUSE_S3_SECRET_KEY": s3_server.secret_key,
        "LAKEHOUSE_EXCHANGE": f"s3://{s3_server.make_bucket('exchange')}/trino",
    }
    exchange = (RETRIES / "exchange-manager.properties").read_text(encoding="utf-8")
    for name, value in values.items():
        exchange = exchange.replace(f"${{ENV:{name}}}", value)
    (trino.etc / "exchange-manager.properties").write_text(exchange, encoding="utf-8")
    yield ProductionStack(postgres_server, s3_server, or_skip(trino.start))
    trino.stop()


@pytest.mark.timeout(600)
def test_a_small_mart_is_built_with_retries_of_tasks(stack: ProductionStack, tmp_path: Path) -> None:
    bills = tmp_path / "bills"
    rows = [line(UnblendedCost=f"0.{number:03d}", ProductCode=f"P{number % 3}") for number in range(1, 301)]
    write_delivery(bills, [rows])
    source = {"name": "acme", "kind": "aws_cur", "location": str(bills / "cur/hourly")}
    config = stack.new_lake(tmp_path / "lake", [source])
    settings = load_settings(config)
    opened = open_source(settings, settings.source("acme"))
    (found,) = opened.list_deliveries().months
    assert found.delivery is not None
    load_delivery(Lake(settings), opened, found.delivery)
    catalog = stack.names(config).catalog

    with stack.trino.connect(catalog) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "CREATE TABLE marts.by_product AS SELECT line_item_product_code AS product, "
            "sum(line_item_unblended_cost) AS cost, count(*) AS line_items FROM raw.aws_cur GROUP BY 1"
        )
        assert cursor.fetchall() == [[3]]
        about = requests.get(
            f"{stack.trino.url}/v1/query/{cursor.query_id}", headers={"X-Trino-User": stack.trino.user}, timeout=60
        ).json()

    assert (about["state"], about["retryPolicy"]) == ("FINISHED", "TASK")
    stack.trino.query(  # as marts are published: one statement takes rows out and puts others in
        "MERGE INTO marts.by_product AS old USING (VALUES ('P0', DECIMAL '15.15'), ('P3', DECIMAL '1')) AS new (product, cost) "
        "ON old.product = new.product WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (new.product, new.cost, 1)",
        catalog=catalog,
    )
    # P1: 1, 4, …, 298; P2: 2, 5, …, 299; thousandths each.
    assert sorted(stack.trino.query("SELECT * FROM marts.by_product", catalog=catalog)) == [
        ["P1", Decimal("14.95"), 100],
        ["P2", Decimal("15.05"), 100],
        ["P3", Decimal(1), 1],
    ]
