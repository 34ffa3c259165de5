"""The table of what costs can be asked by: dimensions, families of them (``tag:team``), and measures (``dimensions.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cost_lakehouse.errors import ConfigurationError

SUMMARIES = {
    "aws": "aws_daily_summary",
    "oci": "oci_daily_summary",
    "focus": "focus_daily_summary",
    "lakehouse": "lakehouse_daily_summary",
}
"""The marts that add up to ``daily_costs``: the provider, as ``dimensions.yaml`` calls each, and its name."""

DAILY_COSTS = "daily_costs"
ALLOCATED, CLUSTERS = "allocated_costs", "cluster_costs"
USAGE = "usage"
APART = {ALLOCATED: "Costs that are shared out among teams", CLUSTERS: "Costs of clusters"}
"""Marts that tell the same costs, or a part of them, once more: asked alone where a dimension is there and nowhere else."""


@dataclass(frozen=True)
class Dimension:
    """Something to group or filter by.

    ``columns`` maps a mart (``daily_costs``, or one of ``SUMMARIES``) to where it has the value; ``of_account`` is a column of
    ``marts.aws_accounts`` that comes first. With ``key`` these columns hold JSON objects, and the value is what it has there.
    """

    name: str
    says: str
    columns: Mapping[str, Any]
    of_account: str | None = None
    key: str | None = None

    @property
    def is_daily(self) -> bool:
        """Whether ``daily_costs`` has it."""
        return DAILY_COSTS in self.columns and self.of_account is None

    @property
    def apart(self) -> str | None:
        """The mart of ``APART`` that alone has it; None where others do."""
        return next((mart for mart in APART if set(self.columns) == {mart}), None)

    def goes_with(self, mart: str) -> bool:
        """Whether costs of a mart of ``APART`` can be asked by it."""
        return mart in self.columns or self.of_account is not None


@dataclass(frozen=True)
class Measure:
    """An amount that can be added up, by mart: of money in one currency, or of usage in one unit.

    ``units`` maps a mart to the column that says in which; of money it is empty, and the column ``currency_code``.
    """

    name: str
    says: str
    columns: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_usage(self) -> bool:
        """Whether it is an amount of usage, not of money."""
        return bool(self.units)

    @property
    def is_daily(self) -> bool:
        """Whether ``daily_costs`` has it."""
        return DAILY_COSTS in self.columns


def dimension(name: str) -> Dimension:
    """The dimension of that name, such as ``service`` or ``tag:team``.

    Raises ConfigurationError where there is none.
    """
    found = _table()["dimensions"].get(name)
    if found is not None:
        return Dimension(name, found["says"], _columns(found), found.get("accounts"))
    family, _, key = name.partition(":")
    found = _table()["keyed"].get(family)
    if found is None or not key:
        known = ", ".join([*_table()["dimensions"], *(f"{other}:KEY" for other in _table()["keyed"])])
        raise ConfigurationError(f"There is no dimension {name!r}.", f"Use some of {known}.")
    return Dimension(name, found["says"], _columns(found), found.get("accounts"), key)


def dimensions() -> list[Dimension]:
    """All that have a fixed name."""
    return [dimension(name) for name in _table()["dimensions"]]


def keyed_families() -> Mapping[str, str]:
    """The families whose members are named ``family:KEY``, each with what it is."""
    return {name: found["says"] for name, found in _table()["keyed"].items()}


def measure(name: str) -> Measure:
    """The measure of that name: one of money, or ``USAGE``. Raises ConfigurationError where there is none."""
    if name == USAGE:
        usage = _table()["usage"]
        return Measure(name, usage["says"], _columns(usage), usage["units"])
    found = _table()["measures"].get(name)
    if found is None:
        raise ConfigurationError(f"There is no basis {name!r}.", f"Use one of {', '.join([*_table()['measures'], USAGE])}.")
    return Measure(name, found["says"], _columns(found))


def measures() -> list[Measure]:
    """All measures of money."""
    return [measure(name) for name in _table()["measures"]]


def check_money(basis: str) -> None:
    """Raises ConfigurationError where a basis is none, or of usage."""
    if measure(basis).is_usage:
        names = ", ".join(known.name for known in measures())
        raise ConfigurationError(f"This is told in money, and {basis} is none.", f"Use a basis of {names}.")


def _columns(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {mart: entry[mart] for mart in (DAILY_COSTS, *APART, *SUMMARIES) if mart in entry}


@cache
def _table() -> Any:
    text = Path(__file__).with_name("dimensions.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)
