"""The dbt project: where it lies, which packages of the user's belong to it, and its manifest, parsed once for each state."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.summaries.dbt_internals import unpack_manifest
from cost_lakehouse.summaries.dbt_target import PARSED_CATALOG, PARSED_SCHEMA, DbtTarget, parse_target, variables

if TYPE_CHECKING:
    from cost_lakehouse.summaries.dbt_internals import Manifest

PROJECT_VARIABLE = "COST_LAKEHOUSE_DBT_DIR"
PACKAGES_VARIABLE = "COST_LAKEHOUSE_DBT_PACKAGES"
"""Where dbt finds installed packages: ``dbt_project.yml`` reads it."""

# What decides the manifest.
_PARSED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
_NOT_PARSED = {"target", "logs", "dbt_packages"}
_DISTRIBUTIONS = ("dbt-core", "dbt-adapters", "dbt-duckdb", "dbt-trino")
_MANIFESTS_KEPT = 8


@dataclass(frozen=True)
class ParsedProject:
    """A dbt project with the manifest of its present state.

    ``cache`` holds the manifest twice: as the artifact that every tool of the field reads, and as dbt itself keeps it.
    """

    folder: Path
    models_folder: Path | None
    cache: Path

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """``manifest.json``."""
        return _document(self.cache / "manifest.json")

    def manifest(self, target: DbtTarget) -> Manifest:
        """A new manifest object for one invocation, which changes it; its tables are in the target's catalog and schema."""
        manifest = unpack_manifest((self.cache / "manifest.msgpack").read_bytes())
        if target.schema is not None and target.catalog is not None:
            for node in (*manifest.nodes.values(), *manifest.sources.values()):
                if node.database != PARSED_CATALOG:
                    continue
                parsed = f'"{PARSED_CATALOG}"."{node.schema}"'
                node.database = target.catalog
                if node.schema == PARSED_SCHEMA:
                    node.schema = target.schema
                if node.relation_name:
                    node.relation_name = node.relation_name.replace(parsed, f'"{node.database}"."{node.schema}"', 1)
        return manifest

    @contextmanager
    def packages(self) -> Iterator[Path]:
        """A folder in which dbt finds the user's package as an installed one."""
        with tempfile.TemporaryDirectory(prefix="cost-lakehouse-packages-") as folder:
            self.install(Path(folder))
            yield Path(folder)

    def install(self, folder: Path) -> None:
        """Make the user's package the only one that is installed in ``folder``."""
        if self.models_folder is not None:
            (folder / self.models_folder.name).symlink_to(self.models_folder, target_is_directory=True)


@lru_cache(maxsize=2)
def _document(file: Path) -> Mapping[str, Any]:
    """What a cached manifest says. The name of its folder stands for all that decides it, so it is read once a process."""
    content: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


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


def models_folder(settings: Settings) -> Path | None:
    """The dbt package with the user's own models, where ``models`` of lakehouse.yaml names one.

    Raises ConfigurationError where it is no dbt package, or has the name of the project itself.
    """
    if settings.models is None:
        return None
    folder = settings.path(settings.models)
    file = folder / "dbt_project.yml"
    if not file.is_file():
        raise ConfigurationError(
            f"`models: {settings.models}` names {folder}, where no dbt_project.yml is.",
            "Make it a dbt package: a folder with dbt_project.yml and models/, as docs/write-a-model.md shows.",
        )
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}", "Correct the file.") from error
    name = content.get("name") if isinstance(content, dict) else None
    if not isinstance(name, str) or name == "cost_lakehouse":
        raise ConfigurationError(f"{file} needs a `name:` of its own.", "Write one, such as `name: my_models`.")
    return folder


def parse_if_stale(settings: Settings) -> ParsedProject:
    """The project with the manifest of its present files; parses only a state that was never parsed before.

    A manifest belongs to an engine (types and materialisations differ) and to the user's package, and is shared by everything
    on this machine that uses this project: Dagster's processes, the command and tests. No engine is asked for parsing.
    Raises ConfigurationError where dbt cannot parse the project.
    """
    folder, own = project_folder(), models_folder(settings)
    caches = folder / "target" / "manifests"
    caches.mkdir(parents=True, exist_ok=True)
    engine = settings.lake.engine
    # All states of a user's models on the same project have a name that begins alike.
    name = f"{engine}-{_digest([engine], folder)[:16]}-{_digest([], own)[:8]}"
    project = ParsedProject(folder, own, caches / name)
    if not (project.cache / "manifest.json").exists():
        with FileLock(caches / ".lock"):  # several processes of `dagster dev` come here at once
            if not (project.cache / "manifest.json").exists():
                _parse(project, settings)
                _remove_unused(caches)
    with suppress(OSError):  # another process may have removed it, or parsed it anew
        os.utime(project.cache)
    return project


def _parse(project: ParsedProject, settings: Settings) -> None:
    """Parse the project in this process; what dbt writes goes aside and is moved to the cache at once.

    Where only the user's models have changed, dbt starts from the manifest that was used last and parses those alone. Call it
    with the caches locked.
    """
    from dbt.cli.main import dbtRunner

    # In one place each time: dbt takes a project that lies elsewhere for another one, of which nothing is known.
    aside = project.folder / "target" / "parsing"
    packages = aside / "packages"
    shutil.rmtree(aside, ignore_errors=True)
    packages.mkdir(parents=True)
    try:
        project.install(packages)
        target = parse_target(settings, project.folder, aside)
        arguments = ["parse", "--project-dir", str(project.folder), *target.arguments, *QUIET]
        before = _used_last(project)
        if before is None:
            arguments.append("--no-partial-parse")
        else:
            (aside / "target").mkdir(exist_ok=True)
            shutil.copyfile(before / "manifest.msgpack", aside / "target" / "partial_parse.msgpack")
        with variables({**target.environment, PACKAGES_VARIABLE: str(packages)}):
            result = dbtRunner().invoke(arguments)
        if not result.success:
            said, where = str(result.exception), str(project.folder)
            if project.models_folder is not None:
                where += f" with the models of {project.models_folder}"
                said = said.replace(str(packages / project.models_folder.name), str(project.models_folder))
            raise ConfigurationError(f"dbt cannot parse the project in {where}: {said}", "Correct the model or macro it names.")
        made = aside / "cache"
        made.mkdir()
        (aside / "target" / "partial_parse.msgpack").replace(made / "manifest.msgpack")
        (aside / "target" / "manifest.json").replace(made / "manifest.json")
        shutil.rmtree(project.cache, ignore_errors=True)
        made.replace(project.cache)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-version-check", "--no-send-anonymous-usage-stats")
"""dbt says nothing: its results are read, and told in the words of whoever asked."""


def _used_last(project: ParsedProject) -> Path | None:
    """The cache, of this project and engine with other models of the user's, that was used last; None where there is none."""
    if project.models_folder is None:
        return None
    same, _, _ = project.cache.name.rpartition("-")
    found = [path for path in project.cache.parent.glob(f"{same}-*") if (path / "manifest.msgpack").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _remove_unused(caches: Path) -> None:
    """Keep the manifests that were used last."""
    kept = sorted((path for path in caches.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_MANIFESTS_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _digest(words: Sequence[str], *folders: Path | None) -> str:
    """A digest of every file that dbt parses, path and content, of dbt itself, and of the words."""
    digest = hashlib.sha256()
    for word in (*words, *(f"{name} {metadata.version(name)}" for name in _DISTRIBUTIONS)):
        digest.update(f"{word}\0".encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder is not None else ():
            inside = path.relative_to(folder) if folder is not None else path
            if inside.parts[0] in _NOT_PARSED or path.suffix not in _PARSED_SUFFIXES or not path.is_file():
                continue
            digest.update(f"{inside.as_posix()}\0".encode() + path.read_bytes() + b"\0")
        digest.update(f"{folder is not None}\0".encode())
    return digest.hexdigest()
