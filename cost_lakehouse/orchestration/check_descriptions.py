"""What each dbt test proves, in a sentence for Dagster's Checks tab."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# dbt's own tests; ours are described beside their macros, in dbt_project/tests/generic/_tests.yml.
_OF_DBT = {
    "not_null": "`{column}` has a value in every row.",
    "unique": "No two rows have the same `{column}`.",
    "accepted_values": "`{column}` is one of: {values}.",
    "relationships": "Every `{column}` is there as `{field}` of {to}.",
}


def describe_test(manifest: Mapping[str, Any], unique_id: str) -> str:
    """The sentence of one test of dbt's manifest: its own description, else that of its kind, and what it is applied to.

    Empty for a test of a kind that nobody described.
    """
    test = manifest["nodes"][unique_id]
    own: str = test.get("description") or test.get("meta", {}).get("description") or ""
    if own:
        return own
    kind = test.get("test_metadata") or {}
    arguments: Mapping[str, Any] = kind.get("kwargs") or {}
    if kind.get("name") in _OF_DBT and not kind.get("namespace"):
        values = ", ".join(f"`{value}`" for value in arguments.get("values", ()))
        names = {"column": test.get("column_name") or arguments.get("column_name") or "", "values": values}
        others = {name: arguments.get(name, "") for name in ("field", "to")}
        return _OF_DBT[kind["name"]].format(**names, **others)
    macro = next((name for name in test["depends_on"]["macros"] if name.endswith(f".test_{kind.get('name')}")), "")
    sentence = str(manifest["macros"].get(macro, {}).get("description") or "").strip()
    applied = [f"{name}: {_text(value)}" for name, value in arguments.items() if name not in {"model", "column_name"}]
    return f"{sentence} ({'; '.join(applied)})" if sentence and applied else sentence


def _text(value: object) -> str:
    """An argument of a test for people: lists and mappings as text, ``ref('model')`` as the model's name."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_text(other)}" for name, other in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return re.sub(r"^ref\('(\w+)'\)$", r"\1", str(value))
