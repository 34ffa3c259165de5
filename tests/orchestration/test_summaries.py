"""Building and publishing summaries through Dagster; dbt and publishing are played, their own tests prove them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cost_lakehouse.audit.reconciliation import Compared, Exclusion
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assemble import build_definitions
from cost_lakehouse.orchestration.assets import summaries as subject
from cost_lakehouse.orchestration.assets.summaries import chosen_slices
from cost_lakehouse.orchestration.assets.summary_build import Build, Builder, check_evaluation, merged_checks, scratch_folder
from cost_lakehouse.orchestration.checks import equals_raw, nothing_left_out
from cost_lakehouse.orchestration.constants import LOAD_JOB, RANGE_END_TAG, RANGE_START_TAG, STALE_TAG, SUMMARY_JOB, TRIGGER_TAG
from cost_lakehouse.orchestration.sensors.summaries import summary_sensor, waited_long
from cost_lakehouse.summaries.built import BuiltSummaries, DuckdbScratch
from cost_lakehouse.summaries.dbt_run import DbtRun, NodeResult
from cost_lakehouse.summaries.publish import PublishedSlice
from cost_lakehouse.summaries.stale import StaleSlice
from tests.orchestration.conftest import OCTOBER, SEPTEMBER, Lakehouse

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
MART = dg.AssetKey(["marts", "daily_costs"])
RECONCILED = dg.AssetKey(["intermediate", "int_costs__reconciliation"])


@dataclass(frozen=True)
class Proven:
    """What a build asks of a slice's receipt."""

    delivery_id: str


@dataclass
class Played:
    """dbt and publishing, played: ``bad`` sources fail their build; everything asked for is written down."""

    stale: list[StaleSlice]
    bad: set[str] = field(default_factory=set)
    built: list[list[str]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    held: dict[Slice, str] = field(default_factory=dict)  # the proven slices and their delivery ids

    def build(self, slices: Sequence[Slice], folder: Path) -> Build:
        self.built.append([str(slice_) for slice_ in slices])
        failing = sorted({slice_.source for slice_ in slices} & self.bad)
        check = dg.AssetCheckEvaluation(
            asset_key=RECONCILED, check_name="daily_summary_reconciles_to_the_raw_bill", passed=not failing
        )
        return Build(tuple(slices), DuckdbScratch(folder / "none.duckdb"), [f"{item} is wrong" for item in failing], [check])

    def publish(self, lake: Any, built: BuiltSummaries, slices: Sequence[Slice], _: Any) -> list[PublishedSlice]:
        self.published += [str(slice_) for slice_ in slices]
        return [
            PublishedSlice(table, slice_.source, slice_.billing_period, 7, {"USD": Decimal(1)}, {"USD": Decimal("2.50")})
            for table in ("marts.daily_costs", "marts.bill_status")
            for slice_ in slices
        ]


def stale(source: str, month: date, delivery: str = "d1") -> StaleSlice:
    return StaleSlice(source, month, delivery, None)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Both sources' September and acme's October are stale."""
    made = Played([stale("acme", SEPTEMBER), stale("acme", OCTOBER), stale("globex", SEPTEMBER)])
    monkeypatch.setattr(Builder, "build", lambda _, slices, folder: made.build(slices, folder))
    monkeypatch.setattr(subject, "publish", made.publish)
    monkeypatch.setattr(subject, "stale_slices", lambda *_: made.stale)
    monkeypatch.setattr(
        subject, "proven_receipts", lambda _: {slice_: Proven(delivery) for slice_, delivery in made.held.items()}
    )
    monkeypatch.setattr(subject, "unmoved", lambda before, now, slices: list(slices))
    monkeypatch.setattr("cost_lakehouse.orchestration.sensors.summaries.stale_slices", lambda *_, **__: made.stale)
    return made


def summarize(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, first: str, last: str, more_tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """One run of the job over a range of months."""
    job = build_definitions(lakehouse.settings).resolve_job_def(SUMMARY_JOB)
    return job.execute_in_process(
        instance=instance,
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last, **(more_tags or {})},
        run_config=QUIET,
        raise_on_error=False,
    )


def recorded(result: dg.ExecuteInProcessResult, key: dg.AssetKey = MART) -> list[str | None]:
    """The partitions that a run recorded a materialization for."""
    return [
        all_event.materialization.partition
        for all_event in result.all_events
        if all_event.is_step_materialization and all_event.asset_key == key
    ]


def test_all_that_is_stale_is_built_at_once_and_recorded_for_exactly_those_months(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    result = summarize(lakehouse, instance, "2026-09-01", "2026-11-01")
    assert result.success
    assert played.built == [["acme 2026-09", "acme 2026-10", "globex 2026-09"]]
    assert played.published == played.built[0]
    assert recorded(result) == ["2026-09-01", "2026-10-01"]
    assert recorded(result, dg.AssetKey(["staging", "stg_aws__line_items"])) == ["2026-09-01", "2026-10-01"]


def test_a_bad_source_is_named_and_holds_back_no_other(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    played.bad = {"acme"}
    result = summarize(lakehouse, instance, "2026-09-01", "2026-10-01")
    assert not result.success
    assert played.built[1:] == [["acme 2026-09", "acme 2026-10"], ["globex 2026-09"]]
    assert played.published == ["globex 2026-09"]
    assert recorded(result) == ["2026-09-01"]
    failure = result.failure_data_for_node("summaries")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "Not published: acme: acme is wrong." in (failure.user_failure_data.description or "")
    check, gaps = result.get_asset_check_evaluations()
    assert (gaps.check_name, gaps.passed) == ("no_days_without_rows", True)
    assert not check.passed


def test_what_is_up_to_date_is_recorded_as_unchanged_with_the_reason_for_the_months_that_are_held(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    played.held = {Slice("acme", SEPTEMBER): "d1", Slice("globex", SEPTEMBER): "d7"}
    played.stale = []
    result = summarize(lakehouse, instance, "2026-09-01", "2026-10-01")
    assert result.success
    assert played.built == []
    assert recorded(result) == ["2026-09-01"]  # the lake holds nothing of October
    (materialization,) = [
        event.materialization for event in result.all_events if event.is_step_materialization and event.asset_key == MART
    ]
    assert materialization.metadata["unchanged"].value is True
    assert "up to date with its line items" in str(materialization.metadata["reason"].value)
    assert materialization.metadata["delivery_ids"].value == {"acme": "d1", "globex": "d7"}


def test_of_months_asked_for_by_hand_those_up_to_date_are_recorded_too_but_not_those_in_a_sensors_range(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    played.held = {Slice("globex", OCTOBER): "d3"}
    played.stale = [stale("acme", SEPTEMBER)]
    assert recorded(summarize(lakehouse, instance, "2026-09-01", "2026-10-01")) == ["2026-10-01", "2026-09-01"]
    by_sensor = {TRIGGER_TAG: "sensor"}
    assert recorded(summarize(lakehouse, instance, "2026-09-01", "2026-10-01", by_sensor)) == ["2026-09-01"]


def test_a_build_leaves_no_scratch_database_and_removes_what_a_killed_one_left(
    lakehouse: Lakehouse, instance: dg.DagsterInstance
) -> None:
    left = lakehouse.settings.dagster_home / "scratch" / "00000000-0000-0000-0000-000000000000"
    left.mkdir(parents=True)
    with scratch_folder(lakehouse.settings, instance, "this-run") as folder:
        assert not left.exists()
        (folder / "scratch.duckdb").write_bytes(b"data")
    assert list(folder.parent.iterdir()) == []


def test_only_the_chosen_slices_are_built() -> None:
    acme, later, globex = Slice("acme", SEPTEMBER), Slice("acme", OCTOBER), Slice("globex", SEPTEMBER)
    assert chosen_slices([acme, later], [acme, later, globex], [SEPTEMBER], force=False, only=[]) == [acme]
    assert chosen_slices([acme], [acme, later, globex], [SEPTEMBER], force=True, only=[]) == [acme, globex]
    assert chosen_slices([acme, globex], [], [SEPTEMBER], force=False, only=["globex 2026-09"]) == [globex]


def test_the_sensor_asks_for_one_run_over_all_stale_months(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    sensor = summary_sensor(lakehouse.settings)
    result = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2026-09-01", "2026-10-01")
    assert request.run_key == f"summaries|{request.tags[STALE_TAG]}|1"

    failed = instance.create_run_for_job(_nothing, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(failed)
    again = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(again, dg.SensorResult)
    assert not again.run_requests
    assert "failed once" in skip(again)

    played.stale.append(stale("globex", OCTOBER))
    other = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(other, dg.SensorResult)
    assert (other.run_requests or [])[0].run_key != request.run_key


def test_the_sensor_waits_for_loads_but_not_for_ever(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, played: Played
) -> None:
    instance.create_run_for_job(_loading, status=dg.DagsterRunStatus.STARTED)
    sensor = summary_sensor(lakehouse.settings)
    waiting = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(waiting, dg.SensorResult)
    assert "Waiting for 1 loads to end" in skip(waiting)
    since = datetime.now(UTC) - timedelta(minutes=21)
    cursor = json.dumps({"waiting_since": since.isoformat()})
    enough = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(enough, dg.SensorResult)
    assert len(enough.run_requests or []) == 1
    assert waited_long(cursor, since + timedelta(minutes=19)) == (False, cursor)


def skip(result: dg.SensorResult) -> str:
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message or ""


@dg.job
def _nothing() -> None:
    pass


@dg.job(name=LOAD_JOB)
def _loading() -> None:
    pass


def test_what_failed_is_read_from_dbts_results() -> None:
    results = (
        NodeResult("model.cost_lakehouse.int_aws__slices", "success", "OK", None, 0.1),
        NodeResult("test.cost_lakehouse.totals_agree.1a2b", "fail", "Got 2 results, configured to fail if != 0", 2, 0.1),
        NodeResult("test.cost_lakehouse.look_here.3c4d", "warn", "Got 1 result", 1, 0.1),
        NodeResult("model.cost_lakehouse.daily_costs", "skipped", "no message", None, 0.0),
    )
    assert DbtRun(results, ok=False).failures == ["totals_agree: Got 2 results, configured to fail if != 0"]
    assert DbtRun((), ok=False, problem="no such schema").failures == ["no such schema"]
    assert DbtRun(results[:1], ok=True).failures == []


def test_a_dbt_test_is_a_check_with_the_rows_that_it_found() -> None:
    spec = dg.AssetCheckSpec("totals_agree", asset=MART)
    failed = check_evaluation(spec, NodeResult("test.x.totals_agree.1", "fail", "Got 2 results", 2, 0.6))
    assert (failed.passed, failed.severity, failed.metadata["failed_rows"].value) == (False, dg.AssetCheckSeverity.ERROR, 2)
    warned = check_evaluation(spec, NodeResult("test.x.totals_agree.1", "warn", "Got 1 result", 1, 0.6))
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert warned.metadata["message"].value == "Got 1 result"
    passed = check_evaluation(spec, NodeResult("test.x.totals_agree.1", "pass", "no message", 0, 0.6))
    assert (passed.passed, "message" in passed.metadata) == (True, False)


def test_a_check_that_several_builds_ran_passes_only_if_all_passed() -> None:
    passed, failed = (dg.AssetCheckEvaluation(asset_key=MART, check_name="same", passed=item) for item in (True, False))
    assert merged_checks([passed, failed, passed]) == [failed]
    assert merged_checks([passed, passed]) == [passed]


def test_a_day_that_differs_fails_the_comparison_though_the_sums_agree() -> None:
    even = Compared("acme", SEPTEMBER, "USD", "billed_cost", Decimal("10.5"), Decimal("10.5"), Decimal(0), 30, 0)
    odd = Compared("acme", SEPTEMBER, "USD", "amortized_cost", Decimal(9), Decimal(9), Decimal(0), 30, 2)
    assert equals_raw([even], "aws").passed
    result = equals_raw([even, odd], "aws")
    assert not result.passed
    assert result.metadata["differences"].value == 2
    assert result.metadata["comparisons"].value == 60
    compared = result.metadata["expected_and_actual"]
    assert isinstance(compared, dg.TableMetadataValue)
    first_row = list(compared.records[0].data.values())
    assert first_row == ["acme", "2026-09", "USD", "amortized_cost", "9.00", "9.00", "0.00", "2 of 30"]
    assert result.metadata["expected acme 2026-09 USD"].value == "10.50"


def test_what_is_left_out_is_listed_with_reason_and_amount() -> None:
    assert nothing_left_out([]).passed
    left = Exclusion("acme", SEPTEMBER, "container share", "Usage", "USD", Decimal("0.07"), "bill-1.csv.gz, record 12")
    result = nothing_left_out([left])
    assert not result.passed
    listed = result.metadata["list"]
    assert isinstance(listed, dg.TableMetadataValue)
    (row,) = [list(record.data.values()) for record in listed.records]
    assert row == ["acme", "2026-09", "container share", "Usage", "USD", "0.07", "bill-1.csv.gz, record 12"]
