"""The report as an asset, on the demo's lake: its file, its figures, and the mail that a schedule sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.assets.reports import REPORT_KEY, report_asset, report_file, report_jobs, report_schedules
from cost_lakehouse.orchestration.constants import REPORT_JOB
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.text_chart import bars
from tests.alerts.conftest import QUIET
from tests.alerts.servers import smtp_server
from tests.demo import Told

OCTOBER = datetime(2026, 10, 1).date()


def settings_of(demo: Told, folder: Path, **alerts: Any) -> Settings:
    """The demo's lakehouse with these alerts; its lake is the demo's own, and the reports of the test."""
    for path in demo.folder.iterdir():
        if path.name != "lakehouse.yaml":
            (folder / path.name).symlink_to(path)
    document = yaml.safe_load(Path(demo.config).read_text(encoding="utf-8")) | {"alerts": alerts}
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(folder / "lakehouse.yaml")


def made(settings: Settings, partition: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    """One run of the asset's job, for one month."""
    report = report_asset(settings, billing_months(settings))
    definitions = dg.Definitions(assets=[report], jobs=report_jobs(report), resources=lake_resources(settings))
    return definitions.resolve_job_def(REPORT_JOB).execute_in_process(
        partition_key=partition, run_config={**QUIET, **config}, raise_on_error=False
    )


@pytest.fixture
def written(demo: Told) -> Iterator[Path]:
    """Where October's report lies; it goes again, as the lake is everybody's."""
    file = demo.folder / "lake" / "warehouse" / report_file(OCTOBER)
    yield file
    file.unlink(missing_ok=True)


def test_a_months_report_is_a_file_below_the_warehouse_with_its_figures_on_the_page(
    demo: Told, tmp_path: Path, written: Path
) -> None:
    result = made(settings_of(demo, tmp_path), "2026-10-01", {})

    assert result.success
    (materialization,) = result.asset_materializations_for_node("__".join(REPORT_KEY.path))
    facts = materialization.metadata
    totals = demo.query(
        "select currency_code, sum(billed_cost) as cost from marts.daily_costs "
        "where billing_period = date '2026-10-01' group by 1 order by 1"
    )
    expected = {row["currency_code"]: Decimal(row["cost"]) for row in totals}
    said = [part.split(" ") for part in str(facts["cost"].value).split(", ")]
    assert {currency: Decimal(cost) for cost, currency in said} == expected
    assert Path(str(facts["report"].value)).resolve() == written.resolve()
    page = written.read_text(encoding="utf-8")
    assert sorted(map(Decimal, re.findall(r'<span class="big" title="([^"]+)"', page))) == sorted(expected.values())
    drawn = str(facts["chart"].value)
    for currency in expected:
        assert f"**Days, {currency}**" in drawn
        assert f"**Services, {currency}**" in drawn
    assert "2026-10-15" in drawn
    assert "mail" not in facts


def test_the_schedule_mails_the_month_before(demo: Told, tmp_path: Path, written: Path) -> None:
    with smtp_server() as server:
        mail = {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "from": "lake@example.com",
            "to": ["a@example.com"],
        }
        settings = settings_of(demo, tmp_path, email={**mail, "to": ["a@example.com"]}, report={"schedule": "0 7 3 * *"})
        (schedule,) = report_schedules(settings)
        with dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 3, 7, tzinfo=UTC)) as context:
            request = schedule(context)
        assert isinstance(request, dg.RunRequest)
        assert (schedule.job_name, request.partition_key) == (REPORT_JOB, "2026-10-01")
        # Tried again, as after a crash, it is the same mail.
        results = [made(settings, str(request.partition_key), dict(request.run_config)) for _ in range(2)]

    assert [result.success for result in results] == [True, True]
    assert [sent["Subject"] for sent in server.mails] == ["[cost-lakehouse] Costs of October 2026"] * 2
    assert len({sent["Message-ID"] for sent in server.mails}) == 1
    html = server.mails[0].get_body(("html",))
    assert html is not None
    assert html.get_content().split() == written.read_text(encoding="utf-8").split()
    (materialization,) = results[0].asset_materializations_for_node("__".join(REPORT_KEY.path))
    assert materialization.metadata["mail"].value == "Sent to a@example.com."


def test_a_month_without_bills_fails_with_what_to_do_and_leaves_no_file(demo: Told, tmp_path: Path) -> None:
    settings = settings_of(demo, tmp_path)
    held = {row["month"] for row in demo.query("select distinct billing_period::varchar as month from marts.bill_status")}
    empty = next(key for key in billing_months(settings).get_partition_keys() if key not in held)

    result = made(settings, empty, {})

    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    facts = failed.step_failure_data.user_failure_data
    assert facts is not None
    assert f"no bill of {empty[:7]}" in str(facts.metadata["problem"].value)
    assert not (demo.folder / "lake" / "warehouse" / report_file(datetime.fromisoformat(empty).date())).exists()


@pytest.mark.parametrize(
    ("alerts", "says"),
    [
        ({"report": {"schedule": "0 7 3 * *"}}, "`report` goes by mail: add `email`"),
        ({"report": {"when": "monthly"}}, "schedule"),
    ],
)
def test_a_report_that_cannot_be_sent_is_told_before_anything_runs(tmp_path: Path, alerts: dict[str, Any], says: str) -> None:
    (tmp_path / "lakehouse.yaml").write_text(yaml.safe_dump({"alerts": alerts}))

    with pytest.raises(ConfigurationError, match=says):
        load_settings(tmp_path / "lakehouse.yaml")


def test_what_is_no_cron_text_is_told(tmp_path: Path) -> None:
    mail = {"host": "127.0.0.1", "security": "none", "from": "a@example.com", "to": ["a@example.com"]}
    (tmp_path / "lakehouse.yaml").write_text(yaml.safe_dump({"alerts": {"email": mail, "report": {"schedule": "monthly!"}}}))

    with pytest.raises(ConfigurationError, match=r"The schedule of `alerts\.report` is no cron text: 'monthly!'"):
        report_schedules(load_settings(tmp_path / "lakehouse.yaml"))


def test_bars_have_the_length_of_their_amount_and_what_is_too_much_is_added_up() -> None:
    drawn = bars(
        "Services, USD", [("EC2", Decimal(20)), ("S3", Decimal("10.005")), ("Credit", Decimal(-5)), ("None", Decimal(0))]
    )

    assert drawn.splitlines() == [
        "**Services, USD**",
        "```text",
        f"EC2     20.00  {'█' * 40}",
        f"S3      10.00  {'█' * 20}",
        f"Credit  -5.00  {'░' * 10}",
        "None     0.00",
        "```",
    ]
    many = bars("All", [(f"service {number}", Decimal(1)) for number in range(40)]).splitlines()
    assert len(many) == 31 + 3
    assert many[-2].split()[:3] == ["10", "others", "10.00"]
    assert bars("None", []) == ""
