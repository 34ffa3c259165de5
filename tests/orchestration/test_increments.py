"""From a new report to the months it touches through Dagster: the sensor asks, the run tells, bad files stay alone."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.orchestration.constants import RANGE_END_TAG, RANGE_START_TAG, line_items_key
from cost_lakehouse.orchestration.instance import command_instance
from tests.builders import csv_bytes
from tests.oci_builders import Mirror, cost_line
from tests.orchestration.loading import Loading

KEY = line_items_key("acme-oci")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    return Mirror(tmp_path)


@pytest.fixture
def instance(mirror: Mirror) -> Iterator[dg.DagsterInstance]:
    with command_instance(mirror.settings) as opened:
        yield opened


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    """The months that a run materialized, with their metadata."""
    return {
        str(all_event.partition): {name: fact.value for name, fact in all_event.materialization.metadata.items()}
        for all_event in result.all_events
        if all_event.is_step_materialization
    }


def test_new_reports_are_asked_for_once_and_materialize_the_months_of_their_rows(
    mirror: Mirror, instance: dg.DagsterInstance
) -> None:
    loading = Loading(mirror.settings, instance, "acme-oci")
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1.5", start="2026-09-30T23:00Z"), cost_line(cost="2")])

    (request,) = loading.tick()
    assert (request.tags[RANGE_START_TAG], request.partition_key) == ("2026-09-01", None)
    assert request.tags[RANGE_END_TAG] >= "2026-11-01"
    (result,) = loading.run([request])

    assert result.success
    months = materialized(result)
    assert {month: (facts["dagster/row_count"], facts["cost"]) for month, facts in months.items()} == {
        "2026-09-01": (1, "1.50 USD"),
        "2026-10-01": (1, "2.00 USD"),
    }
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    assert check.metadata["actual USD"].value == "3.50"
    assert instance.get_latest_data_version_record(KEY) is not None
    assert loading.tick() == []


def test_a_run_that_was_started_for_one_month_loads_whatever_is_new(mirror: Mirror, instance: dg.DagsterInstance) -> None:
    loading = Loading(mirror.settings, instance, "acme-oci")
    mirror.write("0001-00001.csv.gz", [cost_line(start="2026-08-31T23:00Z")])

    assert set(materialized(loading.execute({}, month="2026-10-01"))) == {"2026-08-01"}
    again = loading.execute({}, month="2026-08-01")
    assert again.success
    assert materialized(again)["2026-08-01"]["unchanged"] is True
    assert "holds every file" in str(materialized(again)["2026-08-01"]["reason"])
    nothing = loading.execute({}, month="2026-10-01")
    assert not nothing.success


def test_a_bad_report_fails_its_run_and_the_next_tick_asks_for_the_others(mirror: Mirror, instance: dg.DagsterInstance) -> None:
    loading = Loading(mirror.settings, instance, "acme-oci")
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    mirror.write("0002-00001.csv.gz", [cost_line(cost="x")])

    (failed,) = loading.run(loading.tick())
    assert not failed.success
    *_, check = failed.get_asset_check_evaluations()
    rejected = check.metadata["rejected_values"]
    assert not check.passed
    assert isinstance(rejected, dg.TableMetadataValue)
    assert [(record.data["file"], record.data["value"]) for record in rejected.records] == [
        ("reports/cost-csv/0002-00001.csv.gz", "x")
    ]
    (good,) = loading.run(loading.tick())

    assert good.success
    assert mirror.ask("select sum(cost_my_cost) from raw.oci_cost") == [(Decimal("1"),)]
    assert loading.tick() == []  # refused for its numbers: only a manual run tries it again
    assert not loading.execute({}, month="2026-10-01").success


def test_a_torn_report_is_tried_again_by_itself(mirror: Mirror, instance: dg.DagsterInstance) -> None:
    loading = Loading(mirror.settings, instance, "acme-oci")
    whole = gzip.compress(csv_bytes([cost_line(cost="1")]), mtime=0)
    mirror.write("0001-00001.csv.gz", whole[:-9])
    mirror.write("0002-00001.csv.gz", [cost_line(cost="2")])
    (failed,) = loading.run(loading.tick())
    assert not failed.success

    others, request = loading.tick()
    loading.run([others])
    assert mirror.ask("select sum(cost_my_cost) from raw.oci_cost") == [(Decimal("2"),)]
    assert request.run_config["ops"]["line_items__acme_oci"]["config"] == {
        "force": False,
        "table": "raw.oci_cost",
        "refused": True,
    }
    loading.run([request])
    assert loading.tick() == []  # not before its pause is over

    mirror.write("0001-00001.csv.gz", whole, written=datetime(2026, 10, 6, 9, tzinfo=UTC))
    (good,) = loading.run(loading.tick())
    assert good.success


def test_every_kind_of_report_has_a_run_of_its_own(mirror: Mirror, instance: dg.DagsterInstance) -> None:
    loading = Loading(mirror.settings, instance, "acme-oci")
    mirror.write("0001-00001.csv.gz", [cost_line()])
    mirror.write("0001-00001.csv.gz", [cost_line()], report="FOCUS Reports/2026/10/06")  # no FOCUS report

    results = loading.run(loading.tick())

    assert [result.success for result in results] == [True, False]
    assert mirror.ask("select count(*)::int from raw.oci_cost") == [(1,)]
