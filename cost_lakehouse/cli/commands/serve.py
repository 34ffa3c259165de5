"""``cost-lakehouse serve``: the lake over HTTP, to read."""

from __future__ import annotations

from pathlib import Path

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import say
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.server import serve


def serve_lake(config: Path | None, host: str, port: int) -> int:
    """Serve until it is stopped; the exit code."""
    settings = settings_of(config)
    serve(
        Lake(settings), host, port, lambda address: say(f"Serving {settings.file} at {address}, to read only. Ctrl-C stops it.")
    )
    return 0
