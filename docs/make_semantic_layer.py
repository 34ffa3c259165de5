"""Writes what BI tools read of the query core's table (``ask/dimensions.yaml``) into ``deploy/bi``.

``uv run python docs/make_semantic_layer.py`` after a dimension, a measure or the Grafana dashboard has changed; a test compares
the files with it. dbt's semantic layer and Superset get one relation, ``costs``: the lines of the three daily summaries with
every dimension that has a column, and every basis. Families (``tag:KEY``) have no columns; the JSON they come from is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

from cost_lakehouse.ask.dimensions import DAILY_COSTS, SUMMARIES, Dimension, dimensions, measures
from cost_lakehouse.ask.statement import ACCOUNTS, accounts_join, value_sql

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "bi"
DASHBOARD = FOLDER / "grafana" / "cloud-costs.json"
MADE = "Made by docs/make_semantic_layer.py; change what that reads, not this file."
DAYS = {
    "usage_date": "The UTC day on which the usage started.",
    "billing_period": "The first day of the month that it was billed in.",
}
CURRENCY = "The currency. Never add two: filter or group by it."


def costs_sql(table: Callable[[str], str]) -> str:
    """The lines of all daily summaries, each dimension and basis in a column; for DuckDB, Trino and PostgreSQL."""
    parts = []
    for mart, name in SUMMARIES.items():
        columns = [f"{_expression(dimension, mart)} as {dimension.name}" for dimension in asked_of_bills()]
        columns += [f"mart.{day}" for day in DAYS]
        # Another lakehouse pushes no tags.
        tags = "cast(null as varchar) as tags" if mart == "lakehouse" else "mart.tags"
        columns += ["mart.currency_code", tags]
        columns += [f"mart.{measure.columns[mart]} as {measure.name}_cost" for measure in measures()]
        columns += ["mart.line_item_count"]
        shown = ",\n    ".join(columns)
        parts.append(f"select\n    {shown}\nfrom {table(name)} as mart\n{accounts_join(mart, table(ACCOUNTS))}\n")
    return "\nunion all\n\n".join(parts)


def asked_of_bills() -> list[Dimension]:
    """The dimensions that the daily summaries have; teams and clusters are of other marts."""
    return [dimension for dimension in dimensions() if dimension.apart is None]


def _expression(dimension: Dimension, mart: str) -> str:
    """The dimension's value, null where it is missing or empty, as the query core takes it."""
    found = [f"accounts.{dimension.of_account}"] if dimension.of_account else []
    column = dimension.columns.get(mart)
    found += [value_sql(column)] if column is not None else []
    values = [f"nullif({value}, '')" for value in found]
    if not values:
        return "cast(null as varchar)"
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def semantic_layer() -> dict[str, Any]:
    """dbt's properties of the model ``costs``: its semantic model and a metric for each basis."""
    amounts = {f"{measure.name}_cost": measure.says for measure in measures()}
    amounts["line_item_count"] = "How many lines of bills."
    days = [
        {"name": name, "type": "time", "description": says, "type_params": {"time_granularity": "day"}}
        for name, says in DAYS.items()
    ]
    texts = {dimension.name: dimension.says for dimension in asked_of_bills()} | {"currency_code": CURRENCY}
    return {
        "version": 2,
        "models": [
            {
                "name": "costs",
                "description": "The lines of all daily summaries, with every dimension and basis of the query core.",
            }
        ],
        "semantic_models": [
            {
                "name": "costs",
                "description": "What it cost. Amounts are of one currency each: group or filter by currency_code.",
                "model": "ref('costs')",
                "defaults": {"agg_time_dimension": "usage_date"},
                "primary_entity": "cost_line",
                "dimensions": [
                    *days,
                    *({"name": name, "type": "categorical", "description": says} for name, says in texts.items()),
                ],
                "measures": [{"name": name, "description": says, "agg": "sum"} for name, says in amounts.items()],
            }
        ],
        "metrics": [
            {
                "name": name,
                "label": name.replace("_", " ").capitalize(),
                "description": says,
                "type": "simple",
                "type_params": {"measure": name},
            }
            for name, says in amounts.items()
        ],
    }


def marts_read() -> list[str]:
    """The marts that the Grafana dashboard selects from."""
    return sorted(set(re.findall(r"\bmarts\.(\w+)", DASHBOARD.read_text(encoding="utf-8"))))


def exposures() -> dict[str, Any]:
    """Who reads what: the dashboard, Superset's dataset, the web pages and what agents ask."""
    core = [f"source('marts', '{name}')" for name in (*SUMMARIES.values(), DAILY_COSTS, ACCOUNTS, "bill_status")]
    known: list[tuple[str, str, str, list[str]]] = [
        (
            "grafana_cloud_costs",
            "dashboard",
            "grafana/cloud-costs.json",
            [f"source('marts', '{name}')" for name in marts_read()],
        ),
        ("superset_costs", "analysis", "superset/datasets/cost_lakehouse/costs.yaml", ["ref('costs')"]),
        ("cost_lakehouse_serve", "application", "`cost-lakehouse serve`: pages and /v1.", core),
        ("cost_lakehouse_mcp", "application", "`cost-lakehouse mcp`: what agents ask.", core),
    ]
    return {
        "version": 2,
        "exposures": [
            {
                "name": name,
                "label": name.replace("_", " ").capitalize(),
                "type": kind,
                "description": says,
                "depends_on": reads,
                "owner": {"name": "Whoever runs the lakehouse"},
            }
            for name, kind, says, reads in known
        ],
    }


def sources() -> dict[str, Any]:
    """The published marts, as the models read them."""
    names = sorted({*SUMMARIES.values(), DAILY_COSTS, ACCOUNTS, "bill_status", *marts_read()})
    return {
        "version": 2,
        "sources": [
            {
                "name": "marts",
                "schema": "marts",
                "description": "What is published.",
                "tables": [{"name": name} for name in names],
            }
        ],
    }


def superset_dataset() -> dict[str, Any]:
    """Superset's import format, version 1.0.0, of a dataset over the same SQL."""
    texts = {dimension.name: dimension.says for dimension in asked_of_bills()} | {"currency_code": CURRENCY}
    texts["tags"] = "The tags, as a JSON object."
    amounts = {f"{measure.name}_cost": measure.says for measure in measures()}
    amounts["line_item_count"] = "How many lines of bills."
    columns: list[dict[str, Any]] = [
        {"column_name": name, "type": "DATE", "is_dttm": True, "groupby": True, "filterable": True, "description": says}
        for name, says in DAYS.items()
    ]
    columns += [
        {"column_name": name, "type": "VARCHAR", "is_dttm": False, "groupby": True, "filterable": True, "description": says}
        for name, says in texts.items()
    ]
    columns += [
        {"column_name": name, "type": "NUMERIC", "is_dttm": False, "groupby": False, "filterable": True, "description": says}
        for name, says in amounts.items()
    ]
    return {
        "table_name": "costs",
        "main_dttm_col": "usage_date",
        "description": "What it cost. Amounts are of one currency each: group or filter by currency_code.",
        "schema": "marts",
        "sql": costs_sql(lambda name: f"marts.{name}"),
        "filter_select_enabled": True,
        "uuid": str(uuid5(NAMESPACE_URL, "cost-lakehouse/superset/costs")),
        "columns": columns,
        "metrics": [
            {"metric_name": name, "expression": f"sum({name})", "description": says, "d3format": ",.2f"}
            for name, says in amounts.items()
        ],
        "version": "1.0.0",
        "database_uuid": database_uuid(),
    }


def database_uuid() -> str:
    """The database of ``superset/databases``, which the dataset is of."""
    text = (FOLDER / "superset" / "databases" / "cost_lakehouse.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["uuid"])


def files() -> dict[Path, str]:
    """Every file that is made, and what stands in it."""
    models = FOLDER / "dbt" / "models"
    sql = costs_sql(lambda name: f"{{{{ source('marts', '{name}') }}}}")
    return {
        models / "costs.sql": f"-- {MADE}\n{sql}",
        models / "_costs.yml": _yaml(semantic_layer()),
        models / "_marts.yml": _yaml(sources()),
        models / "_exposures.yml": _yaml(exposures()),
        FOLDER / "superset" / "datasets" / "cost_lakehouse" / "costs.yaml": _yaml(superset_dataset()),
    }


class _Dumper(yaml.SafeDumper):
    """SQL stands in the file as it is written, line by line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(content: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(content))
    return f"# {MADE}\n{yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)}"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
