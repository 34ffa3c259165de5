"""``run``, ``discover``, ``status``, ``doctor`` and wrong usage: what they say and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.cli.commands.run import is_due
from cost_lakehouse.config import load_settings
from cost_lakehouse.loading.plan import Planned
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.sources.delivery import Finding, Status
from sample_bills import Bill, BillDelivery, Fault, Written, write_delivery
from tests.demo import command

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
BILL = Bill(months=(SEPTEMBER, OCTOBER), rows=200, seed=3)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A lakehouse of one source that has delivered nothing, found as ./lakehouse.yaml."""
    (tmp_path / "bills" / BILL.location).mkdir(parents=True)
    return configure(tmp_path, f"- {{name: acme, kind: aws_cur, location: bills/{BILL.location}}}")


def configure(folder: Path, *sources: str) -> str:
    file = folder / "lakehouse.yaml"
    file.write_text(
        "\n".join(["lake: {first_month: 2026-09}", "sources:", *(f"  {source}" for source in sources)]), encoding="utf-8"
    )
    return str(file)


def deliver(folder: Path, month: date, day: int, *faults: Fault) -> Written:
    moment = datetime(2026, 11, day, 5, 30, tzinfo=UTC)
    return write_delivery(folder / "bills", BILL, BillDelivery(month=month, delivered_at=moment, faults=frozenset(faults)))


def test_loading_without_summaries_then_nothing_is_new(config: str, tmp_path: Path) -> None:
    written = deliver(tmp_path, SEPTEMBER, 2)
    first = command("run", "--no-summarize", "--config", config)
    assert first.exit_code == 0, first.output
    assert "loaded" in first.stdout
    assert f"{written.expected.rows:,}" in first.stdout
    again = command("run", "--no-summarize")
    assert again.exit_code == 0
    assert "Nothing new to load; 1 delivery is up to date." in again.stdout
    (row,) = json.loads(command("status", "--json").stdout)
    assert (row["source"], row["month"], row["rows"], row["summarized"]) == ("acme", "2026-09", written.expected.rows, False)


def test_every_load_is_a_dagster_run_of_its_own(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2)
    deliver(tmp_path, OCTOBER, 3)
    command("run", "--no-summarize", "--month", "2026-10")
    command("run", "--no-summarize")
    with command_instance(load_settings()) as instance:
        months = [get_run.tags["cost_lakehouse/month"] for get_run in instance.get_runs()]
        statuses = {get_run.status for get_run in instance.get_runs()}
    assert sorted(months) == ["2026-09", "2026-10"]
    assert statuses == {dg.DagsterRunStatus.SUCCESS}


def test_a_bad_delivery_fails_the_command_and_holds_back_no_other(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2, Fault.BAD_NUMBER)
    deliver(tmp_path, OCTOBER, 3)
    result = command("run", "--no-summarize")
    assert result.exit_code == 1
    assert "'12,34' is not a number" in result.stderr
    assert "Fix:" in result.stderr
    rows = {row["month"]: row for row in json.loads(command("status", "--json").stdout)}
    assert (rows["2026-09"]["state"], rows["2026-10"]["state"]) == ("refused", "accepted")
    assert rows["2026-09"]["loaded_at"] is None
    # A manual run tries a refused delivery again.
    assert command("run", "--no-summarize").exit_code == 1


def test_force_loads_again_what_the_lake_holds(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2)
    command("run", "--no-summarize")
    before = json.loads(command("status", "--json").stdout)
    forced = command("run", "--no-summarize", "--force")
    assert forced.exit_code == 0
    after = json.loads(command("status", "--json").stdout)
    assert after[0]["loaded_at"] > before[0]["loaded_at"]
    assert after[0]["totals"] == before[0]["totals"]


def test_a_month_that_comes_again_without_a_line_is_loaded_with_a_warning(config: str, tmp_path: Path) -> None:
    written = deliver(tmp_path, SEPTEMBER, 2)
    command("run", "--no-summarize")
    deliver(tmp_path, SEPTEMBER, 3, Fault.HEADER_ONLY)
    emptied = command("run", "--no-summarize")
    assert emptied.exit_code == 0, emptied.output
    assert "  warning: acme 2026-09" in emptied.stdout
    assert f"gone from the month are those of 20261102T053000Z: {written.expected.rows:,}." in emptied.stdout


def test_a_source_that_cannot_be_listed_fails_the_command_and_the_others_load(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2)
    good = f"- {{name: acme, kind: aws_cur, location: bills/{BILL.location}}}"
    configure(tmp_path, "- {name: gone, kind: aws_cur, location: nowhere/cur/report}", good)
    result = command("run", "--no-summarize")
    assert result.exit_code == 1
    assert "nowhere/cur/report" in result.stderr
    assert [row["source"] for row in json.loads(command("status", "--json").stdout) if row["month"]] == ["acme"]
    listed = command("discover", "--json")
    assert listed.exit_code == 1
    assert [row["source"] for row in json.loads(listed.stdout)] == ["acme"]
    examined = command("doctor")
    assert examined.exit_code == 1
    assert "failed source gone" in examined.stdout
    assert "fix:" in examined.stdout


def test_a_manifest_that_cannot_be_used_says_what_to_do_and_holds_back_no_other_month(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2)
    deliver(tmp_path, OCTOBER, 3).manifest.write_text('{"assemblyId": ', encoding="utf-8")
    result = command("run", "--no-summarize")
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "Error: acme 2026-10: The manifest" in said
    assert "Fix: Nothing was changed for it. Put right what is delivered there, or wait for the next delivery" in said
    assert [row["month"] for row in json.loads(command("status", "--json").stdout)] == ["2026-09"]


def test_nothing_delivered_yet_is_no_failure(config: str) -> None:
    result = command("run")
    assert result.exit_code == 0
    assert "Nothing new to load." in result.stdout
    assert "acme: waiting" in result.stdout
    assert command("discover").exit_code == 0
    assert "Nothing is loaded yet." in command("status").stdout


def test_months_that_wait_or_lie_before_the_first_are_told_beside_what_is_loaded(config: str, tmp_path: Path) -> None:
    august = date(2026, 8, 1)
    deliver(tmp_path, SEPTEMBER, 2)
    deliver(tmp_path, OCTOBER, 2, Fault.MISSING_FILE)
    write_delivery(
        tmp_path / "bills",
        replace(BILL, months=(august,)),
        BillDelivery(month=august, delivered_at=datetime(2026, 9, 2, tzinfo=UTC)),
    )
    result = command("run", "--no-summarize")
    assert result.exit_code == 0, result.output
    assert "acme: 2026-08 not loaded: before lake.first_month" in result.stdout
    assert "acme 2026-10: waiting:" in result.stdout
    assert [row["month"] for row in json.loads(command("status", "--json").stdout)] == ["2026-09"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--source", "nobody"], "Known sources: acme"),
        (["run", "--kind", "gcp"], "Known kinds: aws_cur"),
        (["run", "--month", "2026-13"], "YYYY-MM"),
        (["run", "--month", "2026-08"], "before the lake's first month, 2026-09"),
        (["discover", "--source", "nobody"], "There is no source 'nobody'"),
        (["status", "--config", "elsewhere.yaml"], "There is no configuration file"),
        (["query"], "Missing argument"),
        (["query", "select 1", "--format", "xml"], "Invalid value for '--format'"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(config: str, arguments: list[str], told: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_wrong_configuration_names_field_and_fix(tmp_path: Path) -> None:
    configure(tmp_path, "- {name: Acme, kind: aws_cur, location: x, colour: red}")
    result = command("discover")
    assert result.exit_code == 2
    assert "sources[0].name: use lower-case letters" in result.stderr
    assert "sources[0].colour: unknown key" in result.stderr


def test_a_paused_source_is_left_out_unless_named(config: str, tmp_path: Path) -> None:
    deliver(tmp_path, SEPTEMBER, 2)
    configure(tmp_path, f"- {{name: acme, kind: aws_cur, location: bills/{BILL.location}, paused: true}}")
    assert json.loads(command("discover", "--json").stdout) == []
    assert "Nothing new to load." in command("run").stdout
    named = command("run", "--source", "acme")
    assert named.exit_code == 2
    assert "paused" in named.stderr


@pytest.mark.parametrize(
    ("standing", "by_itself", "forced"),
    [
        (Status.NEW, True, True),
        (Status.REFUSED, True, True),
        (Status.CURRENT, False, True),
        (Status.OLDER, False, False),
    ],
)
def test_a_manual_run_loads_what_is_new_or_was_refused(standing: Status, by_itself: bool, forced: bool, tmp_path: Path) -> None:
    from cost_lakehouse.sources.delivery import Delivery
    from cost_lakehouse.storage.object_store import StoredObject

    manifest = StoredObject("m", "e", 1, datetime(2026, 1, 1, tzinfo=UTC))
    delivery = Delivery("acme", "raw.aws_cur", (), "d", manifest.last_modified, "r", SEPTEMBER, manifest)
    planned = Planned(Finding("acme", SEPTEMBER, Status.NEW, delivery), standing)
    assert is_due(planned, force=False) is by_itself
    assert is_due(planned, force=True) is forced


def test_help_is_quick_and_needs_no_configuration() -> None:
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "cost_lakehouse.cli", "--help"], capture_output=True, text=True, check=True)
    assert "discover" in done.stdout
    slow = {"dagster", "pyiceberg", "polars", "duckdb", "boto3"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, cost_lakehouse.cli.app; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert slow.isdisjoint(loaded.stdout.split())
    assert time.perf_counter() - begin < 30
