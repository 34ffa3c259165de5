"""``python -m tests.services DIR``: the production setting for everybody who wants to try it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake import trino_client
from tests.services.__main__ import main, renew_config
from tests.services.or_skip import or_skip
from tests.services.trino_files import trino_files

PROJECT = Path(__file__).parents[2]


def test_it_answers_when_it_says_ready_and_interrupting_it_ends_every_process(tmp_path: Path) -> None:
    or_skip(trino_files)
    command = [sys.executable, "-m", "tests.services", str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.rstrip())
            if said[-1] == "ready":
                break
        assert said[-1] == "ready", said
        servers = [int(match.group(1)) for line in said if (match := re.search(r"process (\d+)$", line))]
        try:
            settings = load_settings(tmp_path / "lakehouse.yaml")
            answer = trino_client.rows(settings, "SELECT schema_name FROM information_schema.schemata")
            running = [is_running(server) for server in servers]
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()

    assert ("information_schema",) in answer
    assert running == [True] * 3
    assert (rest, process.returncode) == ("stopped\n", 0)
    assert [is_running(server) for server in servers] == [False] * 3


def test_a_folder_whose_services_run_already_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(tmp_path / "services.lock"):
        assert main([str(tmp_path)]) == 1

    assert "are running already" in capsys.readouterr().err


def test_a_lakehouse_yaml_that_is_there_keeps_what_its_user_wrote(tmp_path: Path) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(
        "lake: {first_month: 2026-09, trino: {port: 1, session_properties: {a: b}}}\n"
        "sources: [{name: acme, kind: aws_cur, location: bills}]\n",
        encoding="utf-8",
    )

    renew_config(file, {"engine": "trino", "trino": {"port": 2}})

    assert yaml.safe_load(file.read_text(encoding="utf-8")) == {
        "lake": {"first_month": "2026-09", "engine": "trino", "trino": {"port": 2, "session_properties": {"a": "b"}}},
        "sources": [{"name": "acme", "kind": "aws_cur", "location": "bills"}],
    }


def test_a_lakehouse_yaml_that_says_it_all_already_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "lakehouse.yaml"
    text = "# mine\nlake: {trino: {port: 2}}\n"
    file.write_text(text, encoding="utf-8")

    renew_config(file, {"trino": {"port": 2}})

    assert file.read_text(encoding="utf-8") == text


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
