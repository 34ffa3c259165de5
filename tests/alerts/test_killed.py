"""A process that dies (kill -9) after a channel took a message and before that was remembered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.alerts.conftest import Office
from tests.alerts.servers import Hook, http_server
from tests.environment import without_own_variables

ROOT = Path(__file__).parents[2]


def look(office: Office, hook: Hook, killed: bool = False) -> int:
    """One look in a process of its own; with ``killed`` it dies as soon as the server has its message."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.alerts.one_poll", office.config], cwd=ROOT, env=without_own_variables()
    )
    hook.on_post = (lambda: os.kill(process.pid, signal.SIGKILL)) if killed else (lambda: None)
    return process.wait(120)


def test_a_killed_look_repeats_one_message_as_the_same_one_and_loses_none(office: Office) -> None:
    with http_server() as hook:
        office.config.write_text(f"{office.config.read_text()}alerts: {{webhooks: [{{url: {hook.url}}}]}}\n", encoding="utf-8")
        office.look(office.listener)
        office.load("hourly-cur-1.csv.gz is cut off.")
        office.load("another", month="2026-09")

        assert look(office, hook, killed=True) == -signal.SIGKILL
        assert look(office, hook) == 0
        assert look(office, hook) == 0

    ids = [item.body["id"] for item in hook.posted]
    assert ids[0] == ids[1]
    told = {item["months"] for posted in hook.posted for item in posted.body["incidents"]}
    assert told == {"2026-09", "2026-10"}
    assert len(hook.posted) == 2
