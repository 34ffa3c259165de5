"""The processes of docker-compose.yml work together: a load is asked for in the UI's own way, and the rest runs by itself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.deploy.by_hand import Deployment, wait_for

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
    ... on Asset { assetMaterializations(limit: 5) { partition runId metadataEntries { label } } }
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


@pytest.mark.timeout(900)
def test_a_month_is_materialized_through_graphql_and_the_daemon_does_the_rest(deployment: Deployment) -> None:
    deployment.start("code", "webserver")
    # Before the daemon runs, nothing else can have loaded it.
    run_id = launch(deployment, "acme", "2026-09-01")

    deployment.start("daemon")

    run = wait_for(lambda: finished(deployment, run_id), seconds=300)
    messages = [event.get("message", "") for event in run["eventConnection"]["events"]]
    assert run["status"] == "SUCCESS", "\n".join(messages)
    (materialization,) = (
        each
        for each in deployment.graphql(ASSET, key={"path": ["line_items", "acme"]})["assetOrError"]["assetMaterializations"]
        if each["runId"] == run_id
    )
    assert materialization["partition"] == "2026-09-01"
    assert {"dagster/row_count", "delivery_id"} <= {each["label"] for each in materialization["metadataEntries"]}

    # The sensor finds the other month by itself.
    october = wait_for(lambda: [each for each in loads(deployment) if each.endswith("2026-10-01")], seconds=300)
    assert october
    told = deployment.graphql(AUTOMATION)
    sensors = {each["name"]: each["sensorState"] for each in told["repositoryOrError"]["sensors"]}
    assert {each["status"] for each in sensors.values()} == {"RUNNING"}
    ticks = sensors["deliveries"]["ticks"]
    assert ticks
    assert [each["error"] for each in ticks if each["error"]] == []
    assert {each["scheduleState"]["status"] for each in told["repositoryOrError"]["schedules"]} == {"RUNNING"}
    daemons = told["instance"]["daemonHealth"]["allDaemonStatuses"]
    assert [each["daemonType"] for each in daemons if each["required"] and not each["healthy"]] == []

    # Catalog and Dagster's records lie in one database, and do not mix.
    found = tables(deployment)
    assert {"runs", "event_logs", "job_ticks"} <= found["dagster"]
    assert found["public"] == {"iceberg_tables", "iceberg_namespace_properties"}
    assert not list(deployment.home.rglob("*.db"))


def loads(deployment: Deployment) -> list[str]:
    answer = deployment.graphql(ASSET, key={"path": ["line_items", "acme"]})["assetOrError"]
    return [each["partition"] for each in answer["assetMaterializations"]]


def tables(deployment: Deployment) -> dict[str, set[str]]:
    engine = create_engine(deployment.stack.postgres.url(deployment.names.database))
    with engine.connect() as connection:
        rows = connection.execute(
            text("select table_schema, table_name from information_schema.tables where table_schema in ('public', 'dagster')")
        ).all()
    engine.dispose()
    return {schema: {str(name) for each, name in rows if each == schema} for schema in ("public", "dagster")}
