"""Few sources are polled at every tick; many, and those whose polls cost, have to wait."""

from __future__ import annotations

import json
from pathlib import Path

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.pace import Pace, pauses


def settings_with(folder: Path, *kinds: str) -> Settings:
    locations = {"aws_cur": {"location": "bills/p/r"}}
    more = {"aws_athena": {"athena": {"database": "bills", "table": "cur"}, "region": "us-east-1"}}
    sources = [
        {"name": f"s{number}", "kind": kind, **locations.get(kind, {}), **more.get(kind, {})}
        for number, kind in enumerate(kinds)
    ]
    file = folder / "lakehouse.yaml"
    file.write_text(json.dumps({"lake": {"first_month": "2026-09"}, "sources": sources}), encoding="utf-8")
    return load_settings(file)


def test_up_to_eight_sources_are_polled_at_every_tick(tmp_path: Path) -> None:
    assert set(pauses(settings_with(tmp_path, *["aws_cur"] * 8), 20).values()) == {0.0}


def test_of_forty_sources_each_is_polled_every_hundred_seconds(tmp_path: Path) -> None:
    assert set(pauses(settings_with(tmp_path, *["aws_cur"] * 40), 20).values()) == {100.0}


def test_a_poll_of_athena_costs_a_query_and_waits_five_minutes(tmp_path: Path) -> None:
    assert pauses(settings_with(tmp_path, "aws_cur", "aws_athena"), 20) == {"s0": 0.0, "s1": 300.0}


def test_what_was_not_polled_stays_due() -> None:
    now = [0.0]
    pace = Pace({"a": 100.0, "b": 100.0, "c": 0.0}, lambda: now[0])
    assert pace.due(["a", "b", "c"]) == ["a", "b", "c"]
    pace.note("a")
    pace.note("c")
    now[0] = 99.0
    assert pace.due(["c", "b", "a"]) == ["c", "b"]
    now[0] = 100.0
    assert pace.due(["a", "b"]) == ["a", "b"]
