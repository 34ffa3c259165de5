"""The lines behind a mart's rows, as one SQL statement: dbt's analysis ``lines_of_<mart>`` with every model that it reads.

A build's tables are gone when somebody asks. dbt compiles the models once for each state of the project; what it compiled is
kept beside the parsed manifest, so that asking again needs no dbt.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.dbt_arguments import dbt_vars
from cost_lakehouse.summaries.dbt_project import ParsedProject, parse_if_stale
from cost_lakehouse.summaries.dbt_run import compile_models
from cost_lakehouse.summaries.dbt_target import parse_target

_PREFIX = "lines_of_"


@dataclass(frozen=True)
class CompiledModel:
    """A model's SQL as its engine gets it. ``relation`` is how other models' SQL calls its table; None of an analysis."""

    name: str
    relation: str | None
    sql: str
    reads: tuple[str, ...]  # names of models


def explained_marts(project: ParsedProject) -> tuple[str, ...]:
    """The marts that have lines, such as ``daily_costs``: those with an analysis."""
    nodes = project.document["nodes"].values()
    names = (node["name"] for node in nodes if node["resource_type"] == "analysis")
    return tuple(sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)))


def ensure_explained(lake: Lake, mart: str) -> tuple[str, ...]:
    """All marts that have lines. Raises LakeError where ``mart`` is none of them."""
    known = explained_marts(parse_if_stale(lake.settings))
    if mart not in known:
        raise LakeError(
            f"marts.{mart} is not made of lines of bills.",
            f"Ask for a cell of {', '.join(f'marts.{name}' for name in known)}.",
        )
    return known


def lines_query(lake: Lake, mart: str, raw_table: Callable[[str], str]) -> str:
    """The SELECT of the lines behind a mart: where each stands (``file_name``, ``row_number``, ``line_*``), the mart's key, and
    what the line adds to each of its amounts. ``raw_table`` says what to read a raw table (``raw.aws_cur``) from.

    Raises LakeError where the mart is not made of lines, ConfigurationError where dbt cannot compile the project.
    """
    project = parse_if_stale(lake.settings)
    known = ensure_explained(lake, mart)
    sql = assembled(_compiled(lake, project, known), f"{_PREFIX}{mart}")
    for node in project.document["sources"].values():
        sql = sql.replace(node["relation_name"], raw_table(f"{node['schema']}.{node['identifier']}"))
    return sql


def assembled(models: Sequence[CompiledModel], wanted: str) -> str:
    """One statement out of a model and all that it reads: each becomes a common table expression. Pure."""
    by_name = {model.name: model for model in models}
    order: list[CompiledModel] = []

    def visit(name: str) -> None:
        model = by_name[name]
        if model not in order:
            for read in model.reads:
                visit(read)
            order.append(model)

    visit(wanted)
    relations = {model.relation: f"built__{model.name}" for model in order if model.relation}

    def named(sql: str) -> str:
        for relation, name in relations.items():
            sql = sql.replace(relation, name)
        return sql.strip()

    parts = [f"built__{model.name} as (\n{named(model.sql)}\n)" for model in order[:-1]]
    return f"with {', '.join(parts)}\n{_as_subquery(named(order[-1].sql))}" if parts else named(order[-1].sql)


def _as_subquery(sql: str) -> str:
    return f"select * from (\n{sql}\n) as lines"


def _compiled(lake: Lake, project: ParsedProject, marts: Sequence[str]) -> list[CompiledModel]:
    voiding = [source.name for source in lake.settings.sources if source.corrections == "replace"]
    variables = {name: value for name, value in dbt_vars([], voiding_sources=voiding).items() if name != "slices"}
    kept = project.cache / f"compiled-{sha256(json.dumps(variables).encode()).hexdigest()[:16]}.json"
    if kept.exists():
        return [_model(model) for model in json.loads(kept.read_text(encoding="utf-8"))]
    models = _compile(lake, project, marts, variables)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=project.cache, suffix=".json", delete=False) as file:
        json.dump([asdict(model) for model in models], file)
    Path(file.name).replace(kept)
    return models


def _model(content: Mapping[str, object]) -> CompiledModel:
    return CompiledModel(**{**content, "reads": tuple(content["reads"])})  # type: ignore[arg-type]


def _compile(lake: Lake, project: ParsedProject, marts: Sequence[str], variables: Mapping[str, object]) -> list[CompiledModel]:
    with tempfile.TemporaryDirectory(prefix="cost-lakehouse-compiled-") as folder:
        target = parse_target(lake.settings, project.folder, Path(folder))
        wanted = " ".join(f"+{_PREFIX}{mart}" for mart in marts)
        nodes, problem = compile_models(lake, project, target, ["--select", *wanted.split(), "--vars", json.dumps(variables)])
    if problem:
        raise ConfigurationError(f"dbt cannot compile the models: {problem}", "Correct the model or macro it names.")
    names = {node.unique_id: node.name for node in nodes}
    return [
        CompiledModel(
            node.name,
            node.relation_name if node.resource_type != "analysis" else None,
            node.compiled_code,
            tuple(names[read] for read in node.depends_on.nodes if read in names),
        )
        for node in nodes
    ]
