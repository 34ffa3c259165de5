"""The dbt project's models as Dagster's assets: their keys, groups, partitions and what they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.check_descriptions import describe_test
from cost_lakehouse.orchestration.constants import TABLE_NAME, line_items_key
from cost_lakehouse.sources.registry import kind_of
from cost_lakehouse.summaries.marts import mart, published

ON_MATERIALIZE = (
    "*Materialize* builds the summaries of those of the chosen months whose line items changed. Months that are up to date get "
    "an `unchanged` materialization that says so; `force: true` in the launchpad builds them again."
)


class LakehouseTranslator(DagsterDbtTranslator):
    """dbt models as assets: keys and groups by layer, and the raw tables as the line items of all sources of their kind."""

    def __init__(self, settings: Settings, months: dg.MonthlyPartitionsDefinition) -> None:
        super().__init__()
        self._months = months
        self._engine = settings.lake.engine
        self._line_items: dict[str, list[dg.AssetKey]] = {}
        for source in settings.sources:
            for table in kind_of(source).tables:
                self._line_items.setdefault(table.removeprefix("raw."), []).append(line_items_key(source.name))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The spec of one model; the partitions and what it reads are ours, the descriptions dbt's."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if not unique_id.startswith("model."):
            return spec
        parents: Sequence[str] = manifest["parent_map"].get(unique_id, [])
        deps: list[dg.AssetDep] = [
            dep for dep in spec.deps if not any(self._key_of_source(manifest, parent) == dep.asset_key for parent in parents)
        ]
        for parent in parents:
            if parent.startswith("source."):
                deps += [dg.AssetDep(key) for key in self._line_items.get(manifest["sources"][parent]["name"], [])]
        unique = {asset_dep.asset_key: asset_dep for asset_dep in deps}
        return spec.replace_attributes(
            deps=list(unique.values()),
            partitions_def=self._months,
            owners=["team:finops"],
            kinds={"dbt", self._engine, *({"iceberg"} if is_mart(manifest["nodes"][unique_id]) else ())},
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """``marts/daily_costs`` and so on: the schema as people query it, then the name."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["raw", dbt_resource_props["name"]])
        return dg.AssetKey([layer_of(dbt_resource_props), dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """A group a layer and provider, as the models' folders are: ``staging_aws``, ``intermediate_oci``, ``marts``."""
        own = super().get_group_name(dbt_resource_props)  # of a user's own package, whose models may name one
        return own or ("marts" if is_mart(dbt_resource_props) else "_".join(_folders_of(dbt_resource_props)) or "models")

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """dbt's, and for marts what *Materialize* does with them."""
        described = dict(dbt_resource_props)
        if is_mart(dbt_resource_props):
            described["description"] = f"{dbt_resource_props.get('description', '')}\n\n{ON_MATERIALIZE}"
        return super().get_description(described)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """What dbt says of a model. Only what is published has a table: other models are gone when their build ends."""
        metadata = {name: fact for name, fact in super().get_metadata(dbt_resource_props).items() if name != TABLE_NAME}
        if is_mart(dbt_resource_props):
            metadata[TABLE_NAME] = mart(dbt_resource_props).table
        return metadata

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The check of one dbt test, with a sentence that says what it proves."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=describe_test(manifest, unique_id))

    def _key_of_source(self, manifest: Mapping[str, Any], unique_id: str) -> dg.AssetKey | None:
        return self.get_asset_key(manifest["sources"][unique_id]) if unique_id.startswith("source.") else None


def layer_of(dbt_resource_props: Mapping[str, Any]) -> str:
    """``marts`` of what is published; else ``staging``, ``intermediate`` or so: the folder of a model below ``models/``."""
    if is_mart(dbt_resource_props):
        return "marts"
    folders = _folders_of(dbt_resource_props)
    return folders[0] if folders else "models"


def is_mart(dbt_resource_props: Mapping[str, Any]) -> bool:
    """Whether a model is published as an Iceberg table."""
    return dbt_resource_props["resource_type"] == "model" and published(dbt_resource_props) is not None


def _folders_of(dbt_resource_props: Mapping[str, Any]) -> list[str]:
    return [part for part in dbt_resource_props.get("fqn", [])[1:-1] if part]
