"""The variables that the program reads: a test must see neither a developer's nor another test's."""

from __future__ import annotations

import os

OWN_VARIABLES = (
    "COST_LAKEHOUSE_CONFIG",
    "COST_LAKEHOUSE_DAGSTER_DB",
    "COST_LAKEHOUSE_DBT_DIR",
    "COST_LAKEHOUSE_LOGS",
    "COST_LAKEHOUSE_SCRATCH",
    "DAGSTER_HOME",
    "DOWNLOAD_SCHEDULE",
)


def without_own_variables() -> dict[str, str]:
    """This process's environment for a child, without them."""
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
