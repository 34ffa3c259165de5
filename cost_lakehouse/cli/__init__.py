"""The ``cost-lakehouse`` command: thin modules that parse, call and print. Heavy imports wait until a command needs them."""

from __future__ import annotations


def main() -> None:
    """The entry point of the command."""
    from cost_lakehouse.cli.streams import stream_errors

    with stream_errors():
        from cost_lakehouse.cli.app import app

        app()
