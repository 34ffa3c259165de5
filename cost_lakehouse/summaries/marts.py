"""Which models are published as the lake's marts: those whose ``meta`` says so, in the project and in the user's package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cost_lakehouse.errors import ConfigurationError

FOCUS_ROWS = "focus_rows"
"""The tag of the models that make FOCUS rows."""

_KEPT_AS_TABLES = {"table", "incremental"}


@dataclass(frozen=True)
class Mart:
    """A model to publish: where a build on DuckDB keeps it, its table in the lake, and the column that its totals add up."""

    model: str
    relation: str
    table: str
    total: str | None


def published_marts(manifest: Mapping[str, Any], *, focus: bool = False) -> list[Mart]:
    """Every model of the manifest with ``meta: {published: true}`` or ``{published: {total: COLUMN}}``, in publication order.

    ``bill_status`` comes last: it is the mark that a slice is published. ``focus``: FOCUS rows are among them, as they are
    where `lake.focus` is `table`. Raises ConfigurationError where a model cannot be published as it is configured.
    """
    marts = [
        mart(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and published(node) is not None and (focus or FOCUS_ROWS not in node["tags"])
    ]
    return sorted(marts, key=lambda mart: (mart.table == "marts.bill_status", mart.table))


def published(node: Mapping[str, Any]) -> Mapping[str, Any] | bool | None:
    """What a model's ``meta`` says of publishing it; None where it says nothing, or `false`."""
    said = node["config"].get("meta", {}).get("published")
    return said or None


def mart(node: Mapping[str, Any]) -> Mart:
    """One published model. Raises ConfigurationError."""
    said = published(node)
    where = f"model {node['name']} ({node['original_file_path']})"
    if node["config"]["materialized"] not in _KEPT_AS_TABLES:
        raise ConfigurationError(
            f"The {where} is to be published, and is a {node['config']['materialized']}.",
            "Write `materialized: table` in its config.",
        )
    if said is not True and not (isinstance(said, Mapping) and {*said} <= {"total"}):
        raise ConfigurationError(
            f"The {where} has `meta: {{published: {said}}}`.",
            "Write `published: true`, or `published: {total: COLUMN}` with the column that its totals add up.",
        )
    total = said.get("total") if isinstance(said, Mapping) else None
    return Mart(node["name"], f'"{node["schema"]}"."{node["alias"]}"', f"marts.{node['alias']}", total)
