"""The demo's story is told by deliveries that fit together, and the command writes what it prints."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sample_bills.__main__ import main
from sample_bills.demo import (
    Step,
    demo_bills,
    demo_months,
    demo_oci_bill,
    first_deliveries,
    late_refund,
    late_rows,
    redelivery,
    refused,
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    """The folder and the five steps, told once."""
    root = tmp_path_factory.mktemp("demo")
    return root, [first_deliveries(root), redelivery(root), late_rows(root), late_refund(root), refused(root)]


def test_the_story_has_three_sources_and_five_steps_in_time_order(story: tuple[Path, list[Step]]) -> None:
    _, steps = story
    first = steps[0]
    assert [name for name, _ in first.deliveries] == ["acme-payer", "acme-payer", "globex-payer", "globex-payer"]
    assert set(first.expected.total()) == {"USD", "EUR"}
    assert first.expected.rows == 8_000
    assert [len(step.increments) for step in steps] == [1, 0, 2, 0, 0]
    times = [
        max(
            [written.delivery.delivered_at.timestamp() for _, written in step.deliveries]
            or [file.path.stat().st_mtime for written in step.increments for file in written.files]
        )
        for step in steps
    ]
    assert times == sorted(times)
    assert len(set(times)) == 5
    assert [step.refused for step in steps] == [False, False, False, False, True]
    assert all(step.sentence for step in steps)


def test_the_late_refund_is_all_that_changes_in_the_closed_month(story: tuple[Path, list[Step]]) -> None:
    _, (first, _, _, correction, _) = story
    closed, corrected = first.deliveries[0][1], correction.deliveries[0][1]
    assert corrected.delivery.month == closed.delivery.month == date(2026, 9, 1)
    assert corrected.expected.total()["USD"] - closed.expected.total()["USD"] == Decimal("-18.75")


def test_the_refused_delivery_is_the_newest_of_the_open_month(story: tuple[Path, list[Step]]) -> None:
    (_, written) = story[1][4].deliveries[0]
    assert json.loads(written.manifest.read_text())["assemblyId"] == written.delivery.assembly_id
    assert len(written.expected.planted) == 1


def test_oracles_late_rows_are_of_the_open_month_and_one_file_comes_again(story: tuple[Path, list[Step]]) -> None:
    first, late, again = story[1][0].increments[0], *story[1][2].increments
    assert late.expected.months == (date(2026, 10, 1),)
    assert {file.key for file in again.files} < {file.key for file in first.files}
    assert not {file.key for file in late.files} & {file.key for file in first.files}
    assert all(file.path.stat().st_mtime == again.files[0].path.stat().st_mtime for file in again.files)


def test_sources_lie_where_the_bills_say(story: tuple[Path, list[Step]]) -> None:
    locations = {name: bill.location for name, bill in demo_bills().items()}
    assert locations == {"acme-payer": "acme-billing/cur/hourly-cur", "globex-payer": "globex-billing/globex-cur"}
    assert all((story[0] / location).is_dir() for location in [*locations.values(), demo_oci_bill().location])


def test_the_months_are_the_two_before_today() -> None:
    assert demo_months(date(2026, 11, 2)) == (date(2026, 9, 1), date(2026, 10, 1))
    assert demo_months(date(2027, 1, 31)) == (date(2026, 11, 1), date(2026, 12, 1))


def test_the_command_writes_a_delivery_a_month_and_payer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path), "--rows", "200", "--months", "2026-01..2026-02", "--payers", "2", "--fault", "bad-number"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"acme-billing/cur/{report}/{period}/{report}-Manifest.json"
        for report in ("hourly-cur", "hourly-cur-2")
        for period in ("20260101-20260201", "20260201-20260301")
    ]
    assert all("200 rows, 162 columns" in line for line in lines)


def test_the_command_writes_a_tenancys_reports_and_says_what_they_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--provider",
        "oci",
        "--months",
        "2026-01",
        "--files-a-day",
        "1",
        "--rows-a-file",
        "12",
        "--fault",
        "torn-file",
    ]
    assert main([str(tmp_path), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("acme-oci-mirror/reports: 2026-01: cost ")
    assert lines[1].startswith("acme-oci-mirror/reports: 96 files, 374 rows of cost, ")


def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--rows", "3"], "rows must be at least 150"),
        (["--months", "2026"], "--months: '2026'"),
        (["--fault", "wrong-header"], "--fault: wrong-header is none of bad-number"),
        (["--provider", "oci", "--files-a-day", "5"], "files_a_day must divide 24"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([str(tmp_path), *arguments])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
