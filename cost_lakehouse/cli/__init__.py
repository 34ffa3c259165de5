"""The ``cost-lakehouse`` command: thin modules that parse, call and print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import gc


def main() -> None:
    """The entry point of the command."""
    # Importing Dagster and dbt makes a million objects that stay: looking for cycles among them is a sixth of a small run.
    gc.set_threshold(20_000)
    from cost_lakehouse.cli.streams import stream_errors

    with stream_errors():
        from cost_lakehouse.cli.app import app

        app()
