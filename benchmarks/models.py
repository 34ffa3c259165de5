"""What the summaries' SQL takes beside one plain ``group by``: ``python -m benchmarks.models CONFIG``, CPU seconds of DuckDB.

Every model of a build is made, one after the other, in a database in a file, without dbt and its tests around them; the floor
groups the same slice before and after them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.floor import grouping
from benchmarks.measuring import print_table
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import create_published_views, create_views, raw_table_names
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.dbt_run import compile_models
from cost_lakehouse.summaries.dbt_target import build_target
from cost_lakehouse.summaries.stale import proven_receipts

_SHOWN = 12


def main() -> int:
    """Make the models of everything that the lake holds, and print what each takes."""
    lake = Lake(load_settings(Path(sys.argv[1])))
    project = parse_if_stale(lake.settings)
    slices = sorted(proven_receipts(lake))
    with tempfile.TemporaryDirectory() as folder:
        arguments = build_arguments(slices, kinds=("aws",), every_kind=("aws", "oci", "focus"))
        chosen = [*arguments[1 : arguments.index("--exclude-resource-type")], *arguments[arguments.index("--vars") :]]
        with build_target(lake, project.folder, Path(folder) / "dbt") as target:
            nodes, problem = compile_models(lake, project, target, chosen)
        if problem:
            raise RuntimeError(problem)
        made = [node for node in nodes if node.resource_type == "model"]
        with duckdb.connect(str(Path(folder) / "scratch.duckdb")) as connection:
            connection.execute("set timezone = 'UTC'")
            create_views(connection, lake, raw_table_names(), slices)
            create_published_views(connection, lake, slices)
            floors = [_taken(connection, f"create or replace table grouped as {grouping()}")]
            models: dict[str, float] = {}
            for node in _in_order(made):
                connection.execute(f'create schema if not exists "{node.schema}"')
                kind = "view" if node.config.materialized == "view" else "table"
                models[node.name] = _taken(connection, f"create or replace {kind} {node.relation_name} as {node.compiled_code}")
            floors.append(_taken(connection, f"create or replace table grouped as {grouping()}"))
    floor, together = sum(floors) / len(floors), sum(models.values())
    rows = sorted(models.items(), key=lambda entry: -entry[1])[:_SHOWN]
    print_table(("model", "CPU s", "ratio to the floor"), [(name, f"{took:.2f}", f"{took / floor:.2f}") for name, took in rows])
    print(json.dumps({"seconds": together, "floor": floor, "ratio": together / floor}))
    return 0


def _in_order(nodes: list[Any]) -> list[Any]:
    """Models after what they read."""
    by_id = {node.unique_id: node for node in nodes}
    order: dict[str, Any] = {}

    def visit(unique_id: str) -> None:
        if unique_id in by_id and unique_id not in order:
            for read in by_id[unique_id].depends_on.nodes:
                visit(read)
            order[unique_id] = by_id[unique_id]

    for unique_id in sorted(by_id):
        visit(unique_id)
    return list(order.values())


def _taken(connection: duckdb.DuckDBPyConnection, statement: str) -> float:
    started = time.process_time()
    connection.execute(statement)
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
