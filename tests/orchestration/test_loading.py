"""From manifest to slice through Dagster: sensor and schedule ask, the asset loads, what happened is on record."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import dagster as dg
import pytest

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import totals_by_delivery
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.line_items import line_item_assets
from cost_lakehouse.orchestration.constants import LOAD_JOB, SOURCE_TAG, line_items_key
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.schedules import download_schedule
from cost_lakehouse.orchestration.sensors.deliveries import delivery_sensor
from cost_lakehouse.sources.base import Source
from cost_lakehouse.sources.registry import open_source
from sample_bills import Fault
from tests.orchestration.conftest import OCTOBER, SEPTEMBER, Lakehouse

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Loading:
    """The loading half of the code location, driven as the daemon drives it."""

    def __init__(self, lakehouse: Lakehouse, instance: dg.DagsterInstance, clock: Iterator[float] | None = None) -> None:
        settings = lakehouse.settings
        months = billing_months(settings)
        assets = line_item_assets(settings, months, retry_policy=None)
        self.now = 0.0
        self.sensor = delivery_sensor(settings, months, clock=lambda: next(clock) if clock else self.now)
        self.schedule = download_schedule(settings, months)
        job = dg.define_asset_job(LOAD_JOB, selection=dg.AssetSelection.assets(*assets))
        self.defs = dg.Definitions(
            assets=assets,
            jobs=[job],
            sensors=[self.sensor],
            schedules=[self.schedule],
            resources=lake_resources(settings),
        )
        self.instance = instance
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        """One tick of the sensor, an hour after the last and with its cursor."""
        self.now += 3600
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=self.defs)
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def run(self, requests: Sequence[dg.RunRequest]) -> list[dg.ExecuteInProcessResult]:
        """Run what was asked for, as the daemon would."""
        job = self.defs.resolve_job_def(LOAD_JOB)
        return [
            job.execute_in_process(
                instance=self.instance,
                partition_key=run_request.partition_key,
                asset_selection=run_request.asset_selection,
                tags=run_request.tags,
                run_config=QUIET,
                raise_on_error=False,
            )
            for run_request in requests
        ]


def asked(result: dg.SensorResult) -> list[str]:
    """What was asked for, as `source month attempt`."""
    return sorted(
        f"{run_request.tags[SOURCE_TAG]} {run_request.partition_key} {(run_request.run_key or '')[-1]}"
        for run_request in result.run_requests or []
    )


def skipped(result: dg.SensorResult) -> str:
    """Why nothing was asked for."""
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message or ""


def test_a_new_delivery_is_asked_for_loaded_and_then_left_alone(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    written = lakehouse.deliver("acme", SEPTEMBER, 2)
    loading = Loading(lakehouse, instance)
    first = loading.tick()
    assert asked(first) == ["acme 2026-09-01 1"]

    (result,) = loading.run(first.run_requests or [])
    assert result.success
    (materialization,) = result.asset_materializations_for_node("line_items__acme")
    facts = materialization.metadata
    expected = written.expected.total()["USD"]
    assert materialization.partition == "2026-09-01"
    assert (materialization.tags or {})["dagster/data_version"] == written.delivery.assembly_id
    assert facts["dagster/row_count"].value == written.expected.rows
    assert facts["bytes"].value == written.bytes
    assert str(facts["cost"].value).removesuffix(" USD") == f"{expected.normalize():f}"
    assert facts["unchanged"].value is False
    files = facts["files"]
    assert isinstance(files, dg.TableMetadataValue)
    assert written.files[0].name in str(files.records[0].data["file"])
    services = facts["top_services"]
    assert isinstance(services, dg.TableMetadataValue)
    assert "AmazonEC2" in [record.data["service"] for record in services.records]
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    assert check.blocking
    assert check.metadata["expected USD"] == check.metadata["actual USD"]
    assert check.metadata["rounding USD"].value == "0.00"

    second = loading.tick()
    assert not second.run_requests
    assert skipped(second).startswith("acme: 1 up to date\nglobex: nothing waiting (")


def test_a_late_correction_of_a_closed_month_is_asked_for(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    lakehouse.deliver("acme", OCTOBER, 2)
    loading = Loading(lakehouse, instance)
    loading.run(loading.tick().run_requests or [])
    corrected = lakehouse.deliver("acme", SEPTEMBER, 20, Fault.LATE_REFUND)
    again = loading.tick()
    assert asked(again) == ["acme 2026-09-01 1"]
    loading.run(again.run_requests or [])
    totals = totals_by_delivery(Lake(lakehouse.settings), Slice("acme", SEPTEMBER))
    assert totals[Slice("acme", SEPTEMBER), corrected.delivery.assembly_id]["USD"].stored == corrected.expected.total()["USD"]


def test_files_rewritten_under_the_same_delivery_id_are_loaded_again(
    lakehouse: Lakehouse, instance: dg.DagsterInstance
) -> None:
    written = lakehouse.deliver("acme", SEPTEMBER, 2)
    loading = Loading(lakehouse, instance)
    before = loading.tick()
    loading.run(before.run_requests or [])
    for file in written.files:
        os.utime(file, (file.stat().st_mtime + 60, file.stat().st_mtime + 60))
    after = loading.tick()
    assert asked(after) == asked(before)
    assert (after.run_requests or [])[0].run_key != (before.run_requests or [])[0].run_key


def test_a_source_that_cannot_be_listed_holds_back_no_other(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    lakehouse.deliver("globex", SEPTEMBER, 2)
    lakehouse.configure("globex", extra="  - {name: a-gone, kind: aws_cur, location: nowhere/cur/report}\n")
    loading = Loading(lakehouse, instance)
    assert asked(loading.tick()) == ["globex 2026-09-01 1"]


def test_a_source_that_breaks_in_an_unforeseen_way_holds_back_no_other(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse.deliver("globex", SEPTEMBER, 2)

    def broken(settings: Settings, source: SourceSettings) -> Source:
        if source.name == "acme":
            raise ZeroDivisionError("a defect")
        return open_source(settings, source)

    monkeypatch.setattr("cost_lakehouse.loading.plan.open_source", broken)
    result = Loading(lakehouse, instance).tick()
    assert asked(result) == ["globex 2026-09-01 1"]


def test_a_paused_source_is_not_looked_at(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    lakehouse.configure(
        "globex", extra="  - {name: acme, kind: aws_cur, location: bills/acme-billing/cur/hourly-cur, paused: true}\n"
    )
    assert not Loading(lakehouse, instance).tick().run_requests


def test_a_tick_out_of_time_goes_on_with_the_next_source(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    for source in ("acme", "globex"):
        lakehouse.deliver(source, SEPTEMBER, 2)
    # The clock stands at 0 at the tick's start and is far beyond the budget as soon as one source was looked at.
    loading = Loading(lakehouse, instance, clock=iter([0.0, 1000.0, 2000.0, 3000.0]))
    first = loading.tick()
    assert asked(first) == ["acme 2026-09-01 1"]
    assert loading.cursor == "globex"
    second = loading.tick()
    assert asked(second) == ["globex 2026-09-01 1"]
    assert loading.cursor == "acme"


def test_a_refused_delivery_fails_its_run_and_is_not_asked_for_again(
    lakehouse: Lakehouse, instance: dg.DagsterInstance
) -> None:
    written = lakehouse.deliver("acme", SEPTEMBER, 2, Fault.BAD_NUMBER)
    loading = Loading(lakehouse, instance)
    (result,) = loading.run(loading.tick().run_requests or [])
    assert not result.success
    failure = result.failure_data_for_node("line_items__acme")
    assert failure is not None
    assert failure.user_failure_data is not None
    (planted,) = written.expected.planted
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.asset_check_key == dg.AssetCheckKey(line_items_key("acme"), "delivered_equals_stored")
    for metadata in (failure.user_failure_data.metadata, check.metadata):
        rejected = metadata["rejected_values"]
        assert isinstance(rejected, dg.TableMetadataValue)
        (row,) = [dict(record.data) for record in rejected.records]
        assert {name: row[name] for name in ("file", "record", "column", "value")} == {
            "file": written.files[0].relative_to(lakehouse.root / "bills" / "acme-billing").as_posix(),
            "record": planted.record,
            "column": "lineItem/UnblendedCost",
            "value": planted.value,
        }
    again = loading.tick()
    assert not again.run_requests
    # Ticks come every 20 seconds: what was refused and why is said by the run, its check and the alert, not by each of them.
    assert skipped(again).startswith("acme: 2026-09 refused\n")


def test_a_torn_delivery_is_asked_for_again_after_its_pause(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2, Fault.TORN_FILE)
    loading = Loading(lakehouse, instance)
    (result,) = loading.run(loading.tick().run_requests or [])
    assert not result.success
    at_once = loading.tick()
    assert not at_once.run_requests
    assert "failed once, next attempt at" in skipped(at_once)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(minutes=6)

    monkeypatch.setattr("cost_lakehouse.orchestration.new_deliveries.datetime", Later)
    assert asked(loading.tick()) == ["acme 2026-09-01 2"]


def test_asking_for_a_month_without_a_delivery_says_so_and_is_no_load(
    lakehouse: Lakehouse, instance: dg.DagsterInstance
) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    loading = Loading(lakehouse, instance)
    request = dg.RunRequest(partition_key="2026-10-01", asset_selection=[line_items_key("acme")])
    (result,) = loading.run([request])
    assert not result.success
    failure = result.failure_data_for_node("line_items__acme")
    assert failure is not None
    assert failure.user_failure_data is not None
    description = failure.user_failure_data.description or ""
    assert "Nothing to load for acme 2026-10" in description
    assert "months there: 2026-09. Nothing was changed." in description
    assert instance.get_latest_materialization_event(line_items_key("acme")) is None


def test_loading_an_unchanged_delivery_again_is_a_no_op_that_says_so(
    lakehouse: Lakehouse, instance: dg.DagsterInstance
) -> None:
    written = lakehouse.deliver("acme", SEPTEMBER, 2)
    loading = Loading(lakehouse, instance)
    requests = loading.tick().run_requests or []
    loading.run(requests)
    (again,) = loading.run(requests)
    (materialization,) = again.asset_materializations_for_node("line_items__acme")
    assert materialization.metadata["unchanged"].value is True
    assert "holds exactly this delivery" in str(materialization.metadata["reason"].value)
    assert materialization.metadata["dagster/row_count"].value == written.expected.rows


def test_the_schedule_asks_for_the_same_as_the_sensor(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    lakehouse.deliver("globex", OCTOBER, 2)
    loading = Loading(lakehouse, instance)
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 11, 1, tzinfo=UTC),
        repository_def=loading.defs.get_repository_def(),
    )
    ticked = loading.schedule.evaluate_tick(context)
    by_schedule = {run_request.run_key for run_request in ticked.run_requests or []}
    assert by_schedule == {run_request.run_key for run_request in loading.tick().run_requests or []}
    assert len(by_schedule) == 2


def test_the_schedules_cron_comes_from_the_environment(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Loading(lakehouse, instance).schedule.cron_schedule == "0 */2 * * *"
    monkeypatch.setenv("DOWNLOAD_SCHEDULE", "30 4 * * *")
    assert Loading(lakehouse, instance).schedule.cron_schedule == "30 4 * * *"


def test_decimals_are_shown_plainly() -> None:
    from cost_lakehouse.orchestration.assets.load_metadata import amounts, plain

    assert plain(Decimal("1E-7")) == "0.0000001"
    assert plain(Decimal("-12.50000")) == "-12.50"
    assert amounts({"USD": Decimal(3), "EUR": Decimal("0.125")}) == "0.125 EUR, 3.00 USD"
