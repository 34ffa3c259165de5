"""Months of a FOCUS export through Dagster: the sensor asks for each month that is new, its run loads that month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.orchestration.constants import RANGE_END_TAG, RANGE_START_TAG
from cost_lakehouse.orchestration.instance import command_instance
from tests.focus_builders import FocusPlace, as_csv, as_parquet, charge
from tests.orchestration.loading import Loading


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FocusPlace:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    return FocusPlace(tmp_path)


@pytest.fixture
def instance(place: FocusPlace) -> Iterator[dg.DagsterInstance]:
    with command_instance(place.settings) as opened:
        yield opened


def rows_of(results: Sequence[dg.ExecuteInProcessResult]) -> list[dict[str, object]]:
    """The rows of each month that each run materialized."""
    return [
        {
            str(all_event.partition): all_event.materialization.metadata["dagster/row_count"].value
            for all_event in result.all_events
            if all_event.is_step_materialization
        }
        for result in results
    ]


def ranges(requests: Sequence[dg.RunRequest]) -> list[tuple[str, str]]:
    return [(run_request.tags[RANGE_START_TAG], run_request.tags[RANGE_END_TAG]) for run_request in requests]


def test_each_new_month_of_an_export_is_a_run_of_its_own(place: FocusPlace, instance: dg.DagsterInstance) -> None:
    loading = Loading(place.settings, instance, "acme")
    place.export("E1", [as_parquet([charge("1"), charge("2")])], suffix=".snappy.parquet")
    place.export("E9", [as_parquet([charge("8", day="2026-09-30")])], month="2026-09", suffix=".snappy.parquet")

    requests = loading.tick()
    assert ranges(requests) == [("2026-09-01", "2026-09-01"), ("2026-10-01", "2026-10-01")]
    assert rows_of(loading.run(requests)) == [{"2026-09-01": 1}, {"2026-10-01": 2}]
    assert loading.tick() == []
    assert place.costs() == [("acme", "2026-09", Decimal("8")), ("acme", "2026-10", Decimal("3"))]

    later = datetime(2026, 10, 7, tzinfo=UTC)
    place.export("E2", [as_parquet([charge("4")])], suffix=".snappy.parquet", written=later)
    requests = loading.tick()
    assert ranges(requests) == [("2026-10-01", "2026-10-01")]
    assert rows_of(loading.run(requests)) == [{"2026-10-01": 1}]
    assert place.costs() == [("acme", "2026-09", Decimal("8")), ("acme", "2026-10", Decimal("4"))]


def test_files_of_a_folder_are_loaded_by_one_run_whatever_their_months(place: FocusPlace, instance: dg.DagsterInstance) -> None:
    loading = Loading(place.settings, instance, "acme")
    place.write("september.csv.gz", as_csv([charge("8", day="2026-09-30")]))
    place.write("october.csv.gz", as_csv([charge("1")]))

    requests = loading.tick()

    assert len(requests) == 1
    assert rows_of(loading.run(requests)) == [{"2026-09-01": 1, "2026-10-01": 1}]
    assert loading.tick() == []
