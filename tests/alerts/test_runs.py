"""What runs in a real Dagster instance say: loads, checks, builds, mirrors, and runs that were killed."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
from dagster._core.utils import make_new_run_id

from cost_lakehouse.orchestration.alert_memory import remember
from cost_lakehouse.orchestration.constants import MONTH_TAG, PROCESS_TAG, REPORT_TAG, SOURCE_TAG, SUMMARY_JOB
from tests.alerts.conftest import QUIET, Office, load_job

MIRRORS = """\
mirrors:
  - {name: one, tenancy: ocid1.tenancy.oc1..aaaa, destination: one}
  - {name: two, tenancy: ocid1.tenancy.oc1..aaaa, destination: two}
"""


def test_the_success_of_another_month_ends_nothing(office: Office) -> None:
    office.look()
    office.load("cut off")
    office.load(month="2026-09")
    office.look()
    assert len(office.memory.open) == 1


def test_an_unforeseen_error_is_told_with_its_own_words(office: Office) -> None:
    office.look()
    office.load(error="a defect")
    office.look()
    assert office.listener.titles == ["Load of acme 2026-10 failed: ValueError: a defect"]


def test_an_old_run_that_is_tagged_anew_is_no_new_failure(office: Office) -> None:
    office.look()
    old = office.load("long ago")
    office.look()
    office.load()
    office.look()
    office.shift = timedelta(hours=1)
    office.load(month="2026-09")
    memory = office.memory
    memory.runs_seen, memory.runs_seen_until = {}, memory.runs_seen_until + timedelta(hours=1)
    remember(office.instance, memory)
    office.instance.add_run_tags(old.run_id, {"looked_at": "yes"})
    heard = len(office.listener.heard)
    office.look()
    assert len(office.listener.heard) == heard


def test_a_run_whose_process_was_killed_is_told(office: Office) -> None:
    office.look()
    office.instance.create_run_for_job(
        load_job,
        tags={SOURCE_TAG: "acme", MONTH_TAG: "2026-10", PROCESS_TAG: "a-host|1|a process that holds no lock"},
        status=dg.DagsterRunStatus.STARTED,
    )
    office.look()
    (title,) = office.listener.titles
    assert title.startswith("Load of acme 2026-10 failed: The process of this run ended without a word")


def test_a_run_that_went_well_with_a_failed_check_is_told_until_the_check_passes(office: Office) -> None:
    def run(passes: bool, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> None:
        @dg.asset_check(asset=dg.AssetKey(["marts", "daily_costs"]), name="adds_up")
        def adds_up() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=passes, severity=severity, metadata={"differences": 3})

        @dg.asset(key=["marts", "daily_costs"])
        def daily_costs() -> None:
            """Nothing."""

        result = dg.materialize([daily_costs, adds_up], instance=office.instance, run_config=QUIET)
        assert result.success

    office.look()
    run(passes=False, severity=dg.AssetCheckSeverity.WARN)
    office.look()
    assert office.listener.heard == []
    for passes in (False, False, True, True):
        run(passes)
        office.look()
    first, second = office.listener.titles
    assert first == "Check marts/daily_costs: adds_up failed: differences 3"
    assert second.startswith("Recovered: check marts/daily_costs: adds_up, after")


def test_a_failed_build_is_told_for_each_source_that_was_not_published_with_its_failed_checks(office: Office) -> None:
    failing = ["acme, globex"]

    @dg.op(name="summaries")
    def summaries() -> None:
        if failing:
            failed = {"acme": ["equals_the_raw_bill: Got 2 results"], "globex": ["the same"]}
            raise dg.Failure("Not published", metadata={"failed": {k: v for k, v in failed.items() if k in failing[0]}})

    @dg.job(name=SUMMARY_JOB)
    def build() -> None:
        summaries()

    def run(first: str, last: str) -> None:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        build.execute_in_process(instance=office.instance, tags=tags, run_config=QUIET, raise_on_error=False)

    office.look()
    run("2026-09-01", "2026-10-01")
    office.look()
    (message,) = office.listener.heard
    assert [item.title for item in message.items] == [
        "Build of the summaries of acme 2026-09 to 2026-10 failed: equals_the_raw_bill: Got 2 results",
        "Build of the summaries of globex 2026-09 to 2026-10 failed: the same",
    ]
    failing[0] = "globex"
    run("2026-09-01", "2026-10-01")
    office.look()
    assert [entry.source for entry in office.memory.open] == ["globex"]
    failing.clear()
    run("2026-10-01", "2026-10-01")
    office.look()
    assert [entry.source for entry in office.memory.open] == ["globex"]
    run("2026-08-01", "2026-10-01")
    office.look()
    assert office.memory.open == []
    assert len(office.listener.heard) == 3


def test_a_mirror_that_fails_is_told_until_that_mirror_succeeds(office: Office) -> None:
    office.config.write_text(f"{office.config.read_text()}{MIRRORS}", encoding="utf-8")
    failing = {"one", "two"}

    def mirror(name: str) -> dg.AssetsDefinition:
        @dg.asset(key=["mirror", name])
        def copies() -> None:
            if name in failing:
                facts = {
                    "mirror": name,
                    "problem": "The bucket is not there.",
                    "what_to_do": "Make it.",
                    "error_kind": "SourceError",
                }
                raise dg.Failure("The bucket is not there.", metadata=facts)

        return copies

    assets = [mirror("one"), mirror("two")]
    defs = dg.Definitions(assets=assets, jobs=[dg.define_asset_job("mirror_reports", dg.AssetSelection.assets(*assets))])

    def run() -> None:
        defs.resolve_job_def("mirror_reports").execute_in_process(
            instance=office.instance, run_config=QUIET, raise_on_error=False
        )

    office.look()
    run()
    office.look()
    (message,) = office.listener.heard
    assert [item.title for item in message.items] == [
        "Mirror of one failed: The bucket is not there.",
        "Mirror of two failed: The bucket is not there.",
    ]
    failing.remove("one")
    run()
    office.look()
    assert [entry.source for entry in office.memory.open] == ["two"]


def test_kinds_of_report_of_one_source_are_apart(office: Office) -> None:
    text = office.config.read_text().replace("name: acme, kind: aws_cur", "name: acme, kind: oci_cost_reports")
    office.config.write_text(text, encoding="utf-8")
    office.look()
    for failure, report in (("bad cost", "oci_cost"), ("bad usage", "oci_usage"), ("", "oci_cost")):
        load_job.execute_in_process(
            instance=office.instance,
            run_config={**QUIET, "ops": {"line_items__acme": {"config": {"failure": failure}}}},
            tags={SOURCE_TAG: "acme", REPORT_TAG: report},
            raise_on_error=False,
        )
    office.look()
    assert [item.where for item in office.memory.open] == ["acme oci_usage"]


def test_a_killed_run_of_chosen_assets_is_told_for_each(office: Office) -> None:
    office.config.write_text(f"{office.config.read_text()}{MIRRORS}", encoding="utf-8")
    office.look()
    for job, key in (
        ("__ASSET_JOB", "mirror/one"),
        ("build_summaries", "marts/daily_costs"),
        ("__ASSET_JOB", "line_items/globex"),
    ):
        run = dg.DagsterRun(
            job_name=job,
            run_id=make_new_run_id(),
            asset_selection={dg.AssetKey.from_user_string(key)},
            tags={"dagster/partition": "2026-10-01"},
            status=dg.DagsterRunStatus.STARTED,
        )
        office.instance.add_run(run)
        office.instance.report_run_failed(run, message="The process ended without a word.")
    office.look()
    assert sorted((item.what, item.where) for item in office.memory.open) == [
        ("build_summaries", "2026-10"),
        ("load_line_items", "globex 2026-10"),
        ("mirror_reports", "one"),
    ]
