"""Which kinds of bills a build needs: models of a kind without a row in the build's slices would be built for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import file_tasks
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_arguments import ACCOUNT_NAMES_TAG, PROJECT, PROVIDER_LAYERS, build_arguments

_DEPTH = 3  # project, layer, kind; then the model
_OF_ALL = "costs"


def arguments_for_slices(lake: Lake, manifest: Mapping[str, Any], slices: Sequence[Slice]) -> list[str]:
    """The arguments of ``dbt`` that build and test ``slices`` without models that have nothing to do."""
    return build_arguments(
        slices,
        voiding_sources=[source.name for source in lake.settings.sources if source.voids_corrected],
        kinds=kinds_with_rows(lake, manifest, slices),
        every_kind=list(raw_tables_of_kinds(manifest)),
        focus=lake.settings.lake.focus == "table",
    )


def kinds_with_rows(lake: Lake, manifest: Mapping[str, Any], slices: Sequence[Slice]) -> list[str]:
    """The kinds of bills of which ``slices`` hold a row, and those whose models another package of the manifest reads.

    All of them where no slice holds a row. The answer costs no scan: files are listed.
    """
    tables = raw_tables_of_kinds(manifest)
    read = kinds_read_elsewhere(manifest)
    chosen = [kind for kind, names in tables.items() if kind in read or any(_has_rows(lake, name, slices) for name in names)]
    return chosen or list(tables)


def raw_tables_of_kinds(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Each kind of bill, a folder of the project's ``staging``, with the raw tables that its models read."""
    tables: dict[str, set[str]] = {}
    for node in manifest["nodes"].values():
        if (kind := _kind_of(node)) is None or node["fqn"][1] != "staging":
            continue
        sources = [manifest["sources"][parent] for parent in node["depends_on"]["nodes"] if parent.startswith("source.")]
        tables.setdefault(kind, set()).update(f"{source['schema']}.{source['name']}" for source in sources)
    return {kind: sorted(names) for kind, names in sorted(tables.items())}


def kinds_read_elsewhere(manifest: Mapping[str, Any]) -> set[str]:
    """The kinds whose own models a model or test of a user's package reads: these are there in every build."""
    return {
        kind
        for node in manifest["nodes"].values()
        if node["package_name"] != PROJECT
        for parent in node.get("depends_on", {}).get("nodes", ())
        if parent in manifest["nodes"] and (kind := _kind_of(manifest["nodes"][parent])) is not None
    }


def _kind_of(node: Mapping[str, Any]) -> str | None:
    """The kind of bill that a model of the project knows alone; None of what all kinds share, and of account names."""
    fqn = node["fqn"]
    in_folder = node["resource_type"] == "model" and len(fqn) > _DEPTH and fqn[0] == PROJECT and fqn[1] in PROVIDER_LAYERS
    if not in_folder or fqn[2] == _OF_ALL or ACCOUNT_NAMES_TAG.removeprefix("tag:") in node.get("tags", ()):
        return None
    return str(fqn[2])


def _has_rows(lake: Lake, table: str, slices: Sequence[Slice]) -> bool:
    found = lake.table_or_none(table)
    return found is not None and bool(file_tasks(found, slices))
