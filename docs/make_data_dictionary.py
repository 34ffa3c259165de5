"""Writes ``docs/data-dictionary.md`` from what the lake really creates: the raw tables' schemas and the marts' contracts.

``uv run python docs/make_data_dictionary.py`` after a table or mart has changed; a test compares the page with both. What the
columns of bills mean and how each format calls them stands in the package's tables of columns (``formats/*_columns.csv``), what
those of marts mean in dbt's descriptions, the rest in ``docs/data-dictionary.yml``.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from mart_origins import mart_origins

from cost_lakehouse.formats.header import OTHER, snake
from cost_lakehouse.lake.tables import measured_marts, raw_tables, shared_marts

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "data-dictionary.md"
FORMATS = ROOT / "cost_lakehouse" / "formats"
MARTS = ROOT / "dbt_project" / "models" / "marts"
MEANINGS = ROOT / "docs" / "data-dictionary.yml"

HEAD = """# Data dictionary

<!-- Made by docs/make_data_dictionary.py; change what that reads, not this page. -->

Two schemas: `raw` holds what was delivered and its proof, `marts` what most people ask. Ask with `cost-lakehouse query`. All
times are UTC. Amounts are `decimal(38, 20)`, exact. Account ids are text.

Tables of bills say what each format calls a column. A dash: that format does not have it, or the lakehouse adds it. A name such
as `product/<attribute>` stands for many delivered columns, each an entry of the map.

Marts say which raw columns a column comes from, by the models' own SQL; a dash: the model counts or says it itself.
"""
Row = Mapping[str, str]
# The SQL gathers tags and cost categories in one query, by their text, and joins them again by it.
TOLD_APART = {
    ("marts.aws_daily_summary", "tags"): ["raw.aws_cur.resource_tags"],
    ("marts.aws_daily_summary", "tag_collisions"): ["raw.aws_cur.resource_tags"],
    ("marts.aws_daily_summary", "cost_categories"): ["raw.aws_cur.cost_category"],
    # Reasons are the models' own words, chosen by many columns, or the loader's.
    ("marts.bill_findings", "reason"): [
        "raw.aws_cur.findings",
        "raw.files.finding",
        "raw.focus.findings",
        "raw.oci_cost.findings",
    ],
    ("marts.bill_findings", "detail"): [
        "raw.aws_cur.cost_category",
        "raw.aws_cur.findings",
        "raw.aws_cur.reservation_reservation_a_r_n",
        "raw.aws_cur.resource_tags",
        "raw.aws_cur.savings_plan_savings_plan_a_r_n",
        "raw.files.finding_detail",
        "raw.focus.findings",
        "raw.oci_cost.findings",
    ],
}
NONE, ANY_OTHER = "—", "any other"


def legacy_parquet(row: Row) -> str:
    """The name in Parquet and Athena: AWS's transformation of the name in CSV; what ``<…>`` stands for is transformed too."""
    category, _, name = row.get("legacy", "").partition("/")
    fixed, bracket, rest = name.partition("<")
    return "_".join(part for part in (snake(category), snake(fixed), bracket + rest) if part)


def focus_versions(row: Row) -> str:
    """The versions of FOCUS that have the column; those of the provider's own columns are not counted."""
    since, until = row.get("since", ""), row.get("until", "")
    return f"{since} to {until}" if until else f"{since} on" if since else "1.0-preview" if row.get("preview") else ""


def delivered(row: Row) -> str:
    """The names that the column is read by, the preferred one first."""
    return row.get("delivered", "")


# By table: the headings of its origins, and what stands below them for a row of its table of columns.
ORIGINS: dict[str, dict[str, Callable[[Row], str]]] = {
    "raw.aws_cur": {
        "legacy CSV": lambda row: row.get("legacy", ""),
        "legacy Parquet": legacy_parquet,
        "CUR 2.0": lambda row: row["column"],
    },
    "raw.oci_cost": {"cost report": delivered},
    "raw.oci_usage": {"usage report": delivered},
    "raw.focus": {
        "FOCUS": lambda row: delivered(row).split("|")[0] if row.get("since") else "",
        "versions": focus_versions,
        "Oracle's 1.0-preview": lambda row: row.get("preview", ""),
    },
    "raw.lakehouse_costs": {"push": delivered},
}
# Maps that are gathered from delivered columns without one of their own.
GATHERED: dict[str, list[Row]] = {
    "raw.oci_cost": [{"column": "tags", "delivered": "tags/<key>"}],
    "raw.oci_usage": [{"column": "tags", "delivered": "tags/<key>"}],
    "raw.focus": [{"column": "x_columns", "delivered": "x_<name>", "since": "1.0", "preview": "oci_<name>"}],
}


def page() -> str:
    """The whole page.

    Raises LookupError where a table or column has no meaning, with where to write it.
    """
    meanings = yaml.safe_load(MEANINGS.read_text(encoding="utf-8"))
    parts = [HEAD, "## raw\n"]
    for name, schema in raw_tables().items():
        if name not in meanings["tables"]:
            raise LookupError(f"{name}: say in docs/data-dictionary.yml (tables) what a row of it is")
        parts.append(table(name, meanings["tables"][name], list(ORIGINS.get(name, {})), raw_rows(name, schema, meanings)))
    parts.append("## marts\n")
    origins = mart_origins()
    for file in sorted(MARTS.glob("*__models.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
            name = f"marts.{model['name']}"
            parts.append(table(name, model["description"], ["from"], mart_rows(name, model, origins[name])))
    for name, schema in {**measured_marts(), **shared_marts()}.items():
        rows = [[*row, NONE] for row in raw_rows(name, schema, meanings)]
        parts.append(table(name, meanings["tables"][name], ["from"], rows))
    return "\n".join(parts)


def raw_rows(name: str, schema: pa.Schema, meanings: Mapping[str, Any]) -> list[list[str]]:
    """Each column's name, type, meaning and what the formats call it."""
    known = {row["column"]: row for row in [*GATHERED.get(name, []), *table_of_columns(name)]}
    of_bills = {row["column"]: sentence(row) for row in known.values() if "meaning" in row}
    said = meanings["columns"] | meanings["columns_of"].get(name, {}) | of_bills
    rows = []
    for field in schema:
        if not said.get(field.name):
            raise LookupError(
                f"{name}.{field.name}: say what it holds in formats/{name.removeprefix('raw.')}_columns.csv (meaning), "
                "or in docs/data-dictionary.yml (columns_of) where the lakehouse adds it"
            )
        row = known.get(field.name)
        nothing = ANY_OTHER if field.name == OTHER else NONE
        cells = [names(cell(row)) if row else nothing for cell in ORIGINS.get(name, {}).values()]
        rows.append([field.name, sql_type(field.type), said[field.name], *cells])
    return rows


def mart_rows(name: str, model: Mapping[str, Any], origins: Mapping[str, set[str]]) -> list[list[str]]:
    """Each column's name, type, meaning and the raw columns that it comes from."""
    rows = []
    for item in model["columns"]:
        column, meaning = item["name"], item.get("description", "").strip()
        if not meaning:
            raise LookupError(f"{name}.{column}: say what it holds in dbt_project/models/marts (description)")
        found = TOLD_APART.get((name, column)) or sorted(origins[column])
        if column == f"{model['name']}_id" or column.endswith("line_item_count"):
            found = []  # of all columns of the grain; of the rows
        rows.append([column, item["data_type"], meaning, raw_columns(found)])
    return rows


def raw_columns(found: Sequence[str]) -> str:
    """Raw columns as the page says them: by table."""
    by_table: dict[str, list[str]] = {}
    for entry in found:
        table_name, _, column = entry.rpartition(".")
        by_table.setdefault(table_name, []).append(f"`{column}`")
    return "; ".join(f"{name}: {', '.join(columns)}" for name, columns in by_table.items()) or NONE


def table_of_columns(name: str) -> list[Row]:
    """The package's own table of a raw table's columns, where there is one."""
    file = FORMATS / f"{name.removeprefix('raw.')}_columns.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []


def sentence(row: Row) -> str:
    """A column's meaning as the page says it."""
    said = row["meaning"].strip()
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def names(cell: str) -> str:
    """Delivered names as code, further spellings after the first; versions stay words."""
    if re.fullmatch(r"[\d.]+(-preview| on| to [\d.]+)?", cell):
        return cell
    return ", ".join(f"`{name}`" for name in cell.split("|")) if cell else NONE


def table(name: str, description: str, origins: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One table's section."""
    lines = [f"### `{name}`", "", description.strip(), "", f"| {' | '.join(['column', 'type', 'meaning', *origins])} |"]
    lines += ["|" + "---|" * (3 + len(origins))]
    for column, kind, said, *called in rows:
        meaning = " ".join(said.split()).replace("|", "\\|")
        lines.append(f"| {' | '.join([f'`{column}`', kind, meaning, *called])} |")
    return "\n".join([*lines, ""])


def sql_type(kind: pa.DataType) -> str:
    """A column's type as SQL names it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_map(kind):
        return f"map({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    plain = {
        pa.string(): "varchar",
        pa.int64(): "bigint",
        pa.bool_(): "boolean",
        pa.date32(): "date",
        pa.timestamp("us"): "timestamp",
    }
    return plain[kind]


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
