"""``cost-lakehouse mcp``: the lake as tools for agents, over stdin and stdout."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake


def serve_agents(config: Path | None) -> int:
    """Answer until stdin ends; the exit code. Raises ConfigurationError where the SDK is not installed."""
    if find_spec("mcp") is None:
        raise ConfigurationError(
            "The SDK of the Model Context Protocol is not installed.",
            "Install the extra: `uv sync --extra mcp`, or `pip install 'cost-lakehouse[mcp]'`.",
        )
    from cost_lakehouse.mcp.server import run

    run(Lake(settings_of(config)))
    return 0
