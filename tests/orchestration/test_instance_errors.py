"""A home, rules or records of Dagster's that cannot be used are told with cause and fix, and not by a traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.orchestration.instance import command_instance


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lakehouse.yaml").write_text("lake: {first_month: 2026-10}\n", encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def settings_of(home: Path) -> Settings:
    return load_settings(home.parent / "lakehouse.yaml")


def use(home: Path) -> int:
    with command_instance(settings_of(home)) as instance:
        return len(instance.get_runs())


@pytest.mark.parametrize("below", ["", "deeper/still"], ids=["itself", "above"])
def test_a_home_that_is_a_file_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    home.write_text("x", encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home / below))
    with pytest.raises(ConfigurationError, match=rf"{home} is a file") as told:
        use(home)
    assert "Set DAGSTER_HOME to another folder" in told.value.fix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("storage: [\n", "line 2: not valid YAML"),
        ("no_such_key: 1\n", "is not accepted by Dagster"),
        ("- a\n- b\n", "is not accepted by Dagster"),
    ],
    ids=["yaml", "key", "list"],
)
def test_rules_that_dagster_does_not_take_are_told(home: Path, text: str, says: str) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says) as told:
        use(home)
    assert str(home / "dagster.yaml") in told.value.problem


def test_damaged_and_locked_records_are_told_apart(home: Path) -> None:
    assert use(home) == 0
    (file,) = (home / "history").glob("runs.db")
    whole = file.read_bytes()
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(LakeError, match="Dagster's records of runs in .* are damaged: file is not a database") as told:
        use(home)
    assert f"Move {home / 'history'}" in told.value.fix
    file.write_bytes(whole)
    with pytest.raises(LakeError, match="are locked by another program"), command_instance(settings_of(home)):
        raise sqlite3.OperationalError("database is locked")
