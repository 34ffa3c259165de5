"""Schedules that people write: five fields of cron, read as Dagster reads them."""

from __future__ import annotations

from dagster._utils.schedules import is_valid_cron_schedule

from cost_lakehouse.errors import ConfigurationError


def ensure_cron(cron: str, what: str, example: str) -> None:
    """Raise ConfigurationError where a text is no schedule; ``what`` says whose it is, ``example`` how one is written."""
    if not is_valid_cron_schedule(cron):
        raise ConfigurationError(f"{what} is no cron text: {cron!r}.", f"Write five fields, such as {example}.")
