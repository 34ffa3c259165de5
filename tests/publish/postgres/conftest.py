"""A database to publish to, and a lake that does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.publish import PostgresSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.publish.postgres.publisher import publish_to_postgres
from tests.publish.backbone.lakes import PushingLake
from tests.services.postgres import PostgresServer

NOW = datetime(2026, 12, 5, tzinfo=UTC)
FEW_AND_MANY = pytest.mark.parametrize("many", [100, 1], ids=["few-rows", "many-rows"])
"""A month whose rows are among the others', and one that has a table of its own."""


class Database:
    """A database of its own, and a lake that publishes to it."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.server = server
        self.name = server.make_database()
        self.made = PushingLake(folder, [])
        self.configure()

    def configure(self, **options: Any) -> None:
        document = yaml.safe_load(self.made.config.read_text())
        document["publish"] = {"postgres": {"url": self.server.url(self.name), "schema": "costs", **options}}
        self.made.config.write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def settings(self) -> PostgresSettings:
        found = load_settings(self.made.config).publish.postgres
        assert found is not None
        return found

    def publish(self, lake: Lake | None = None) -> list[str]:
        """One pass; the months that it replaced."""
        report = publish_to_postgres(lake or self.made.lake, self.settings, clock=lambda: NOW)
        return [str(slice_) for slice_ in report.slices]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection:
            return [tuple(row) for row in connection.execute(text(sql)).fetchall()]

    def costs(self) -> list[Decimal]:
        return [row[0] for row in self.ask("select billed_cost from costs.daily_costs order by usage_date")]


@pytest.fixture
def database(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Database]:
    made = Database(tmp_path, postgres_server)
    yield made
    postgres_server.drop_database(made.name)
