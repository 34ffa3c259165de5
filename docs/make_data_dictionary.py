"""Writes ``docs/data-dictionary.md`` from what the lake really creates: the raw tables' schemas and the marts' contracts.

``uv run python docs/make_data_dictionary.py`` after a table or mart has changed; a test compares the page with both.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from cost_lakehouse.lake.tables import raw_tables

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "data-dictionary.md"
FORMATS = ROOT / "cost_lakehouse" / "formats"
MARTS = ROOT / "dbt_project" / "models" / "marts" / "_marts__models.yml"

HEAD = """# Data dictionary

<!-- Made by docs/make_data_dictionary.py; change that, or the descriptions of the models, not this page. -->

Two schemas: `raw` holds what was delivered and its proof, `marts` what most people ask. Ask with `cost-lakehouse query`. All
times are UTC. Amounts are `decimal(38, 20)`, exact. Account ids are text.
"""
TABLES = {
    "raw.aws_cur": "One row a line item, at full fidelity, in the shape of AWS's CUR 2.0 whatever way it was delivered. AWS's "
    "columns keep AWS's names; its documentation describes them.",
    "raw.oci_cost": "One row a row of OCI's cost reports: the truth for OCI's cost. Rows of one month come in many loads.",
    "raw.oci_usage": "One row a row of OCI's usage reports, which Oracle no longer makes. Not summed into any mart.",
    "raw.focus": "One row a row of FOCUS reports, of any version from 1.0-preview on. OCI's repeat what its cost reports say, "
    "so nothing of it is summed into a mart.",
    "raw.receipts": "One row a load and month: what it proves, or why it was refused. Of OCI, what the load added to the month "
    "less what it took out: all receipts of a month together are the month.",
    "raw.control_totals": "Exact sums of each accepted load by payer (OCI: tenancy), currency, line item type, invoice and "
    "metric. Always delivered = stored + rounding.",
    "raw.files": "One row an object of each accepted load.",
}
COLUMNS = {
    "source": "Configured source that the bill arrived from.",
    "billing_period": "First day of the bill's month.",
    "delivery_id": "Delivery: AWS's assembly id; of OCI a digest of the objects that were loaded together.",
    "file_name": "File that the line stands in.",
    "row_number": "Its record in that file; 1 is the first after the header.",
    "other": "Delivered columns that nobody knows: name and value.",
    "tags": "Tags, keys as delivered with their namespaces.",
    "x_columns": "The provider's own columns (`x_…`, `oci_…`): name and value.",
    "raw_table": "Table that the rows are in; empty in old lakes: raw.aws_cur.",
    "corrections": "What the load's corrections come to, added or in place of the rows that they refer to, as JSON.",
    "product": "Product attributes without a column of their own.",
    "resource_tags": "Tags, keys as delivered.",
    "cost_category": "Cost categories, keys as delivered.",
    "discount": "Discounts; values as delivered.",
    "load_id": "The load.",
    "state": "accepted or refused.",
    "reason": "Why it was refused.",
    "files": "Files of the delivery.",
    "bytes": "Bytes of the delivery.",
    "rejected": "Values that cannot be stored.",
    "rejected_values": "The first of them as JSON: value, file, record, column, reason.",
    "rounding_values": "Values with more than 20 fractional digits, rounded half to even.",
    "loaded_at": "When it was loaded.",
    "delivered_at": "When the provider delivered it (the manifest's time).",
    "fingerprint": "Digest of the delivery's objects; it tells files that were replaced under the same delivery id.",
    "digest": "SHA-256 of everything that the load proves.",
    "payer_account_id": "Account that pays the bill.",
    "currency_code": "Currency.",
    "line_item_type": "Kind of charge, as AWS spells it; of OCI Usage or Correction.",
    "invoice_id": "Invoice; empty while there is none.",
    "metric": "The raw column that is added up.",
    "line_items": "Lines with a value in it.",
    "delivered": "Sum of the delivered amounts.",
    "stored": "Sum of the amounts that the lake holds.",
    "rounding": "delivered − stored.",
    "delivered_exact": "Sum of the delivered amounts as text, with all digits.",
    "rounding_exact": "rounding as text, with all digits.",
    "key": "The object's key.",
    "etag": "Its ETag as listed; of a local file its size and time.",
    "size": "Its bytes.",
    "rows": "Rows in it.",
}


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## raw\n"]
    for name, schema in raw_tables().items():
        meanings = COLUMNS | meanings_of(name)
        rows = [(field.name, sql_type(field.type), meanings.get(field.name, "")) for field in schema]
        parts.append(table(name, TABLES[name], rows))
    parts.append("## marts\n")
    document: dict[str, Any] = yaml.safe_load(MARTS.read_text(encoding="utf-8"))
    for model in document["models"]:
        rows = [(each["name"], each["data_type"], each.get("description", "")) for each in model["columns"]]
        parts.append(table(f"marts.{model['name']}", model["description"], rows))
    return "\n".join(parts)


def meanings_of(name: str) -> dict[str, str]:
    """What the package's own table of a raw table's columns says of them, where there is one that does."""
    file = FORMATS / f"{name.removeprefix('raw.')}_columns.csv"
    if not file.exists():
        return {}
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return {row["column"]: f"{row['meaning'][:1].upper()}{row['meaning'][1:]}." for row in rows if row.get("meaning")}


def table(name: str, description: str, rows: list[tuple[str, str, str]]) -> str:
    """One table's section."""
    lines = [f"### `{name}`", "", description.strip(), "", "| column | type | |", "|---|---|---|"]
    lines += [f"| `{column}` | {kind} | {' '.join(said.split()).replace('|', chr(92) + '|')} |" for column, kind, said in rows]
    return "\n".join([*lines, ""])


def sql_type(kind: pa.DataType) -> str:
    """A column's type as SQL names it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_map(kind):
        return f"map({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    names = {pa.string(): "varchar", pa.int64(): "bigint", pa.date32(): "date", pa.timestamp("us"): "timestamp"}
    return names[kind]


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
