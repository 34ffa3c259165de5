"""The lines behind a mart's rows, as one SQL statement: dbt's analysis ``lines_of_<mart>`` with every model that it reads.

A build's tables are gone when somebody asks. dbt compiles the models once for each state of the project; what it compiled is
kept beside the parsed manifest, so that asking again needs no dbt.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.dbt_arguments import dbt_vars
from cost_lakehouse.summaries.dbt_project import ParsedProject
from cost_lakehouse.summaries.dbt_run import compile_models
from cost_lakehouse.summaries.dbt_target import parse_target

_PREFIX = "lines_of_"
_ASKED = "asked_"


@dataclass(frozen=True)
class CompiledModel:
    """A model's SQL as its engine gets it. ``relation`` is how other models' SQL calls its table; None of an analysis."""

    name: str
    relation: str | None
    sql: str
    reads: tuple[str, ...]  # names of models
    is_table: bool = False  # whether dbt makes it a table, not a view
    by_line: bool = False  # whether it says something of each line by itself, so that some lines can be asked alone


Keep = Callable[[str, str], str]
"""Given the name and statement of a model: makes it a table (or view) for this question, and says what to read it from."""


def explained_marts(project: ParsedProject) -> tuple[str, ...]:
    """The marts that have lines, such as ``daily_costs``: those with an analysis."""
    nodes = project.document["nodes"].values()
    names = (node["name"] for node in nodes if node["resource_type"] == "analysis")
    return tuple(sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)))


def ensure_explained(project: ParsedProject, mart: str) -> tuple[str, ...]:
    """All marts that have lines. Raises LakeError where ``mart`` is none of them."""
    known = explained_marts(project)
    if mart not in known:
        raise LakeError(
            f"marts.{mart} is not made of lines of bills.",
            f"Ask for a cell of {', '.join(f'marts.{name}' for name in known)}.",
        )
    return known


def lines_query(
    lake: Lake,
    project: ParsedProject,
    mart: str,
    raw_table: Callable[[str], str],
    keep: Keep,
    picked: Mapping[str, str] | None = None,
    show: Keep | None = None,
) -> str:
    """The SELECT of the lines behind a mart: where each stands (``file_name``, ``row_number``, ``line_*``), the mart's key, and
    what the line adds to each of its amounts. ``raw_table`` says what to read a raw table (``raw.aws_cur``) from; ``keep``
    and ``show`` are those of ``assembled``; ``picked`` (staging model -> condition) says which lines are asked: all where it
    is absent.

    Raises LakeError where the mart is not made of lines, ConfigurationError where dbt cannot compile the project.
    """
    known = ensure_explained(project, mart)
    raw = {
        node["relation_name"]: raw_table(f"{node['schema']}.{node['identifier']}")
        for node in project.document["sources"].values()
    }
    models = [replace(model, sql=_on_raw(model.sql, raw)) for model in _compiled(lake, project, known)]
    analysis = f"{_PREFIX}{mart}"
    by_line = next(model for model in models if model.name == analysis).by_line
    return assembled(narrowed(models, picked or {}) if by_line else models, analysis, keep, show)


def _on_raw(sql: str, raw: Mapping[str, str]) -> str:
    for relation, name in raw.items():
        sql = sql.replace(relation, name)
    return sql


def narrowed(models: Sequence[CompiledModel], picked: Mapping[str, str]) -> list[CompiledModel]:
    """The models, of which those that say something of each line by itself read only the lines that are ``picked``.

    What is said of a month as a whole (whether its net prices count) is said of all its lines. Pure.
    """
    asked = [
        CompiledModel(
            f"{_ASKED}{model.name}",
            f'"asked"."{model.name}"',
            f"select * from {model.relation} where {picked[model.name]}",
            (model.name,),
            is_table=True,
            by_line=True,
        )
        for model in models
        if model.name in picked
    ]
    whole = {model.name: model.relation or "" for model in models}
    found = []
    for model in models:
        sql, reads = model.sql, model.reads
        for narrow in asked:
            name = narrow.reads[0]
            if model.by_line and name in reads:
                sql = sql.replace(whole[name], narrow.relation or "")
                reads = tuple(narrow.name if read == name else read for read in reads)
        found.append(replace(model, sql=sql, reads=reads))
    return [*found, *asked]


def assembled(models: Sequence[CompiledModel], wanted: str, keep: Keep | None = None, show: Keep | None = None) -> str:
    """One statement out of a model and all that it reads: each becomes a common table expression. Pure but for ``keep``
    and ``show``.

    ``keep`` is given the name and statement of each model that dbt would make a table, in order, and says what to read it
    from: for an engine that works out a common table expression again wherever it is read. Lines that are read once stay in the
    statement, so that no column is read which nothing asks for. ``show`` is the same for all others, in order: for an engine
    that works out a whole common table expression where it is read more than once, and of a view what is asked of it.
    """
    by_name = {model.name: model for model in models}
    order: list[CompiledModel] = []

    def visit(name: str) -> None:
        model = by_name[name]
        if model not in order:
            for read in model.reads:
                visit(read)
            order.append(model)

    visit(wanted)
    kept: dict[str, str] = {}

    def statement(model: CompiledModel) -> str:
        inner = [other for other in _read_by(model, by_name, order) if other.name not in kept]
        parts = [f"built__{other.name} as (\n{_named(other.sql, order, kept)}\n)" for other in inner]
        beginning = f"with {', '.join(parts)}\n" if parts else ""
        return f"{beginning}select * from (\n{_named(model.sql, order, kept)}\n) as lines"

    for model in order[:-1]:
        readers = sum(model.name in other.reads for other in order)
        # A copy of the asked lines would have every column, whatever is asked of them.
        is_asked = model.name.startswith(_ASKED)
        way = keep if model.is_table and not (is_asked and (readers == 1 or show)) else show
        if way is not None:
            kept[model.name] = way(model.name, statement(model))
    return statement(order[-1])


def _read_by(model: CompiledModel, by_name: Mapping[str, CompiledModel], order: Sequence[CompiledModel]) -> list[CompiledModel]:
    """Everything that a model reads, directly or not, in order."""
    found: set[str] = set()
    waiting = list(model.reads)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += by_name[name].reads
    return [other for other in order if other.name in found]


def _named(sql: str, models: Sequence[CompiledModel], kept: Mapping[str, str]) -> str:
    """A model's SQL with the tables of other models called as they are called here."""
    for model in models:
        if model.relation:
            sql = sql.replace(model.relation, kept.get(model.name, f"built__{model.name}"))
    return sql.strip()


def _compiled(lake: Lake, project: ParsedProject, marts: Sequence[str]) -> list[CompiledModel]:
    voiding = [source.name for source in lake.settings.sources if source.voids_corrected]
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
            node.config.materialized == "table" and node.resource_type != "analysis",
            bool(node.config.meta.get("by_line", node.config.materialized == "view" or node.resource_type == "analysis")),
        )
        for node in nodes
    ]
