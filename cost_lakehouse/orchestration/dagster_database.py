"""Dagster's own records in PostgreSQL: which database they are in, and how it is opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from cost_lakehouse.config import LakeSettings, Settings
from cost_lakehouse.config.yaml_file import from_environment
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.orchestration.dagster_internals import ConfigurableClassData

if TYPE_CHECKING:
    from dagster_postgres import DagsterPostgresStorage

    from cost_lakehouse.orchestration.dagster_internals import EventLogStorage

DATABASE_VARIABLE = "COST_LAKEHOUSE_DAGSTER_DB"
# Dagster's tables have plain names (runs, jobs); in the catalog's database they keep to themselves.
SCHEMA = "dagster"
# One process at a time creates the tables: Dagster's own check (is there a table `runs`?) lets a second one in too early.
_CREATION_LOCK = 4_620_693_217_682_128_936
_CONNECT_SECONDS = "10"


def dagster_database(configuration: Path) -> URL | None:
    """Where Dagster's records are, with password: ``COST_LAKEHOUSE_DAGSTER_DB``, else the catalog's PostgreSQL.

    None where they are files in the home: the catalog is SQLite, or what the configuration says of it cannot be read.
    Dagster has to start then, and to show what is wrong; no code location loads, so that nothing runs.
    Raises ConfigurationError where the variable holds something else.
    """
    given = os.environ.get(DATABASE_VARIABLE)
    if given:
        return _on_psycopg2(_postgres_url(given))
    catalog = _catalog_of(configuration)
    return None if catalog is None or catalog.get_backend_name() == "sqlite" else _on_psycopg2(catalog)


def open_storage(url: URL, inst_data: ConfigurableClassData | None) -> DagsterPostgresStorage:
    """Open, and on first use create, Dagster's tables in a schema of their own.

    Raises LakeError where the database cannot be reached or does not let this user in.
    """
    from dagster_postgres import DagsterPostgresStorage

    options = " ".join(part for part in (url.query.get("options"), f"-csearch_path={SCHEMA}") if isinstance(part, str))
    in_schema = url.update_query_dict({"options": options}).render_as_string(hide_password=False)
    try:
        with _alone(url) as connection:
            _make_schema(connection)
            storage = DagsterPostgresStorage(in_schema, inst_data=inst_data)
    except DBAPIError as error:
        cause = str(error.orig or error).strip().splitlines()[0]
        raise LakeError(
            f"Dagster's records cannot be opened in {url.render_as_string(hide_password=True)}: {cause}.",
            f"Check that the database is up and that this user may create a schema, or name another with {DATABASE_VARIABLE}.",
        ) from None
    _let_two_need_a_new_pool(storage.event_log_storage)
    return storage


def engine_arguments(url: URL) -> dict[str, Any]:
    """How this project connects to Dagster's database beside Dagster itself: without a pool, and never waiting for ever."""
    return {
        "url": url.update_query_dict({"connect_timeout": _CONNECT_SECONDS}) if "connect_timeout" not in url.query else url,
        "poolclass": NullPool,
        "isolation_level": "AUTOCOMMIT",
    }


@contextmanager
def _alone(url: URL) -> Iterator[Connection]:
    """A connection, while no other process of this project prepares that database."""
    with create_engine(**engine_arguments(url)).connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _CREATION_LOCK})
        try:
            yield connection
        finally:
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _CREATION_LOCK})


def _make_schema(connection: Connection) -> None:
    """Create the schema; not `if not exists`, which asks for the right to create one even where it is there."""
    if not connection.execute(text("select 1 from pg_namespace where nspname = :name"), {"name": SCHEMA}).scalar():
        connection.execute(text(f"create schema {SCHEMA}"))


def _let_two_need_a_new_pool(events: EventLogStorage) -> None:
    """Let both of two runs have a concurrency pool that is used for the first time.

    Dagster (1.13) inserts it, and where another run was faster goes on in the transaction that PostgreSQL has ended by then:
    the later run failed, and said nothing.
    """
    make = events.initialize_concurrency_limit_to_default

    def make_unless_there(concurrency_key: str) -> bool:
        try:
            return make(concurrency_key)
        except DBAPIError:
            if concurrency_key in {pool.name for pool in events.get_pool_limits()}:
                return True
            raise

    events.initialize_concurrency_limit_to_default = make_unless_there  # type: ignore[method-assign]


def _postgres_url(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.database:
        raise ConfigurationError(
            f"{DATABASE_VARIABLE} is no address of a PostgreSQL database.", "Write postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return url


def _on_psycopg2(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg2")


def _catalog_of(configuration: Path) -> URL | None:
    """``lake.catalog`` alone, so that a mistake anywhere else in the file does not lead Dagster to other records."""
    try:
        lake = (yaml.safe_load(configuration.read_text(encoding="utf-8")) or {}).get("lake") or {}
        catalog = lake.get("catalog")
        if catalog is None:
            return None
        value = from_environment(catalog, "lake.catalog", configuration)
        wanted = LakeSettings(catalog=SecretStr(value))
        return Settings(lake=wanted, base=configuration.parent, file=configuration).catalog_url
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError, ValueError, ConfigurationError):
        logging.getLogger("dagster").warning(
            "lake.catalog cannot be read from %s: Dagster's records of this process are files in its home. "
            "Correct it (`cost-lakehouse doctor` says what is wrong) and start Dagster again.",
            configuration,
        )
        return None
