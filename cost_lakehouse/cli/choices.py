"""What the options of several commands mean: which configuration, which sources, which month."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from cost_lakehouse.config import Settings, SourceSettings, load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.sources.registry import KINDS


def settings_of(given: Path | None) -> Settings:
    """The settings of ``--config``, else of the environment, else of ``./lakehouse.yaml``."""
    return load_settings(given)


def month_of(text: str | None, settings: Settings) -> date | None:
    """``--month`` as the first of that month.

    Raises ConfigurationError where it is no month, or lies before ``lake.first_month``.
    """
    if text is None:
        return None
    matched = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if not matched or matched.group(1) == "0000":
        raise ConfigurationError(f"--month {text!r} is no month.", "Write it as YYYY-MM, such as 2026-01.")
    month = date(int(matched.group(1)), int(matched.group(2)), 1)
    if month < settings.lake.first_month:
        raise ConfigurationError(
            f"--month {text} is before the lake's first month, {settings.lake.first_month:%Y-%m}.",
            f"Choose a later month, or set lake.first_month in {settings.file} to an earlier one.",
        )
    return month


def sources_of(settings: Settings, name: str | None, kind: str | None = None) -> list[SourceSettings]:
    """The sources that ``--source`` and ``--kind`` choose; paused ones only where named.

    Raises ConfigurationError where a name or kind is unknown, or nothing is left.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigurationError(f"There is no kind {kind!r}.", f"Known kinds: {', '.join(KINDS)}.")
    if name is not None:
        chosen = settings.source(name)
        if kind is not None and chosen.kind != kind:
            raise ConfigurationError(
                f"Source {name!r} is of kind {chosen.kind}, not {kind}.", "Leave one of the two options out."
            )
        return [chosen]
    if not settings.sources:
        raise ConfigurationError(f"{settings.file} names no sources.", "Add one below `sources:`; see lakehouse.example.yaml.")
    return [candidate for candidate in settings.sources if not candidate.paused and (kind is None or candidate.kind == kind)]
