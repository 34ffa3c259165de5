"""The examples of ``docs/run-in-dagster.md``: a load by GraphQL, and an asset and a sensor that hang on a mart."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.schema import create_schema

from cost_lakehouse.config import CONFIG_VARIABLE, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.orchestration.instance import command_instance
from sample_bills.__main__ import main as make_bills
from tests.demo import Told
from tests.docs.pages import blocks

PAGE = "run-in-dagster.md"
LOCATION = "cost_lakehouse.definitions"


def block(language: str) -> str:
    (found,) = [example.text for example in blocks(language) if example.page.name == PAGE]
    return found


# Dagster asks its own schedules for it, and warns of that.
@pytest.mark.filterwarnings("ignore:Property .ScheduleDefinition.environment_vars. is deprecated:DeprecationWarning")
def test_the_graphql_call_starts_the_load_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_bills([str(tmp_path / "bills"), "--rows", "200", "--months", "2026-10"])
    config = tmp_path / "lakehouse.yaml"
    config.write_text(
        "lake: {first_month: 2026-10}\n"
        "sources: [{name: acme-payer, kind: aws_cur, location: bills/acme-billing/cur/hourly-cur}]\n"
    )
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    monkeypatch.delitem(sys.modules, LOCATION, raising=False)  # it reads the configuration when it is imported
    settings = load_settings(config)
    call = json.loads(block("json"))
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=LOCATION)
    location = InProcessCodeLocationOrigin(target, location_name="cost_lakehouse")
    with (
        command_instance(settings) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget([location])) as workspace,
    ):
        asked = create_schema().execute_async(
            call["query"], variable_values=call["variables"], context_value=workspace.create_request_context()
        )
        answer = asyncio.run(asked)

        assert answer.errors is None
        assert answer.data is not None
        launched = answer.data["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = instance.get_run_by_id(launched["run"]["runId"])
        assert run is not None
        assert run.status is dg.DagsterRunStatus.QUEUED
        # What the daemon and the run's process do next.
        starting = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name)
        instance.report_dagster_event(starting, run.run_id)
        repository = ReconstructableRepository(CodePointer.from_module(LOCATION, "defs", None))
        started = instance.get_run_by_id(run.run_id)
        assert started is not None
        execute_run(ReconstructableJob(repository, run.job_name), started, instance)

    (receipt,) = receipts(Lake(settings))
    assert (receipt.source, f"{receipt.billing_period:%Y-%m}", receipt.state, receipt.rows) == (
        "acme-payer",
        "2026-10",
        "accepted",
        200,
    )


@pytest.fixture
def mine(demo: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, on the demo's lake."""
    monkeypatch.setenv(CONFIG_VARIABLE, demo.config)
    file = tmp_path / "my_dagster.py"
    file.write_text(block("python"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_dagster", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_own_sensor_asks_for_each_month_that_changed_and_the_own_asset_writes_it(demo: Told, mine: ModuleType) -> None:
    dg.Definitions.validate_loadable(mine.defs)
    with command_instance(load_settings(Path(demo.config))) as instance:
        first = mine.export_what_changed(dg.build_sensor_context(instance=instance))
        again = mine.export_what_changed(dg.build_sensor_context(instance=instance, cursor=first.cursor))
    assert sorted(request.partition_key for request in first.run_requests) == ["2026-09-01", "2026-10-01"]
    assert again.run_requests == []

    result = dg.materialize([mine.service_costs_csv], partition_key="2026-10-01", resources={"lake": Lake(mine.settings)})

    (written,) = result.asset_materializations_for_node("service_costs_csv")
    with Path(str(written.metadata["file"].value)).open(encoding="utf-8", newline="") as lines:
        exported = sum(Decimal(row["billed_cost"]) for row in csv.DictReader(lines))
    (row,) = demo.query("select sum(billed_cost) as cost from marts.daily_costs where billing_period = date '2026-10-01'")
    assert exported == Decimal(row["cost"]) != 0


def test_the_workspace_names_the_projects_location_as_the_project_does() -> None:
    (ours, mine) = yaml.safe_load(next(text for text in _yml() if "load_from" in text))["load_from"]
    (project,) = yaml.safe_load((Path(__file__).parents[2] / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    assert ours == project
    assert mine["python_file"]["relative_path"] == "my_dagster.py"


def _yml() -> list[str]:
    return [example.text for example in blocks("yml") if example.page.name == PAGE]
