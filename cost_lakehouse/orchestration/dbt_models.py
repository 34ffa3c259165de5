"""The dbt project as Dagster sees it: where it lies, its manifest, and how its models become assets."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject
from filelock import FileLock
from packaging.version import Version

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.tags import line_items_key
from cost_lakehouse.settings import Settings
from cost_lakehouse.summaries.dbt_target import parse_way, variables

PROJECT_VARIABLE = "COST_LAKEHOUSE_DBT_DIR"
# What decides the manifest; seeds' and docs' contents do not.
_PARSED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
_RAW_TABLES_OF_KIND = {
    "aws_cur": ("aws_cur",),
    "aws_data_export": ("aws_cur",),
    "aws_athena": ("aws_cur",),
    "oci_cost_reports": ("oci_cost", "oci_usage", "focus"),
    "focus": ("focus",),
}


def project_folder() -> Path:
    """The dbt project: ``COST_LAKEHOUSE_DBT_DIR``, by default ``dbt_project/`` beside the package.

    Raises ConfigurationError where it is not there.
    """
    given = os.environ.get(PROJECT_VARIABLE)
    folder = Path(given).expanduser().resolve() if given else Path(__file__).parents[2] / "dbt_project"
    if not (folder / "dbt_project.yml").is_file():
        raise ConfigurationError(
            f"There is no dbt project in {folder}.", f"Name the folder of the project with {PROJECT_VARIABLE}."
        )
    return folder


def dbt_executable() -> str:
    """The dbt of this Python, which works where the environment is not activated too."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else "dbt"


def parse_if_stale(settings: Settings) -> DbtProject:
    """The project with a manifest that fits its files; parses only where a file differs from the last parse.

    The manifest is of one engine: names and materialisations differ. No engine is needed for parsing.
    ``prepare_if_dev`` would parse in every process of ``dagster dev``, and in none elsewhere.
    Raises ConfigurationError where dbt cannot parse the project.
    """
    folder = project_folder()
    inside = Path("target") if settings.lake.engine == "duckdb" else Path("target") / settings.lake.engine
    target = folder / inside
    target.mkdir(parents=True, exist_ok=True)
    manifest, mark = target / "manifest.json", target / "manifest.digest"
    with (
        FileLock(target / ".parse.lock"),  # several processes of `dagster dev` come here at once
        tempfile.TemporaryDirectory(prefix="cost-lakehouse-parse-") as aside,
    ):
        arguments, environment = parse_way(settings, folder, Path(aside))
        digest = _digest(folder, Path(aside) / "profiles.yml")
        if not manifest.exists() or not mark.exists() or mark.read_text(encoding="utf-8") != digest:
            _parse(folder, Path(aside), arguments, environment)
            unfinished = manifest.with_suffix(".new")
            shutil.copyfile(Path(aside) / "manifest.json", unfinished)
            unfinished.replace(manifest)
            mark.write_text(digest, encoding="utf-8")
    return DbtProject(project_dir=folder, profiles_dir=folder, target_path=inside)


class LakehouseDbt(DbtCliResource):
    """dagster-dbt's command without two preparations that took longer than the build of a small lakehouse.

    Measured on 2 cores: 5 s for asking ``dbt --version`` (which asks a package registry too), 3 s for a handle to the dbt
    adapter in this process, which only column metadata and row counts need; neither is used here.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        return None


def dbt_resource(project: DbtProject) -> DbtCliResource:
    """The dbt command for that project."""
    return LakehouseDbt(
        project_dir=str(project.project_dir), profiles_dir=str(project.project_dir), dbt_executable=dbt_executable()
    )


def _parse(folder: Path, aside: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run ``dbt parse``; what it writes goes aside."""
    command = [dbt_executable(), "--quiet", "parse", "--project-dir", str(folder), *arguments]
    command += ["--target-path", str(aside), "--log-path", str(aside)]
    with variables(environment) as whole:
        done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise ConfigurationError(f"dbt cannot parse the project in {folder}: {said}", "Correct the model or macro it names.")


def _digest(folder: Path, *others: Path) -> str:
    """A digest of every file that dbt parses, path and content, and of the others that are there."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if inside.parts[0] in {"target", "logs", "dbt_packages"} or path.suffix not in _PARSED_SUFFIXES:
            continue
        digest.update(f"{inside.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    for path in others:
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


class LakehouseTranslator(DagsterDbtTranslator):
    """dbt models as assets: keys and groups by layer, and the raw tables as the line items of all sources of their kind."""

    def __init__(self, settings: Settings, months: dg.MonthlyPartitionsDefinition) -> None:
        super().__init__()
        self._months = months
        self._engine = settings.lake.engine
        self._line_items: dict[str, list[dg.AssetKey]] = {}
        for source in settings.sources:
            for table in _RAW_TABLES_OF_KIND[source.kind]:
                self._line_items.setdefault(table, []).append(line_items_key(source.name))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The spec of one model; the partitions and what it reads are ours, the descriptions dbt's."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if not unique_id.startswith("model."):
            return spec
        parents: Sequence[str] = manifest["parent_map"].get(unique_id, [])
        deps: list[dg.AssetDep] = [
            each for each in spec.deps if not any(self._key_of_source(manifest, parent) == each.asset_key for parent in parents)
        ]
        for parent in parents:
            if parent.startswith("source."):
                deps += [dg.AssetDep(key) for key in self._line_items.get(manifest["sources"][parent]["name"], [])]
        unique = {each.asset_key: each for each in deps}
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
        """A group a layer."""
        return layer_of(dbt_resource_props)

    def _key_of_source(self, manifest: Mapping[str, Any], unique_id: str) -> dg.AssetKey | None:
        return self.get_asset_key(manifest["sources"][unique_id]) if unique_id.startswith("source.") else None


def layer_of(dbt_resource_props: Mapping[str, Any]) -> str:
    """``staging``, ``intermediate`` or ``marts``: the folder of a model below ``models/``."""
    folders = [part for part in dbt_resource_props.get("fqn", [])[1:-1] if part]
    return folders[0] if folders else "models"


def is_mart(dbt_resource_props: Mapping[str, Any]) -> bool:
    """Whether a model is published as an Iceberg table."""
    return layer_of(dbt_resource_props) == "marts"
