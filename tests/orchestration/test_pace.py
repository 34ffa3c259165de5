"""Sources are polled at a pace that their answers and their price set."""

from __future__ import annotations

import json
from pathlib import Path

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.pace import Pace, pause_after

ATHENA = {"name": "athena", "kind": "aws_athena", "region": "us-east-1", "athena": {"database": "d", "table": "t"}}


def settings_of(folder: Path) -> Settings:
    """A report in AWS's S3, the same in another store, in a folder, and in Athena."""
    report = {"kind": "aws_cur", "location": "s3://billing/cur/hourly"}
    sources = [
        {"name": "aws", **report},
        {"name": "other-store", **report, "endpoint": "http://localhost:9000"},
        {"name": "folder", "kind": "aws_cur", "location": "bills/cur/hourly"},
        ATHENA,
    ]
    file = folder / "lakehouse.yaml"
    file.write_text(json.dumps({"sources": sources, "polling": {"interval_seconds": 30, "full_interval_seconds": 300}}))
    return load_settings(file)


def test_what_answers_is_due_at_every_tick_and_athena_at_its_own_pace(tmp_path: Path) -> None:
    pace = Pace(settings_of(tmp_path))
    names = ["aws", "other-store", "folder", "athena"]
    assert pace.due(names, 0.0) == names
    for name in names:
        pace.note(name, 0.0, took=0.5, failed=False, whole=True)
    assert pace.due(names, 30.0) == ["aws", "other-store", "folder"]
    assert pace.due(names, 299.0) == ["aws", "other-store", "folder"]
    assert pace.due(names, 300.0) == names


def test_only_where_requests_are_billed_older_months_wait(tmp_path: Path) -> None:
    pace = Pace(settings_of(tmp_path))
    names = ["aws", "other-store", "folder", "athena"]
    assert not [name for name in names if pace.is_recent_enough(name, 0.0)], "the first look is at everything"
    for name in names:
        pace.note(name, 0.0, took=0.5, failed=False, whole=True)
    assert [name for name in names if pace.is_recent_enough(name, 299.0)] == ["aws"]
    pace.note("aws", 290.0, took=0.5, failed=False, whole=False)
    assert not pace.is_recent_enough("aws", 300.0), "a look at the newest months puts off no look at all of them"
    pace.note("aws", 300.0, took=0.5, failed=True, whole=True)
    assert not pace.is_recent_enough("aws", 330.0), "what failed has seen nothing"


def test_a_source_that_fails_is_left_alone_longer_and_longer_until_it_answers(tmp_path: Path) -> None:
    assert [pause_after(failures) for failures in (0, 1, 2, 3, 4, 5, 99)] == [0, 60, 120, 240, 480, 600, 600]
    pace = Pace(settings_of(tmp_path))
    pace.note("folder", 0.0, took=0.1, failed=True, whole=True)
    pace.note("folder", 60.0, took=0.1, failed=True, whole=True)
    assert pace.due(["folder"], 179.0) == []
    assert pace.due(["folder"], 180.0) == ["folder"]
    pace.note("folder", 180.0, took=0.1, failed=False, whole=True)
    assert pace.due(["folder"], 181.0) == ["folder"]


def test_a_source_that_takes_long_is_asked_a_tenth_of_the_time(tmp_path: Path) -> None:
    pace = Pace(settings_of(tmp_path))
    pace.note("aws", 0.0, took=12.0, failed=False, whole=True)
    assert pace.due(["aws"], 119.0) == []
    assert pace.due(["aws"], 120.0) == ["aws"]
