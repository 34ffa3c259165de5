"""The whole dbt project on a real Trino: tests and unit tests pass, and every table is DuckDB's to the last digit.

What was built is that of ``tests/engines.py``: odd values of every kind of bill are in it.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.trino_client import execute, rows
from cost_lakehouse.summaries.publish import publish
from cost_lakehouse.summaries.trino_build import TrinoBuild, build_schema, drop_dead_builds
from tests import odd_bills
from tests.builders import Workshop
from tests.dbt.building import MARTS, PROJECT, marts_of, name_of
from tests.dbt.second_rules import differences
from tests.engines import ENGINES, Pipelines, built_rows, different

pytestmark = pytest.mark.timeout(1200)

TABLES = [
    *MARTS,
    *(f"marts.{name}" for name in ("cost_changes", "focus_cost_and_usage", "lakehouse_daily_summary")),
    *(f"intermediate.{name}" for name in ("int_aws__slices", "int_aws__reservations", "int_focus__missing_columns")),
    *(f"intermediate.int_oci__{name}" for name in ("corrections", "currencies")),
    *(f"intermediate.int_costs__{name}" for name in ("loads", "slices", "daily_summary", "bill_history")),
    *(f"intermediate.int_costs__{name}" for name in ("reconciliation", "receipts_reconciliation")),
]
# Of each lake its own: when it was loaded, by which load, and what that took.
OWN_COLUMNS = {
    "marts.bill_status": ["loaded_at"],
    "marts.pipeline_costs": ["pipeline_costs_id", "load_id", "loaded_at", "seconds"],
    "marts.cost_changes": ["cost_changes_id", "changed_at"],
    "intermediate.int_costs__slices": ["loaded_at"],
    "intermediate.int_costs__loads": ["load_id", "loaded_at"],
    "intermediate.int_costs__bill_history": ["load_id", "loaded_at"],
}


def test_every_model_test_and_unit_test_ends_well(pipelines: Pipelines) -> None:
    for engine in ENGINES:
        results = pipelines[engine].results
        assert {name: state for name, state in results.items() if state not in {"success", "pass", "warn"}} == {}
        assert len(results) > 60
    found = {name_of(name): state for name, state in pipelines["trino"].results.items() if name.startswith("unit_test.")}
    # Account names are of no bill, and built apart: test_account_names_on_trino.py.
    files = [file for file in (PROJECT / "models").rglob("_*unit_tests.yml") if "accounts" not in file.name]
    unit_tests = [name for file in files for name in _unit_tests(file)]
    assert len(unit_tests) > 10
    assert found == dict.fromkeys(unit_tests, "pass")


def _unit_tests(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    return [part.split("\n", 1)[0].strip() for part in text.split("\n  - name: ")[1:]]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_the_same_on_both_engines(pipelines: Pipelines, table: str) -> None:
    built = {engine: built_rows(pipeline, table, OWN_COLUMNS.get(table, ())) for engine, pipeline in pipelines.items()}
    assert built["duckdb"]
    assert different(built) == []


def test_every_metric_of_every_day_is_what_a_second_set_of_rules_says(pipelines: Pipelines) -> None:
    with connect(pipelines["duckdb"].lake()) as connection:
        assert differences(connection, "aws") == []
        assert differences(connection, "oci", [odd_bills.OCI]) == []


def test_what_was_built_is_published_and_trino_reads_it(pipelines: Pipelines) -> None:
    """Of the months that were built: those of the odd bills, which were not there before, have the same rows and totals."""
    pipeline = pipelines["trino"]
    settings = pipeline.lake().settings
    odd = ", ".join(f"'{source['name']}'" for source in odd_bills.SOURCES)
    with duckdb.connect(str(pipeline.built), read_only=True) as connection:
        for table, amount in (
            ("marts.aws_daily_summary", "unblended_cost"),
            ("marts.oci_daily_summary", "cost"),
            ("marts.focus_daily_summary", "billed_cost"),
            ("marts.bill_status", "billed_cost"),
        ):
            asked = f"select count(*), sum({amount}) from {table} where source in ({odd})"
            built = connection.execute(asked).fetchall()
            assert rows(settings, asked) == built
            assert built[0][0] > 0


def test_a_build_has_a_schema_of_its_own_that_is_gone_afterwards(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    with build_schema(lake) as schema:
        execute(lake.settings, f"create table {schema}.int_x as select 1 as id")
        execute(lake.settings, f"create view {schema}.stg_x as select 1 as id")
        built = TrinoBuild(lake, schema)
        with built.connect() as connection:
            assert connection.execute("select id from intermediate.int_x").fetchall() == [(1,)]
            assert connection.execute("select count(*) from information_schema.tables").fetchall() == [(1,)]
        assert lake.warehouse.list("builds")
    assert schemas(lake) == []
    assert lake.warehouse.list("builds") == []


def test_what_a_killed_build_left_is_dropped_by_the_next_one_and_a_build_under_way_stays(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    place = f"{lake.warehouse.location}/builds/build_20260101t000000_0000dead"
    execute(lake.settings, f"create schema build_20260101t000000_0000dead with (location = '{place}')")
    execute(lake.settings, "create table build_20260101t000000_0000dead.x as select 1 as id")
    execute(lake.settings, "create schema builder with (location = 's3://elsewhere/builder')")
    with build_schema(lake) as alive:
        assert schemas(lake) == [alive, "builder"]
        assert drop_dead_builds(lake) == []
        assert schemas(lake) == [alive, "builder"]
    assert lake.warehouse.list("builds") == []


def test_a_schema_that_cannot_be_read_is_told(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    built = TrinoBuild(lake, "build_20260101t000000_00000000")
    assert not built.is_there()
    with pytest.raises(LakeError, match="holds no marts: the build did not end"):
        publish(lake, built, [Slice("acme", Workshop(production_lake.parent).settings.lake.first_month)], marts_of(lake))


def schemas(lake: Lake) -> list[str]:
    """The schemas of builds, and what is called almost so."""
    return [name for (name,) in rows(lake.settings, "show schemas like 'build%'")]
