"""Writes ``docs/data-dictionary.md`` from what the lake really creates: the raw tables' schemas and the marts' contracts.

``uv run python docs/make_data_dictionary.py`` after a table or mart has changed; a test compares the page with both. What the
columns of bills mean and how each format calls them stands in the package's tables of columns (``formats/*_columns.csv``), what
those of marts mean in dbt's descriptions; the rest is here.
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

from cost_lakehouse.formats.header import OTHER, snake
from cost_lakehouse.lake.tables import raw_tables

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "data-dictionary.md"
FORMATS = ROOT / "cost_lakehouse" / "formats"
MARTS = ROOT / "dbt_project" / "models" / "marts" / "_marts__models.yml"

HEAD = """# Data dictionary

<!-- Made by docs/make_data_dictionary.py; change that, formats/*_columns.csv or the models' descriptions, not this page. -->

Two schemas: `raw` holds what was delivered and its proof, `marts` what most people ask. Ask with `cost-lakehouse query`. All
times are UTC. Amounts are `decimal(38, 20)`, exact. Account ids are text.

Tables of bills say what each format calls a column. A dash: that format does not have it, or the lakehouse adds it. A name such
as `product/<attribute>` stands for many delivered columns, each an entry of the map.
"""
TABLES = {
    "raw.aws_cur": "One row a line item, at full fidelity, in the shape of AWS's CUR 2.0 whatever way it was delivered. "
    "Names are read in any spelling of AWS's (`…_a_r_n` and `…_arn`, `sku` and `SKU`).",
    "raw.oci_cost": "One row a row of OCI's cost reports: the truth for OCI's cost. Rows of one month come in many loads.",
    "raw.oci_usage": "One row a row of OCI's usage reports, which Oracle no longer makes. Not summed into any mart.",
    "raw.focus": "One row a row of FOCUS reports, of any version from 1.0-preview on. OCI's repeat what its cost reports say, "
    "so nothing of it is summed into a mart.",
    "raw.receipts": "One row a load and month: what it proves, or why it was refused. Of OCI, what the load added to the month "
    "less what it took out: all receipts of a month together are the month.",
    "raw.control_totals": "Exact sums of each accepted load by payer (OCI: tenancy), currency, line item type, invoice and "
    "metric. Always delivered = stored + rounding.",
    "raw.files": "One row an object of each accepted load.",
    "raw.aws_accounts": "What AWS Organizations said of accounts: a row each time that it said something else than before. Rows "
    "are only added; the account's names over time are in marts.aws_accounts.",
}
# What the lakehouse's own columns mean: in every table, and in one.
COLUMNS = {
    "source": "Configured source that the bill arrived from.",
    "billing_period": "First day of the bill's month.",
    "delivery_id": "Delivery: AWS's assembly id; of OCI a digest of the objects that were loaded together.",
    "file_name": "File that the line stands in.",
    "row_number": "Its record in that file; 1 is the first after the header.",
    "other": "Delivered columns that nobody knows: name and value.",
    "tags": "Tags, keys as delivered with their namespaces.",
    "x_columns": "The provider's own columns (`x_…`, `oci_…`): name and value.",
    "load_id": "Load that wrote the row.",
    "raw_table": "Table that the bill's rows are in; empty in old lakes: raw.aws_cur.",
}
COLUMNS_OF = {
    "raw.receipts": {
        "state": "Whether the bill is in the lake: accepted or refused.",
        "reason": "Why it was refused.",
        "files": "Files of the delivery.",
        "rows": "Rows in its files.",
        "bytes": "Bytes of its files, as delivered.",
        "rejected": "Values that cannot be stored; one is enough to refuse the delivery.",
        "rejected_values": "The first of them as JSON: value, file, record, column, reason.",
        "rounding_values": "Values with more than 20 fractional digits, rounded half to even.",
        "loaded_at": "When it was loaded.",
        "delivered_at": "When the provider delivered it (the manifest's time).",
        "fingerprint": "Digest of the delivery's objects; it tells files that were replaced under the same delivery id.",
        "digest": "SHA-256 of everything that the load proves.",
        "corrections": "What the load's corrections come to, added or in place of the rows that they refer to, as JSON.",
    },
    "raw.control_totals": {
        "payer_account_id": "Account that pays the bill.",
        "currency_code": "Currency of the sums, as delivered.",
        "line_item_type": "Kind of charge, as AWS spells it; of OCI Usage or Correction.",
        "invoice_id": "Invoice; empty while there is none.",
        "metric": "The raw column that is added up.",
        "line_items": "Lines with a value in that column.",
        "delivered": "Sum of the delivered amounts.",
        "stored": "Sum of the amounts that the lake holds.",
        "rounding": "What storing took off: delivered − stored.",
        "delivered_exact": "Sum of the delivered amounts as text, with all digits.",
        "rounding_exact": "What storing took off as text, with all digits.",
    },
    "raw.files": {
        "key": "Where the object is: its key, or the file's path.",
        "etag": "Its ETag as listed; of a local file its size and time.",
        "size": "Bytes of the object.",
        "rows": "Rows in the object.",
    },
    "raw.aws_accounts": {
        "source": "Configured organisation that said it (`organizations` of lakehouse.yaml).",
        "billing_period": "First day of the month in which it was read.",
        "delivery_id": "The reading: all rows of one have the same.",
        "organization_id": "Organisation that the account is in, such as o-exampleorgid.",
        "management_account_id": "Account that pays for the organisation.",
        "account_id": "Account that the row is about.",
        "seen_at": "When it was read.",
        "is_gone": "Whether the account was no longer in the organisation.",
        "account_name": "Name of the account.",
        "account_state": "Where the account stands, such as ACTIVE or SUSPENDED.",
        "joined_at": "When the account came into the organisation.",
        "unit_id": "Organisational unit, or root, that the account is in.",
        "unit_name": "Name of that unit.",
        "unit_path": "Names of all units above the account, from the root down.",
        "unit_id_path": "Ids of all units above the account, from the root down.",
        "tags": "Tags of the account: key and value.",
    },
}

Row = Mapping[str, str]
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
    parts = [HEAD, "## raw\n"]
    for name, schema in raw_tables().items():
        if name not in TABLES:
            raise LookupError(f"{name}: say in docs/make_data_dictionary.py (TABLES) what a row of it is")
        parts.append(table(name, TABLES[name], list(ORIGINS.get(name, {})), raw_rows(name, schema)))
    parts.append("## marts\n")
    document: dict[str, Any] = yaml.safe_load(MARTS.read_text(encoding="utf-8"))
    for model in document["models"]:
        mart = f"marts.{model['name']}"
        rows = [[each["name"], each["data_type"], each.get("description", "")] for each in model["columns"]]
        for column, _, meaning in rows:
            if not meaning.strip():
                raise LookupError(f"{mart}.{column}: say in {MARTS.relative_to(ROOT)} what it holds (description)")
        parts.append(table(mart, model["description"], [], rows))
    return "\n".join(parts)


def raw_rows(name: str, schema: pa.Schema) -> list[list[str]]:
    """Each column's name, type, meaning and what the formats call it."""
    known = {row["column"]: row for row in [*GATHERED.get(name, []), *table_of_columns(name)]}
    meanings = COLUMNS | COLUMNS_OF.get(name, {}) | {row["column"]: sentence(row) for row in known.values() if "meaning" in row}
    rows = []
    for field in schema:
        if not meanings.get(field.name):
            raise LookupError(
                f"{name}.{field.name}: say what it holds in formats/{name.removeprefix('raw.')}_columns.csv (meaning), "
                "or in docs/make_data_dictionary.py (COLUMNS_OF) where the lakehouse adds it"
            )
        row = known.get(field.name)
        nothing = ANY_OTHER if field.name == OTHER else NONE
        cells = [names(cell(row)) if row else nothing for cell in ORIGINS.get(name, {}).values()]
        rows.append([field.name, sql_type(field.type), meanings[field.name], *cells])
    return rows


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
