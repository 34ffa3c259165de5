"""The demo tells the whole story, and what it leaves is what its generator says must be there."""

from __future__ import annotations

import csv
import io
import json
import shlex
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.alerts.incidents import Kind, Trouble
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.cli.commands.demo import further, story_day
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.orchestration.alert_deliveries import poll_deliveries
from cost_lakehouse.orchestration.constants import SUMMARY_JOB
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.sensors.daily_costs import DAILY_COSTS, change_lines, changes_of, daily_cost_sensor
from cost_lakehouse.orchestration.sensors.summaries import summary_sensor
from cost_lakehouse.summaries.stale import stale_slices
from sample_bills import Expected, OciExpected
from sample_bills import demo as story
from tests.demo import Told, command, oci_of_the_demo

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, date], Expected]:
    """(source, month) -> what its last good delivery holds, by the generator's own sums."""
    root = tmp_path_factory.mktemp("again")
    steps = [story.first_deliveries(root), story.redelivery(root), story.late_refund(root)]
    return {(name, written.delivery.month): written.expected for step in steps for name, written in step.deliveries}


@pytest.fixture(scope="module")
def expected_of_oci(tmp_path_factory: pytest.TempPathFactory) -> OciExpected:
    """What the tenancy's reports hold in the end: of the file that came twice, what came last."""
    return oci_of_the_demo(tmp_path_factory.mktemp("oracle"))


@pytest.fixture(scope="module")
def totals(
    expected: dict[tuple[str, date], Expected], expected_of_oci: OciExpected
) -> dict[tuple[str, date], dict[str, Decimal]]:
    """(source, month) -> currency -> cost, of all sources."""
    oci = {(story.OCI_SOURCE, month): expected_of_oci.total(month) for month in (SEPTEMBER, OCTOBER)}
    return {slice_: item.total() for slice_, item in expected.items()} | oci


def test_the_demo_tells_its_steps_and_ends_well(demo: Told) -> None:
    assert (demo.exit_code, demo.problem) == (0, ""), demo.stdout + demo.stderr
    told = demo.stdout
    for text in (
        "1. ",
        "2. ",
        "3. ",
        "4. ",
        "5. ",
        "6. ",
        "7. ",
        "closed and invoiced",
        "31 rows are gone",
        "the file of October 30 again",
        "18.75 USD",
        '"12,34"',
        "It was refused",
    ):
        assert text in told
    # Its last lines can be typed as they are.
    last = [line.strip() for line in told.splitlines()][-4:]
    assert last == further(demo.folder / "lakehouse.yaml")
    assert [shlex.split(line)[:3] for line in last[:3]] == [["uv", "run", "cost-lakehouse"]] * 3
    assert shlex.split(last[3]) == [f"COST_LAKEHOUSE_CONFIG={demo.config}", "uv", "run", "dagster", "dev"]


def test_the_demo_asks_what_the_late_refund_changed_and_why(demo: Told) -> None:
    """The refund of 18.75 USD is told as it comes, compared, asked of the past, and followed to its record in the bill."""
    told = [" ".join(line.split()) for line in demo.stdout.splitlines()]
    (late,) = [line for line in told if line.startswith("Late correction: ")]
    assert "acme-payer 2026-09, invoiced since " in late
    assert late.endswith("delivery 20261102T133621Z changes it by -18.75 USD.")
    typed = [line for line in told if line.startswith("$ ")]
    asked = [shlex.split(line)[4:] for line in typed]
    assert [words[0] for words in asked] == ["diff", "query", "query", "explain"]
    assert asked[1][-2:] == ["--as-of", "acme-payer/20261006T053621Z"]
    compared, of_then, of_now, explained = map(told.index, typed)
    assert "2026-09-04 AmazonS3 Refund USD changed -5 -23.75 -18.75 -18.75 1" in told[compared:of_then]
    assert "4484.52837121674727940229" in told[of_then:of_now]
    assert "4465.77837121674727940229" in told[of_now:explained]
    assert any(line.endswith("line_item_type = 'Refund' = -23.75 USD") for line in told)
    assert "hourly-cur-00001.csv.gz 13 2026-09-04 001234567890 AmazonS3 Refund as_billed -18.75 -18.75 USD" in told
    assert "The lines add up to -23.75 USD: exactly what the mart says." in told


def test_a_second_lakehouse_reads_what_the_demo_pushes_and_comes_to_the_generators_sums(
    demo: Told, totals: dict[tuple[str, date], dict[str, Decimal]]
) -> None:
    assert "Pushed to backbone: 6 months, 12 files" in demo.stdout
    assert "Every total is the same to the last digit." in demo.stdout
    with connect(Lake(load_settings(demo.folder / "second" / "lakehouse.yaml")), ["raw.lakehouse_costs"]) as connection:
        found = connection.execute(
            "select writer, writer_source, billing_period, currency_code, sum(billed_cost) "
            "from raw.lakehouse_costs group by all"
        ).fetchall()
    held: dict[tuple[str, date], dict[str, Decimal]] = {}
    for writer, source, month, currency, cost in found:
        assert writer == "demo"
        held.setdefault((source, month), {})[currency] = cost
    assert held == totals
    # What is pushed is on the ledger: a run sends nothing again.
    push = command("push", "--config", demo.config)
    assert (push.exit_code, push.stdout.strip()) == (0, "Pushed to backbone: nothing new.")


def test_what_the_demo_says_was_typed_can_be_typed(demo: Told) -> None:
    for line in demo.stdout.splitlines():
        if line.startswith("$ "):
            result = command(*shlex.split(line)[4:], "--config", demo.config)
            assert result.exit_code == 0, f"{line}\n{result.output}"
            assert all(part in demo.stdout for part in result.stdout.splitlines())


def test_a_folder_with_spaces_is_quoted_in_the_last_lines() -> None:
    query, status, serve, dev = further(Path("/my lake/it's/lakehouse.yaml"))
    assert shlex.split(query)[3:6] == ["query", "--config", "/my lake/it's/lakehouse.yaml"]
    assert shlex.split(query)[6] == "select * from marts.daily_costs limit 10"
    assert shlex.split(status)[-1] == "/my lake/it's/lakehouse.yaml"
    assert shlex.split(serve)[3:] == ["serve", "--config", "/my lake/it's/lakehouse.yaml", "--port", "8080"]
    assert shlex.split(dev)[0] == "COST_LAKEHOUSE_CONFIG=/my lake/it's/lakehouse.yaml"


@pytest.mark.parametrize(
    ("now", "day", "months"),
    [
        pytest.param("2026-11-26T19:30", "2026-11-26", ("2026-09", "2026-10"), id="evening"),
        pytest.param("2026-11-26T18:59", "2026-11-25", ("2026-09", "2026-10"), id="morning"),
        pytest.param("2026-11-02T18:00", "2026-10-31", ("2026-08", "2026-09"), id="late-rows-not-yet-there"),
        pytest.param("2026-11-02T19:00", "2026-11-02", ("2026-09", "2026-10"), id="second"),
        pytest.param("2027-01-15T12:00", "2027-01-14", ("2026-11", "2026-12"), id="new-year"),
        pytest.param("2028-03-01T23:00", "2028-02-29", ("2027-12", "2028-01"), id="leap-day"),
    ],
)
def test_the_story_is_of_now_and_nothing_of_it_is_still_to_come(now: str, day: str, months: tuple[str, str]) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    today = story_day(moment)
    assert today == date.fromisoformat(day)
    assert tuple(f"{month:%Y-%m}" for month in story.demo_months(today)) == months
    increments = story.demo_oci_bill(today).increments
    assert max(increment.created_at for increment in increments) <= moment
    # The story's last delivery is made at 18:36:21 of its day.
    assert datetime(today.year, today.month, today.day, 18, 36, 21, tzinfo=UTC) <= moment


def test_no_source_of_the_demo_is_ever_late(demo: Told) -> None:
    settings = load_settings(Path(demo.config))
    later = datetime.now(UTC) + timedelta(days=400)
    memory = Memory(later, later)
    found = [seen for seen in poll_deliveries(settings, memory, later) if isinstance(seen, Trouble)]
    assert [seen for seen in found if seen.kind is not Kind.ANOMALY] == []


def test_the_published_marts_hold_exactly_what_was_delivered_last(
    demo: Told, totals: dict[tuple[str, date], dict[str, Decimal]]
) -> None:
    rows = demo.query(
        "select source, billing_period, currency_code, sum(billed_cost) as cost from marts.daily_costs group by all"
    )
    published = {
        (row["source"], date.fromisoformat(row["billing_period"]), row["currency_code"]): Decimal(row["cost"]) for row in rows
    }
    wanted = {(*slice_, currency): amount for slice_, item in totals.items() for currency, amount in item.items()}
    assert published == wanted


def test_oracles_reports_are_summarised_row_by_row_and_a_file_that_came_again_counts_once(
    demo: Told, expected_of_oci: OciExpected
) -> None:
    rows = demo.query(
        "select usage_date, tenant_id, service, sum(cost) as cost, sum(line_item_count) as rows "
        "from marts.oci_daily_summary group by all"
    )
    found = {(date.fromisoformat(row["usage_date"]), row["tenant_id"], row["service"]): Decimal(row["cost"]) for row in rows}
    assert found == expected_of_oci.by("usage_date", "tenant_id", "service")
    assert sum(int(row["rows"]) for row in rows) == expected_of_oci.rows


def test_status_shows_what_is_held_and_what_was_refused(
    demo: Told, expected: dict[tuple[str, date], Expected], totals: dict[tuple[str, date], dict[str, Decimal]]
) -> None:
    shown = json.loads(command("status", "--json", "--config", demo.config).stdout)
    by_slice = {(row["source"], date.fromisoformat(row["billing_period"])): row for row in shown}
    assert by_slice.keys() == totals.keys()
    for slice_, row in by_slice.items():
        assert slice_ not in expected or row["rows"] == expected[slice_].rows
        assert {currency: Decimal(text) for currency, text in row["totals"].items()} == totals[slice_]
        assert row["summarized"] is True
        assert row["month"] == f"{slice_[1]:%Y-%m}"
        assert datetime.fromisoformat(row["loaded_at"]).tzinfo is not None
    refused = by_slice["acme-payer", OCTOBER]
    assert (refused["state"], refused["delivery_id"]) == ("refused", "20261102T093621Z")
    assert refused["refused_delivery_id"] == "20261102T183621Z"
    assert "record 1, column lineItem/UnblendedCost: '12,34'" in refused["last_error"]
    assert by_slice["acme-payer", SEPTEMBER]["state"] == "accepted"
    assert by_slice["acme-payer", SEPTEMBER]["last_error"] is None


def test_discover_shows_every_delivery_and_how_it_stands(demo: Told) -> None:
    result = command("discover", "--json", "--config", demo.config)
    assert result.exit_code == 0
    found = {(row["source"], row["month"]): row for row in json.loads(result.stdout)}
    assert {key: row["state"] for key, row in found.items()} == {
        ("acme-payer", "2026-09"): "current",
        ("acme-payer", "2026-10"): "refused",
        ("globex-payer", "2026-09"): "current",
        ("globex-payer", "2026-10"): "current",
        ("acme-oci", None): "current",
    }
    assert not any(row["new"] for row in found.values())
    assert found["acme-payer", "2026-09"]["files"] == 2
    only = json.loads(
        command("--config", demo.config, "discover", "--json", "--source", "globex-payer", "--month", "2026-10").stdout
    )
    assert [(row["source"], row["billing_period"]) for row in only] == [("globex-payer", "2026-10-01")]


def test_a_query_as_csv_is_a_header_line_and_plain_values(demo: Told) -> None:
    sql = (
        "select date '2026-09-01' as day, cast(1234567.5 as decimal(38, 20)) as amount, null as nothing, "
        "timestamp '2026-01-02 03:04:05' as moment, 1e-7 as small, map {'a': 'b'} as tags, true as yes, 'x,\"y\"' as text"
    )
    result = command("query", sql, "--format", "csv", "--config", demo.config)
    assert result.exit_code == 0
    (header, row) = list(csv.reader(io.StringIO(result.stdout)))
    assert header == ["day", "amount", "nothing", "moment", "small", "tags", "yes", "text"]
    assert row == ["2026-09-01", "1234567.5", "", "2026-01-02T03:04:05", "0.0000001", '{"a": "b"}', "true", 'x,"y"']


def test_a_query_of_many_rows_comes_whole(demo: Told) -> None:
    result = command("query", "select range as n from range(12345)", "--format", "csv", "--config", demo.config)
    assert result.stdout.splitlines() == ["n", *map(str, range(12345))]
    as_json = json.loads(
        command("query", "select range as n from range(12345)", "--format", "json", "--config", demo.config).stdout
    )
    assert as_json == [{"n": number} for number in range(12345)]
    assert json.loads(command("query", "select 1 as n where false", "--format", "json", "--config", demo.config).stdout) == []


def test_a_wrong_query_fails_with_the_engines_words_and_prints_nothing_else(demo: Told) -> None:
    result = command("query", "select nonsense from marts.daily_costs", "--config", demo.config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nonsense" in result.stderr
    assert "marts.daily_costs" in result.stderr


def test_the_doctor_finds_everything_in_order(demo: Told) -> None:
    result = command("doctor", "--config", demo.config)
    assert result.exit_code == 0, result.stdout
    assert "Everything is in order." in result.stdout
    assert "source acme-payer" in result.stdout


def test_summaries_are_on_record_for_exactly_the_months_they_were_built_for(demo: Told) -> None:
    with command_instance(load_settings(Path(demo.config))) as instance:
        records = instance.fetch_materializations(DAILY_COSTS, limit=100, ascending=True).records
        materializations = [record.asset_materialization for record in records if record.asset_materialization]
        assert [materialization.partition for materialization in materializations] == [
            "2026-09-01",
            "2026-10-01",
            "2026-09-01",
            "2026-10-01",
        ]
        (change,) = changes_of(materializations[2])
        assert Decimal(change["old"]) - Decimal(change["new"]) == Decimal("18.75")
        facts = materializations[2].metadata
        assert "20261102T133621Z" in str(facts["delivery_ids"].value)
        runs = instance.get_runs(dg.RunsFilter(job_name=SUMMARY_JOB))
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        check = dg.AssetCheckKey(dg.AssetKey(["marts", "aws_daily_summary"]), "equals_the_raw_bill")
        (execution,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        assert execution.event is not None
        evaluation = execution.event.asset_check_evaluation
        assert evaluation is not None
        assert evaluation.passed
        assert evaluation.metadata["differences"].value == 0
        assert evaluation.metadata["expected acme-payer 2026-09 USD"] == evaluation.metadata["actual acme-payer 2026-09 USD"]


def test_the_daily_cost_sensor_tells_every_change_once(demo: Told) -> None:
    sensor = daily_cost_sensor()
    with command_instance(load_settings(Path(demo.config))) as instance:
        first = sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(first, dg.SensorResult)
        assert isinstance(first.skip_reason, dg.SkipReason)
        lines = (first.skip_reason.skip_message or "").splitlines()
        assert len(lines) == 9  # six first publications, two redeliveries, a refund
        assert lines[6].startswith("acme-payer 2026-09: 4465.77837121674727940229 USD (was 4484.52837121674727940229")
        again = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert isinstance(again, dg.SensorResult)
        assert isinstance(again.skip_reason, dg.SkipReason)
        assert again.skip_reason.skip_message == "marts.daily_costs did not change."
        assert again.cursor == first.cursor


def test_nothing_is_due_after_the_demo(demo: Told) -> None:
    settings = load_settings(Path(demo.config))
    assert stale_slices(Lake(settings)) == []
    with command_instance(settings) as instance:
        result = summary_sensor(settings)(dg.build_sensor_context(instance=instance))
        assert isinstance(result, dg.SensorResult)
        assert not result.run_requests
    run = command("run", "--source", "globex-payer", "--config", demo.config)
    assert run.exit_code == 0
    assert "Nothing new to load; 2 deliveries are up to date." in run.stdout


def test_the_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    result = command("demo", "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_change_without_an_old_total_says_so() -> None:
    change = {"source": "acme", "month": "2026-09", "currency": "USD", "old": None, "new": "1.5"}
    assert list(change_lines([change])) == ["acme 2026-09: 1.50 USD (was not there)"]


def test_a_change_is_told_in_plain_numbers_as_everywhere_else() -> None:
    change = {"source": "acme", "month": "2026-09", "currency": "EUR", "old": "1E+2", "new": "4636.66567759676500000000"}
    assert list(change_lines([change])) == ["acme 2026-09: 4636.665677596765 EUR (was 100.00)"]
