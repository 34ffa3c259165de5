"""Maintenance as people meet it: the Dagster job and its schedule, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from cost_lakehouse.cli.app import app
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.maintenance.report import Files, Report, TableReport
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.maintenance import maintenance_job, maintenance_schedules, report_metadata
from tests.builders import Workshop, line, settings_for
from tests.maintenance.rows import file_count, rows


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("DAGSTER_HOME", "")
    made = Workshop(tmp_path)
    for number in (1, 2):
        made.write([line(UnblendedCost=str(number))], assembly=f"A{number}")
        made.load()
    return made


@pytest.fixture
def instance(workshop: Workshop) -> Iterator[dg.DagsterInstance]:
    with command_instance(workshop.settings) as opened:
        yield opened


def command(workshop: Workshop, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["maintain", "--config", str(workshop.settings.file), *arguments])


def test_a_run_of_the_job_tells_what_it_did_in_its_log_and_metadata(workshop: Workshop, instance: dg.DagsterInstance) -> None:
    before = rows(workshop.lake)
    result = maintenance_job(workshop.settings).execute_in_process(instance=instance)
    assert result.success
    (output,) = (all_event.step_output_data for all_event in result.all_events if all_event.is_successful_output)
    assert output.metadata["files_merged"].value == 6
    shown = output.metadata["tables"]
    assert isinstance(shown, dg.TableMetadataValue)
    assert "raw.receipts" in [record.data["table"] for record in shown.records]
    assert [file_count(workshop.lake, name) for name in LEDGERS] == [1, 1, 1]
    assert rows(workshop.lake) == before
    logged = [all_log.user_message for all_log in instance.all_logs(result.run_id)]
    assert any(text.startswith("raw.files: 0 of 2 snapshots expired, 2 files of 1 slices merged into 1") for text in logged)
    (op,) = maintenance_job(workshop.settings).nodes
    assert op.definition.pool == "maintenance"  # type: ignore[attr-defined]  # an op, no graph


def test_the_schedule_follows_the_settings(tmp_path: Path) -> None:
    def with_schedule(text: str) -> list[dg.ScheduleDefinition]:
        file = tmp_path / "lakehouse.yaml"
        file.write_text(f"lake: {{maintenance: {{schedule: {text}}}}}\n")
        return maintenance_schedules(load_settings(file))

    assert [item.cron_schedule for item in with_schedule("'0 5 * * 0'")] == ["0 5 * * 0"]
    assert with_schedule("off") == []
    with pytest.raises(ConfigurationError, match=r"lake\.maintenance\.schedule"):
        with_schedule("sometimes")
    (usual,) = maintenance_schedules(settings_for(tmp_path, {}))
    assert (usual.job_name, usual.default_status) == ("maintain_lake", dg.DefaultScheduleStatus.RUNNING)


def test_the_command_shows_what_it_would_do_and_does_it_then(workshop: Workshop) -> None:
    dry = command(workshop, "--dry-run", "--json")
    assert dry.exit_code == 0, dry.output
    planned = {load["table"]: load for load in json.loads(dry.stdout)}
    assert planned["raw.receipts"]["merged_files"] == 2
    assert file_count(workshop.lake, "raw.receipts") == 2

    done = command(workshop, "--table", "raw.receipts")

    assert done.exit_code == 0, done.output
    assert "raw.receipts" in done.stdout
    assert "raw.files" not in done.stdout
    assert [file_count(workshop.lake, name) for name in ("raw.receipts", "raw.files")] == [1, 2]


def test_the_command_tells_wrong_usage_from_failure(workshop: Workshop) -> None:
    unknown = command(workshop, "--table", "raw.oci")
    assert unknown.exit_code == 2
    assert "raw.oci" in unknown.stderr

    with Lake(workshop.settings).lock("maintenance", "Lake maintenance"):
        busy = command(workshop)
    assert busy.exit_code == 1
    assert "Lake maintenance is being worked on by another process" in busy.stderr

    for file in workshop.warehouse.glob("raw/files/data/*/*/*.parquet"):
        file.unlink()
    broken = command(workshop, "--json")
    assert broken.exit_code == 1
    found = {load["table"]: load for load in json.loads(broken.stdout)}
    assert found["raw.files"]["failed"]
    assert found["raw.receipts"]["merged_files"] == 2


def test_a_report_adds_up_over_its_tables() -> None:
    tables = [
        TableReport(
            "raw.a", snapshots=5, expired=2, removed_expired=Files(3, 30), removed_orphans=Files(1, 5), after=Files(4, 40)
        ),
        TableReport("raw.b", snapshots=1, failed="no | disk", after=Files(1, 2)),
    ]
    found = report_metadata(Report(False, "duckdb", tables))
    assert (found["snapshots_expired"], found["files_removed"], found["bytes_removed"], found["files_left"]) == (2, 4, 35, 5)
    cells = [list(record.data.values()) for record in found["tables"].records]
    assert cells == [["raw.a", 2, 3, 0, 4, 35, 4, ""], ["raw.b", 0, 1, 0, 0, 0, 1, "failed: no | disk"]]
