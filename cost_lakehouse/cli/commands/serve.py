"""``cost-lakehouse serve``: the lake over HTTP, to read."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from uuid import uuid4

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import say
from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.server import serve


def serve_lake(config: Path | None, host: str, port: int) -> int:
    """Serve until it is stopped; the exit code."""
    settings = settings_of(config)
    start_load = BackgroundLoads(settings).start if settings.serve.downloads else None
    only = "; loads can be started" if start_load else ", to read only"
    serve(
        Lake(settings),
        host,
        port,
        lambda address: say(f"Serving {settings.file} at {address}{only}. Ctrl-C stops it."),
        start_load,
    )
    return 0


class BackgroundLoads:
    """Runs ``cost-lakehouse run`` beside the server: a load takes memory and processors that answers must not wait for.

    What it prints comes on this process's stderr. It goes on where the server is stopped.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._running: dict[tuple[str, date], tuple[str, subprocess.Popen[bytes]]] = {}

    def start(self, source: str, month: date, summarize: bool) -> str:
        """The id of the Dagster run that loads it: of the one under way, where there is one."""
        with self._lock:
            self._running = {key: entry for key, entry in self._running.items() if entry[1].poll() is None}
            if (source, month) in self._running:
                return self._running[source, month][0]
            run_id = str(uuid4())
            command = [
                sys.executable, "-m", "cost_lakehouse.cli", "run", "--config", str(self._settings.file),
                "--source", source, "--month", f"{month:%Y-%m}", "--force", "--run-id", run_id,
                *(() if summarize else ("--no-summarize",)),
            ]  # fmt: skip
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
            self._running[source, month] = (run_id, process)
            return run_id

    def wait(self) -> None:
        """Wait until all that were started have ended."""
        for _, process in list(self._running.values()):
            process.wait()
