"""Tests that run in one process where a run has several (``pytest -n 2 --dist loadgroup``): they share what is costly."""

from __future__ import annotations

from collections.abc import Collection

# What is made once a process: a second one would start another server, or tell the demo again.
COSTLY = {"trino": "trino_server", "demo": "demo"}


def group_of(fixtures: Collection[str], file: str) -> str:
    """The name of a test's group: that of what is costly among its fixtures, else its file, whose fixtures are made once."""
    return next((group for group, fixture in COSTLY.items() if fixture in fixtures), file)
