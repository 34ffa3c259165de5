"""Which raw columns a mart's column comes from, read out of the models' compiled SQL: nobody has to keep a list.

A column comes from those whose values become its own. Conditions only decide which value it is: they count where nothing
else would (``purchase_option``), as do comparisons.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.tables import raw_tables
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.dbt_run import compile_models
from cost_lakehouse.summaries.dbt_target import parse_target

KINDS = {
    "aws": "aws_cur",
    "oci": "oci_cost",
    "focus": "focus",
    "lakehouse": "lakehouse_costs",
}  # kinds of bills, and the raw table that holds each
MANY = 8  # what more columns than these decide comes from no column: it is the model's own word
Origins = dict[str, dict[str, set[str]]]  # model -> column -> raw columns as table.column


def mart_origins() -> Origins:
    """The raw columns of every model's columns, by ``schema.model``.

    Raises RuntimeError where dbt cannot compile the models, with what it says.
    """
    with tempfile.TemporaryDirectory() as folder:
        return origins_of(compiled_models(Path(folder)))


def compiled_models(folder: Path) -> dict[str, str]:
    """The SQL of all models as DuckDB gets it, by ``schema.model``; dbt needs a lake for it, which is empty."""
    config = folder / "lakehouse.yaml"
    config.write_text("lake: {first_month: 2026-01}\nsources: []\n", encoding="utf-8")
    settings = load_settings(config)
    project = parse_if_stale(settings)
    target = parse_target(settings, project.folder, folder / "dbt")
    nodes, problem = compile_models(Lake(settings), project, target, [])
    if problem:
        raise RuntimeError(f"dbt compile failed: {problem}")
    models = [node for node in nodes if node.resource_type == "model"]
    return {f"{Path(node.path).parts[0]}.{node.name}": node.compiled_code for node in models}


def origins_of(models: dict[str, str]) -> Origins:
    """The raw columns of the models' columns."""
    schema = {name: dict.fromkeys(fields.names, "text") for name, fields in raw_tables().items()}
    origins: Origins = {name: {column: {f"{name}.{column}"} for column in columns} for name, columns in schema.items()}
    trees = {name: sqlglot.parse_one(sql, dialect="duckdb") for name, sql in models.items()}
    for name in _in_order(trees):
        tree = _with_plain_names(trees[name])
        known: dict[str, object] = {_plain(table): columns for table, columns in schema.items()}
        query = qualify(tree, schema=known, dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False)
        scope = build_scope(query)
        if scope is None or not isinstance(query, exp.Query):
            raise RuntimeError(f"{name} is no query")
        by_plain_name = {_plain(table): columns for table, columns in origins.items()}
        schema[name] = dict.fromkeys(query.named_selects, "text")
        for column in query.named_selects:
            found = _resolve(scope, column, by_plain_name, False)
            decided_by = set() if found else _resolve(scope, column, by_plain_name, True)
            origins.setdefault(name, {})[column] = found or (decided_by if len(decided_by) <= MANY else set())
    return origins


def _of_its_kind(columns: set[str], select: Any) -> set[str]:
    """Without the raw tables of other kinds of bills, where the query reads one kind alone (``where x_bill_kind = 'aws'``)."""
    where = select.args.get("where")
    for equal in where.find_all(exp.EQ) if where is not None else ():
        if isinstance(equal.this, exp.Column) and equal.this.name == "x_bill_kind" and equal.expression.name in KINDS:
            others = tuple(f"raw.{table}." for kind, table in KINDS.items() if kind != equal.expression.name)
            return {column for column in columns if not column.startswith(others)}
    return columns


def _plain(name: str) -> str:
    return name.replace(".", "__")


def _in_order(trees: Mapping[str, Any]) -> list[str]:
    """The models, each after those that it reads."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in trees and name not in order:
            for table in trees[name].find_all(exp.Table):
                if table.db:
                    visit(f"{table.db}.{table.name}")
            order.append(name)

    for name in sorted(trees):
        visit(name)
    return order


def _with_plain_names(tree: Any) -> Any:
    """Tables under one name without database and schema: a mart may be called like a raw table."""
    for table in list(tree.find_all(exp.Table)):
        if table.db:
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
            table.set("this", exp.to_identifier(f"{table.db}__{table.name}"))
            table.set("db", None)
            table.set("catalog", None)
    return tree


def _resolve(scope: Any, name: str, origins: Origins, deciding: bool) -> set[str]:
    """The raw columns of one column of a query; ``deciding``: those of conditions too."""
    branches = scope.set_operation_scopes
    if branches:
        place = branches[0].expression.named_selects.index(name)
        return set().union(
            *(_resolve(branch, branch.expression.named_selects[place], origins, deciding) for branch in branches)
        )
    selected = next(select for select in scope.expression.selects if select.alias_or_name == name)
    found: set[str] = set().union(*(_column(scope, value, origins, deciding) for value in _values(selected, deciding)))
    return _of_its_kind(found, scope.expression)


def _column(scope: Any, column: exp.Column, origins: Origins, deciding: bool) -> set[str]:
    source = scope.sources.get(column.table)
    if isinstance(source, exp.Table):
        return origins.get(source.name, {}).get(column.name, set())
    if not isinstance(source, Scope):
        return set()
    if isinstance(source.expression, exp.Query) and column.name in source.expression.named_selects:
        return _resolve(source, column.name, origins, deciding)
    # What a map or list was taken apart into: it comes from that map.
    inner = [item for item in source.expression.find_all(exp.Column) if item.table != column.table]
    return set().union(*(_column(scope, item, origins, deciding) for item in inner))


def _values(node: Any, deciding: bool) -> Iterator[exp.Column]:
    """The columns whose values become the expression's; with ``deciding`` also those that only decide which."""
    if isinstance(node, exp.Column):
        yield node
        return
    parts: list[Any] = list(node.iter_expressions())
    if not deciding:
        if isinstance(node, exp.Predicate | exp.Not | exp.Connector):
            parts = []
        elif isinstance(node, exp.Case):
            parts = [*(argument.args["true"] for argument in node.args["ifs"]), node.args.get("default")]
        elif isinstance(node, exp.If):
            parts = [node.args.get("true"), node.args.get("false")]
        elif isinstance(node, exp.Window | exp.Filter | exp.ArgMax | exp.ArgMin):
            parts = [node.this]
    for part in parts:
        if part is not None:
            yield from _values(part, deciding)
