"""The strategy `replace_slice` in a developer's own schema on a real Trino: one MERGE, one snapshot."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.trino_client import execute, rows
from cost_lakehouse.settings import Settings
from tests.builders import Workshop
from tests.dbt.building import PROJECT, run_dbt
from tests.services.production import ProductionStack

MODEL = """
{{ config(materialized='incremental', incremental_strategy='replace_slice', unique_key='m_id', on_schema_change='fail',
          on_table_exists='replace', contract={'enforced': true},
          properties={'partitioning': "array['source', 'billing_period']"}) }}
select cast(id as varchar) as m_id, source, billing_period, 'aws' as provider, cost
from {{ target.database }}.dev.given
where {{ slice_filter() }}
"""
COLUMNS = {"m_id": "varchar", "source": "varchar", "billing_period": "date", "provider": "varchar", "cost": "decimal(38, 20)"}


@dataclass
class Project:
    """A project of one model, with the real macros, and the table that the model reads."""

    settings: Settings
    folder: Path

    def run(self, slices: list[tuple[str, str]] | None = None, target: str = "target") -> None:
        """Run the model for some slices, or for all."""
        chosen = {} if slices is None else {"slices": [{"source": name, "billing_period": month} for name, month in slices]}
        arguments = ["run", "--profiles-dir", str(self.folder), "--vars", json.dumps(chosen)]
        done = run_dbt(arguments, self.folder, self.folder / target)
        assert done.returncode == 0, done.stdout

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return rows(self.settings, sql, schema="dev")

    def costs(self) -> dict[str, str]:
        """Slice -> its rows' costs."""
        found = self.ask("select source, billing_period, cost from m order by 1, 2, 3")
        costs: dict[str, list[str]] = {}
        for source, month, cost in found:
            costs.setdefault(f"{source} {month:%Y-%m}", []).append(f"{cost:.0f}")
        return {name: " ".join(each) for name, each in costs.items()}

    def snapshots(self) -> int:
        ((count,),) = self.ask('select count(*) from "m$snapshots"')
        assert isinstance(count, int)
        return count


@pytest.fixture
def project(production_lake: Path, production: ProductionStack, tmp_path: Path) -> Project:
    lake: Lake = Workshop(production_lake.parent).lake
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "macros", folder / "macros")
    (folder / "models").mkdir()
    (folder / "models" / "m.sql").write_text(MODEL)
    columns = [{"name": name, "data_type": kind} for name, kind in COLUMNS.items()]
    (folder / "models" / "m.yml").write_text(yaml.safe_dump({"models": [{"name": "m", "columns": columns}]}))
    flags = {"send_anonymous_usage_stats": False, "require_certificate_validation": True}
    about = {"name": "cost_lakehouse", "version": "1.0.0", "profile": "dev", "flags": flags}
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(about))
    place = {"type": "trino", "method": "none", "host": production.trino.host, "port": production.trino.port, "threads": 1}
    place |= {"user": production.trino.user, "database": production.names(production_lake).catalog, "schema": "dev"}
    (folder / "profiles.yml").write_text(yaml.safe_dump({"dev": {"target": "trino", "outputs": {"trino": place}}}))
    execute(lake.settings, "create schema dev")
    execute(
        lake.settings,
        "create table dev.given as select * from (values (1, 'acme', date '2026-09-01', cast(1 as decimal(38, 20))), "
        "(2, 'acme', date '2026-09-01', 2), (3, 'acme', date '2026-10-01', 3), (4, 'globex', date '2026-09-01', 4)) "
        "as t (id, source, billing_period, cost)",
    )
    return Project(lake.settings, folder)


def test_a_slice_is_replaced_by_one_snapshot_and_an_emptied_one_is_emptied(project: Project) -> None:
    project.run()
    before = {"acme 2026-09": "1 2", "acme 2026-10": "3", "globex 2026-09": "4"}
    assert project.costs() == before
    snapshots = project.snapshots()

    execute(project.settings, "update dev.given set cost = cost * 10")
    execute(project.settings, "insert into dev.given values (5, 'acme', date '2026-09-01', 50)")
    project.run([("acme", "2026-09-01")])
    assert project.costs() == before | {"acme 2026-09": "10 20 50"}
    assert project.snapshots() == snapshots + 1

    execute(project.settings, "delete from dev.given where source = 'acme'")
    project.run([("acme", "2026-09-01"), ("acme", "2026-10-01")])
    assert project.costs() == {"globex 2026-09": "4"}
    assert project.snapshots() == snapshots + 2


def test_two_builds_at_once_in_one_schema_do_not_take_each_others_relations(project: Project) -> None:
    project.run()
    execute(project.settings, "update dev.given set cost = cost * 10")
    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(project.run, [(name, "2026-09-01")], f"target-{name}") for name in ("acme", "globex")]
        for run in runs:
            run.result()
    assert project.costs() == {"acme 2026-09": "10 20", "acme 2026-10": "3", "globex 2026-09": "40"}
    assert sorted(project.ask("show tables")) == [("given",), ("m",)]
