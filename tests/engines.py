"""The same bills in a lake of each engine, told once for all tests that compare the engines; both are in S3 and PostgreSQL.

Two payers, a tenancy and a bill in FOCUS deliver, are built, and deliver again: rows changed and gone, a closed month a refund.
Then the second build has bills of every kind, odd ones and another lakehouse's among them, and makes every mart there is.
"""

from __future__ import annotations

import json
import os
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets import summary_build
from cost_lakehouse.publish.backbone.push import push
from cost_lakehouse.summaries.dbt_project import ParsedProject
from cost_lakehouse.summaries.dbt_run import DbtRun, run_dbt
from cost_lakehouse.summaries.dbt_target import DbtTarget
from sample_bills import demo as story
from tests import odd_bills
from tests.demo import command
from tests.environment import OWN_VARIABLES
from tests.focus_builders import as_csv, charge
from tests.publish.backbone.lakes import PushingLake
from tests.services.production import LakeNames, ProductionStack, write_config

ENGINES = ("duckdb", "trino")
ROWS = 400  # of each month of a payer: less than the demo has, and the same kinds of lines
FOCUS_COSTS = ("1.000000000000000001", "-0.3")
FLEET_COSTS = ("10.25", "0.00000000000000000002", "-3")
STORY = (*story.demo_bills(), story.OCI_SOURCE, "other")
"""The sources that are there in the first build already."""

RULES = """
labels: {team: {from: ["tag:team", "account_tag:owner"], case: lower}}
versions:
  - valid_from: 2026-01
    rules:
      - {name: own tag, to: {label: team}}
      - {name: tax, where: [type=Tax], split: {evenly: [web, data, ops]}}
      - {name: rest of Oracle, where: [provider=oci], split: {cost: {}}}
"""
SECOND = {
    "allocations": "allocations.yaml",
    "clusters": [{"name": "blue", "source": "acme-payer"}],
    "budgets": [{"name": "all", "amount": 5000, "currency": "USD"}],
}
"""What the second run's ``lakehouse.yaml`` has besides."""


@dataclass(frozen=True)
class Pipeline:
    """One lake on one engine, what its command answers, and what its second build left before it was published."""

    config: Path

    def run(self, *arguments: str) -> None:
        """Load and summarise."""
        done = command("run", *arguments, "--config", str(self.config))
        assert done.exit_code == 0, done.output

    def asked(self, *arguments: str) -> str:
        """What a command prints."""
        answer = command(*arguments, "--config", str(self.config))
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    def csv(self, sql: str, *options: str) -> str:
        """What ``query`` answers."""
        return self.asked("query", sql, *options, "--format", "csv")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The same by column; null is None."""
        found: list[dict[str, Any]] = json.loads(self.asked("query", sql, "--format", "json"))
        return found

    def lake(self) -> Lake:
        """The lake."""
        return Lake(load_settings(self.config))

    @property
    def built(self) -> Path:
        """A DuckDB database with the build's tables, ``intermediate.*`` and ``marts.*``."""
        return self.config.with_name("built.duckdb")

    @property
    def results(self) -> dict[str, str]:
        """dbt id of each model and test of the build -> how it ended."""
        found: dict[str, str] = json.loads(self.config.with_name("results.json").read_text(encoding="utf-8"))
        return found


Pipelines = Mapping[str, Pipeline]


@pytest.fixture(scope="session")
def pipelines(run_folder: Path, production: ProductionStack) -> Pipelines:
    """Both lakes, by engine: the first process that needs them makes them, and the others wait. Nobody changes them."""
    folder = run_folder / "engines"
    made, problem = folder / "made", folder / "problem"
    with FileLock(run_folder / "engines.lock"):
        if not made.exists():
            if problem.exists():
                pytest.fail(problem.read_text(encoding="utf-8"))
            folder.mkdir()
            try:
                _make(folder, production)
            except BaseException:
                problem.write_text(traceback.format_exc(), encoding="utf-8")
                raise
            made.touch()
    return {engine: Pipeline(folder / engine / "lakehouse.yaml") for engine in ENGINES}


def focus_bill(folder: Path, *costs: str) -> None:
    """One file of a provider that writes FOCUS, in place of what was there; always of the same time."""
    rows = [charge(cost, "0.25", BillingAccountId="other", ProviderName="Microsoft", BillingCurrency="EUR") for cost in costs]
    folder.mkdir(exist_ok=True)
    (folder / "october.csv.gz").write_bytes(as_csv(rows))
    os.utime(folder / "october.csv.gz", (1_792_000_000, 1_792_000_000))


def _make(folder: Path, production: ProductionStack) -> None:
    bills = folder / "bills"
    lakes = {engine: _lake(production, engine, folder / engine) for engine in ENGINES}
    pipelines = {engine: Pipeline(folder / engine / "lakehouse.yaml") for engine in ENGINES}
    with pytest.MonkeyPatch.context() as patch:
        for name in OWN_VARIABLES:
            patch.setenv(name, "")
        patch.setattr(story, "ROWS", ROWS)
        story.first_deliveries(bills)
        focus_bill(bills / "other", "7", "8")
        for engine, pipeline in pipelines.items():
            write_config(pipeline.config, lakes[engine], _sources(bills))
            pipeline.run()
        story.redelivery(bills)
        for pipeline in pipelines.values():
            pipeline.run("--no-summarize")
        story.late_rows(bills)
        story.late_refund(bills)
        focus_bill(bills / "other", *FOCUS_COSTS)
        odd_bills.write(bills)
        _fleet(bills)
        for engine, pipeline in pipelines.items():
            sources = [*_sources(bills), *_odd_sources(bills)]
            write_config(pipeline.config, lakes[engine] | {"focus": "table"}, sources, SECOND)
            pipeline.config.with_name("allocations.yaml").write_text(RULES, encoding="utf-8")
            with _kept(pipeline):
                pipeline.run()


def _lake(production: ProductionStack, engine: str, folder: Path) -> dict[str, Any]:
    """``lake:`` of a new lake."""
    if engine == "trino":
        return production.lake_keys(production.names(production.new_lake(folder))) | {"first_month": "2026-09"}
    names = LakeNames(production.postgres.make_database(), f"s3://{production.s3.make_bucket()}/warehouse", "of_no_trino")
    keys = {name: value for name, value in production.lake_keys(names).items() if name not in ("engine", "trino")}
    return keys | {"first_month": "2026-09"}


def _sources(bills: Path) -> list[dict[str, Any]]:
    aws = [
        {"name": name, "kind": "aws_cur", "location": str(bills / bill.location)} for name, bill in story.demo_bills().items()
    ]
    oci = {"name": story.OCI_SOURCE, "kind": "oci_cost_reports", "location": str(bills / story.demo_oci_bill().location)}
    return [*aws, oci, {"name": "other", "kind": "focus", "location": str(bills / "other")}]


def _odd_sources(bills: Path) -> list[dict[str, Any]]:
    odd = [{**source, "location": str(bills / source["location"])} for source in odd_bills.SOURCES]
    return [*odd, {"name": "fleet", "kind": "lakehouse", "location": str(bills / "fleet")}]


def _fleet(bills: Path) -> None:
    """Another lakehouse pushes what it has published."""
    to = [{"name": "pane", "to": str(bills / "fleet"), "writer": "eu"}]
    writer = PushingLake(bills / "writer", to, payer="222222222222", account="222222222223")
    writer.publish(date(2026, 10, 1), FLEET_COSTS)
    push(writer.lake, writer.target("pane"))


@contextmanager
def _kept(pipeline: Pipeline) -> Iterator[None]:
    """The run's dbt runs unit tests too, and what it said and built, which the run throws away, is kept."""

    def run(
        lake: Lake, project: ParsedProject, target: DbtTarget, arguments: Sequence[str], slices: Sequence[Slice] | None = None
    ) -> DbtRun:
        whole = [*arguments]
        place = whole.index("--exclude-resource-type")
        assert whole[place + 1] == "unit_test"
        if target.schema is not None:  # on DuckDB other tests run them
            del whole[place : place + 2]
        done = run_dbt(lake, project, target, whole, slices)
        results = {result.unique_id: result.status for result in done.results}
        pipeline.config.with_name("results.json").write_text(json.dumps(results), encoding="utf-8")
        _keep(target, pipeline.built)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary_build, "run_dbt", run)
        yield


def _keep(target: DbtTarget, kept: Path) -> None:
    """Copy the build's tables and marts: on DuckDB one of these may be a view of lines, which only the build can read."""
    with target.built.connect() as connection:
        chosen = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_schema = 'marts' "
            "or table_schema = 'intermediate' and (table_type = 'BASE TABLE' or current_database() = 'memory')"
        ).fetchall()
        connection.execute(f"attach '{kept}' as kept (read_write)")
        for schema in ("intermediate", "marts"):
            connection.execute(f"create schema kept.{schema}")
        for schema, name in chosen:
            connection.execute(f'create table kept.{schema}."{name}" as from {schema}."{name}"')


def different(rows: Mapping[str, Sequence[Any]]) -> list[tuple[str, Any]]:
    """Some of the rows that one engine has and the other lacks, each with its engine; none where both have the same rows."""
    one, other = (Counter(rows[engine]) for engine in ENGINES)
    missing = {ENGINES[0]: one - other, ENGINES[1]: other - one}
    return [(engine, row) for engine, found in missing.items() for row in sorted(found.elements())[:3]]


def built_rows(pipeline: Pipeline, table: str, without: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """All rows of a table of the build, each value with its type as text."""
    left_out = f"exclude ({', '.join(without)})" if without else ""
    with duckdb.connect(str(pipeline.built), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute(f"select * {left_out} from {table}").fetchall()
    return [tuple(f"{type(value).__name__} {value}" for value in row) for row in found]
