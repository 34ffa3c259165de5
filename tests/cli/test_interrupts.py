"""Ctrl-C and SIGTERM end a command, whatever it is at, with exit code 130 and one line; and long work says that it goes on."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from cost_lakehouse.cli.commands.run import Loaded, kept_so_far
from cost_lakehouse.cli.progress import Heartbeat
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake import locks
from cost_lakehouse.loading.plan import Planned
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.storage.object_store import StoredObject

# Work that swallows what interrupts it, as a run of Dagster does, or that no exception reaches.
WORK = {
    "ends": "threading.Event().wait()",
    "swallows": (
        "try:\n        threading.Event().wait()\n    except KeyboardInterrupt:\n        pass\n"
        "    interruption.check()\n    print('went on')"
    ),
    "waits-for-a-thread": (
        "thread = threading.Thread(target=threading.Event().wait)\n    thread.start()\n"
        "    while True:\n        try:\n            thread.join()\n        except KeyboardInterrupt:\n            pass"
    ),
}
PROGRAM = """
import threading
from cost_lakehouse.cli.interrupts import interruptible
with interruptible() as interruption:
    interruption.says = lambda: "Kept: 2 loads."
    print("ready", flush=True)
    {work}
"""


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_a_signal_ends_the_whole_command(work: str, number: signal.Signals) -> None:
    program = PROGRAM.format(work=WORK[work])
    call = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert call.stdout is not None
    assert call.stdout.readline() == "ready\n"
    call.send_signal(number)
    stdout, stderr = call.communicate(timeout=60)
    assert (call.returncode, stdout, stderr) == (130, "", "Stopped. Kept: 2 loads.\n")


def test_work_that_nothing_interrupts_ends_as_it_does() -> None:
    program = PROGRAM.format(work="raise SystemExit(7)")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 7


def test_what_is_kept_and_what_is_left_is_said() -> None:
    moment = datetime(2026, 10, 6, tzinfo=UTC)
    due = []
    for name in ("a", "b", "c"):
        objects = (StoredObject("x.csv", "e", 1, moment),)
        delivery = Delivery(name, "raw.focus", objects, "d", moment, "focus", date(2026, 10, 1))
        due.append(Planned(Finding(name, date(2026, 10, 1), Status.NEW, delivery), Status.NEW))

    class Outcome:
        ok = True

    done = [Loaded(due[0], cast(Any, Outcome()))]
    again = "Run it again: what is loaded is not loaded twice."
    assert kept_so_far(due, []) == f"Nothing was loaded; not loaded: a 2026-10, b 2026-10, c 2026-10. {again}"
    assert kept_so_far(due, done) == f"Kept: 1 load; not loaded: b 2026-10, c 2026-10. {again}"
    assert kept_so_far(due, done * 3) == f"Kept: 3 loads; the summaries were not finished. {again}"


def test_long_work_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = threading.Event()

    class Log(io.StringIO):
        def flush(self) -> None:
            said.set()

    log = Log()
    monkeypatch.setattr(sys, "stderr", log)
    beat = Heartbeat(lambda seconds: f"acme 2026-10: {seconds} s", every=0.01)
    assert said.wait(60)
    beat.end()
    assert log.getvalue().startswith("acme 2026-10: 0 s\n")


def test_a_wait_for_a_lock_says_for_what(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "_QUIET_SECONDS", 0.01)
    own = locks.FileLocks(tmp_path)
    other = locks.FileLocks(tmp_path).hold("a", "The month acme 2026-10", 0.05)
    with own.hold("a", "", 0), pytest.raises(LakeError, match="The month acme 2026-10 is being worked on"), other:
        raise AssertionError
    assert caplog.messages == ["Waiting: The month acme 2026-10 is being worked on by another process."]
    with own.hold("a", "The month acme 2026-10", 0):
        pass
