"""The production setting on one machine: PostgreSQL, an S3 server and Trino, with as many empty lakes on them as tests want."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyiceberg.catalog.sql import SqlCatalog

from tests.services.postgres import PostgresServer
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer, lake_catalog

CATALOG_NAME = "lake"


@dataclass(frozen=True)
class LakeNames:
    """What belongs to one lake: a database, a place in a bucket, and the Trino catalog that reads both."""

    database: str
    warehouse: str
    catalog: str


class ProductionStack:
    """Three running servers. A lake on them is made in a quarter of a second, so every test can have its own."""

    def __init__(self, postgres: PostgresServer, s3: S3Server, trino: TrinoServer) -> None:
        self.postgres = postgres
        self.s3 = s3
        self.trino = trino
        self._bucket: str | None = None
        self._lakes: dict[Path, LakeNames] = {}

    def new_lake(
        self,
        folder: Path,
        sources: Sequence[Mapping[str, Any]] = (),
        first_month: str = "2026-01",
        catalog_properties: Mapping[str, str] | None = None,
        **lake: Any,
    ) -> Path:
        """Make an empty lake, write ``folder/lakehouse.yaml`` for it, and return that file.

        ``lake`` are further keys below ``lake:``, ``catalog_properties`` further properties of the Trino catalog.
        """
        if self._bucket is None:
            self._bucket = self.s3.make_bucket("lakes")
        name = uuid.uuid4().hex[:12]
        names = LakeNames(
            database=self.postgres.make_database(),
            warehouse=f"s3://{self._bucket}/{name}/warehouse",
            catalog=f"lake_{name}",
        )
        self.open_lake(names, catalog_properties)
        config = folder / "lakehouse.yaml"
        write_config(config, {"first_month": first_month} | self.lake_keys(names) | lake, sources)
        self._lakes[config] = names
        return config

    def names(self, config: Path) -> LakeNames:
        """What belongs to the lake of that lakehouse.yaml."""
        return self._lakes[config]

    def drop_lake(self, config: Path) -> None:
        """Take a lake away from Trino and PostgreSQL; its files stay in the bucket, which goes with the server."""
        names = self._lakes.pop(config)
        self.trino.query(f"DROP CATALOG IF EXISTS {names.catalog}", catalog=None)
        self.postgres.drop_database(names.database)

    def open_lake(self, names: LakeNames, catalog_properties: Mapping[str, str] | None = None) -> None:
        """Make the lake's catalog known to Trino, at the addresses that the servers have now."""
        # Trino does not create the catalog's two tables.
        catalog = SqlCatalog(CATALOG_NAME, uri=self.postgres.url(names.database), warehouse=names.warehouse)
        catalog.engine.dispose()
        properties = lake_catalog(self.postgres, names.database, self.s3, names.warehouse) | dict(catalog_properties or {})
        connector = properties.pop("connector.name")
        listed = ", ".join(f'"{name}" = {_quoted(value)}' for name, value in properties.items())
        self.trino.query(f"DROP CATALOG IF EXISTS {names.catalog}", catalog=None)
        self.trino.query(f"CREATE CATALOG {names.catalog} USING {connector} WITH ({listed})", catalog=None)

    def lake_keys(self, names: LakeNames) -> dict[str, Any]:
        """What ``lake:`` of a lakehouse.yaml says of that lake."""
        return {
            "engine": "trino",
            "catalog": self.postgres.url(names.database).replace("+psycopg2", "", 1),
            "warehouse": names.warehouse,
            "trino": {
                "host": self.trino.host,
                "port": self.trino.port,
                "user": self.trino.user,
                "catalog": names.catalog,
                "http_scheme": "http",
            },
            "store": {
                "endpoint": self.s3.endpoint,
                "region": self.s3.region,
                "access_key": self.s3.access_key,
                "secret_key": self.s3.secret_key,
            },
        }


def write_config(
    file: Path, lake: Mapping[str, Any], sources: Sequence[Mapping[str, Any]] = (), others: Mapping[str, Any] | None = None
) -> None:
    """Write a lakehouse.yaml that only this user can read: these servers' throwaway passwords are in it.

    ``others`` are keys beside ``lake`` and ``sources``.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    document = {"lake": dict(lake), "sources": [dict(source) for source in sources], **(others or {})}
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
