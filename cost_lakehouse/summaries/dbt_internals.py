"""What this project takes from dbt that dbt does not document; all else is ``dbtRunner`` and dbt-duckdb's plugins.

Why there is no public way:

- ``dbtRunner`` takes a parsed manifest, and dbt documents no way to keep one: ``Manifest`` and its decoder are what dbt itself
  reads ``partial_parse.msgpack`` with.
- dbt is a program that ends. In a process that goes on, its log file and dbt-duckdb's database stay open until closed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest as Manifest  # for those who hold one


def unpack_manifest(packed: bytes) -> Manifest:
    """The manifest that dbt packed, as a new object: an invocation changes it."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest: Manifest = Manifest.from_msgpack(packed, decoder=extended_mashumuro_decoder)
    return manifest


def close_log() -> None:
    """Close the log file that dbt keeps open until it is invoked again."""
    from dbt_common.events.event_manager_client import get_event_manager

    for logger in getattr(get_event_manager(), "loggers", ()):
        for handler in getattr(getattr(logger, "_python_logger", None), "handlers", ()):
            handler.close()


def release_duckdb() -> None:
    """Close the database that dbt-duckdb keeps open until the process ends: what was built is read next."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager.env().close()
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
