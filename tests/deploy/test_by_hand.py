"""The processes of docker-compose.yml work together: a load is asked for in the UI's own way, and the rest runs by itself."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, text

from tests.deploy.by_hand import Deployment, wait_for
from tests.deploy.compose import DEPLOY, ROOT

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status assets { id } eventConnection { events { __typename ... on MessageEvent { message } } } }
  }
}
"""
ASSET = """
query Asset($key: AssetKeyInput!) {
  assetOrError(assetKey: $key) {
    ... on Asset { assetMaterializations(limit: 20) { partition runId metadataEntries { label } } }
  }
}
"""
AUTOMATION = """
{
  repositoryOrError(
    repositorySelector: { repositoryLocationName: "cost_lakehouse", repositoryName: "__repository__" }
  ) {
    ... on Repository {
      sensors { name sensorState { status ticks(limit: 5) { status error { message } } } }
      schedules { name scheduleState { status } }
    }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}
"""
RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "cost_lakehouse") { __typename } }
"""
ASSET_NODE = """
query Node($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { id } } }
"""
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED")


def launch(deployment: Deployment, source: str, month: str) -> str:
    params = {
        "selector": {
            "repositoryLocationName": "cost_lakehouse",
            "repositoryName": "__repository__",
            "pipelineName": "load_line_items",
            "assetSelection": [{"path": ["line_items", source]}],
        },
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": month}]},
    }
    answer = deployment.graphql(LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run_id: str = answer["run"]["runId"]
    return run_id


def finished(deployment: Deployment, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = deployment.graphql(RUN, id=run_id)["runOrError"]
    return {} if run["status"] in UNFINISHED else run


@pytest.mark.timeout(1500)
def test_a_month_is_materialized_through_graphql_and_the_daemon_does_the_rest(deployment: Deployment) -> None:
    deployment.start("code", "webserver")
    # Before the daemon runs, nothing else can have loaded it.
    run_id = launch(deployment, "acme", "2026-09-01")

    deployment.start("daemon")

    run = wait_for(lambda: finished(deployment, run_id), seconds=300)
    messages = [event.get("message", "") for event in run["eventConnection"]["events"]]
    assert run["status"] == "SUCCESS", "\n".join(messages)
    (materialization,) = (
        item
        for item in deployment.graphql(ASSET, key={"path": ["line_items", "acme"]})["assetOrError"]["assetMaterializations"]
        if item["runId"] == run_id
    )
    assert materialization["partition"] == "2026-09-01"
    assert {"dagster/row_count", "delivery_id"} <= {item["label"] for item in materialization["metadataEntries"]}

    # The sensor finds the other month by itself.
    wait_for(lambda: "2026-10-01" in materialized(deployment, ["line_items", "acme"]), seconds=300)
    told = deployment.graphql(AUTOMATION)
    sensors = {candidate["name"]: candidate["sensorState"] for candidate in told["repositoryOrError"]["sensors"]}
    assert {sensor["status"] for sensor in sensors.values()} == {"RUNNING"}
    ticks = sensors["deliveries"]["ticks"]
    assert ticks
    assert [tick["error"] for tick in ticks if tick["error"]] == []
    assert {candidate["scheduleState"]["status"] for candidate in told["repositoryOrError"]["schedules"]} == {"RUNNING"}
    daemons = told["instance"]["daemonHealth"]["allDaemonStatuses"]
    assert [daemon["daemonType"] for daemon in daemons if daemon["required"] and not daemon["healthy"]] == []

    # And the summaries follow, built by Trino, of every month that changed.
    daily_costs = ["marts", "daily_costs"]
    wait_for(lambda: {"2026-09-01", "2026-10-01"} <= set(materialized(deployment, daily_costs)), seconds=600)
    lake = deployment.names.catalog
    ((delivered,),) = deployment.stack.trino.query(
        "SELECT sum(stored) FROM raw.control_totals WHERE metric = 'line_item_unblended_cost'", lake
    )
    ((billed,),) = deployment.stack.trino.query("SELECT sum(billed_cost) FROM marts.daily_costs", lake)
    assert billed == delivered != 0

    # Catalog and Dagster's records lie in one database, and do not mix.
    found = tables(deployment)
    assert {"runs", "event_logs", "job_ticks"} <= found["dagster"]
    assert found["public"] == {"iceberg_tables", "iceberg_namespace_properties"}
    assert not list(deployment.home.rglob("*.db"))


def test_a_source_that_is_added_is_there_after_a_reload(deployment: Deployment) -> None:
    deployment.start("code", "webserver")
    document = yaml.safe_load(deployment.config.read_text(encoding="utf-8"))
    new = {"name": "globex", "kind": "aws_cur", "location": str(deployment.folder / "bills"), "paused": True}
    deployment.config.write_text(yaml.safe_dump(document | {"sources": [*document["sources"], new]}), encoding="utf-8")

    deployment.graphql(RELOAD)

    wait_for(lambda: deployment.graphql(ASSET_NODE, key={"path": ["line_items", "globex"]})["assetNodeOrError"].get("id"))


def test_dagsters_tables_can_be_brought_to_a_new_version(deployment: Deployment) -> None:
    done = run(deployment, "code", str(Path(sys.executable).with_name("dagster")), "instance", "migrate")

    assert done.returncode == 0, done.stderr
    assert "runs" in tables(deployment)["dagster"]


def test_what_trino_expects_is_made_once_and_found_again(deployment: Deployment) -> None:
    stack = deployment.stack
    database = stack.postgres.make_database("init")
    own = {
        "LAKEHOUSE_DB": f"{stack.postgres.host}:{stack.postgres.port}/{database}",
        "LAKEHOUSE_WAREHOUSE": f"s3://{database.replace('_', '-')}/warehouse",
    }
    for _ in range(2):
        done = run(deployment, "init", sys.executable, str(DEPLOY / "init.py"), **own)
        assert done.returncode == 0, done.stderr
        assert "The lake is ready" in done.stdout

    # Trino takes the catalog file of the deployment, and sees what was made.
    text_of_catalog = (DEPLOY / "trino" / "catalog" / "lake.properties").read_text(encoding="utf-8")
    given = deployment.variables("trino") | own
    lines = [line for line in text_of_catalog.splitlines() if not line.startswith("#")]
    values = dict(re.sub(r"\$\{ENV:(\w+)\}", lambda match: given[match.group(1)], line).split("=", 1) for line in lines)
    connector = values.pop("connector.name")
    listed = ", ".join(f"\"{name}\" = '{value}'" for name, value in values.items())
    stack.trino.query(f"CREATE CATALOG {database} USING {connector} WITH ({listed})", catalog=None)
    try:
        assert ["receipts"] in stack.trino.query(f"SHOW TABLES FROM {database}.raw", catalog=None)
    finally:
        stack.trino.query(f"DROP CATALOG {database}", catalog=None)
        stack.postgres.drop_database(database)


def test_a_store_that_does_not_answer_is_said(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: the test above starts the program as the container does."""
    for name, value in (deployment.variables("init") | {"LAKEHOUSE_S3_ENDPOINT": "http://127.0.0.1:1"}).items():
        monkeypatch.setenv(name, value)

    assert runpy.run_path(str(DEPLOY / "init.py"))["main"]() == 1

    said = capsys.readouterr().err
    assert "The store does not answer" in said
    assert deployment.stack.s3.secret_key not in said


def run(deployment: Deployment, service: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = deployment.variables(service) | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def materialized(deployment: Deployment, key: list[str]) -> list[str]:
    asset = deployment.graphql(ASSET, key={"path": key})["assetOrError"]
    return [assetmaterialization["partition"] for assetmaterialization in asset.get("assetMaterializations", ())]


def tables(deployment: Deployment) -> dict[str, set[str]]:
    engine = create_engine(deployment.stack.postgres.url(deployment.names.database))
    with engine.connect() as connection:
        rows = connection.execute(
            text("select table_schema, table_name from information_schema.tables where table_schema in ('public', 'dagster')")
        ).all()
    engine.dispose()
    return {schema: {str(name) for item, name in rows if item == schema} for schema in ("public", "dagster")}
