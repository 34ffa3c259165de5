"""The cost rules once more, in other words: what a mart says against raw rows that are valued by a second set of rules.

It costs as much as a build, so tests run it on the bills that they have built, and a build does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from tests.dbt.building import PROJECT

_FOLDER = Path(__file__).parent
_MACROS = (
    "cross_db/divided.sql",
    "in_proportion.sql",
    "aws_columns.sql",
    "oci_columns.sql",
)


class _Adapter:
    """dbt's ``adapter``, as far as the macros need it: DuckDB's own macro is taken."""

    def __init__(self, macros: dict[str, Any]) -> None:
        self.macros = macros

    def dispatch(self, name: str, _: str) -> Any:
        return self.macros[f"duckdb__{name}"]


def differences(built: duckdb.DuckDBPyConnection, provider: str, voiding_sources: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """Source, month, day, currency, metric, expected and actual amount of what is not equal: nothing where all is well.

    ``built`` is a build's own database, with the views ``raw.*`` of its lake.
    """
    relation = built.execute(_rendered(f"{provider}_costs_by_a_second_set_of_rules.sql", voiding_sources))
    names = [column[0] for column in relation.description or ()]
    shown = ("source", "billing_period", "usage_date", "currency_code", "metric", "expected_amount", "actual_amount")
    return [tuple(row[names.index(name)] for name in shown) for row in relation.fetchall()]


def _rendered(name: str, voiding_sources: Sequence[str]) -> str:
    """The statement with the project's own macros for what no engine computes exactly by itself."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701  # it is SQL
    macros: dict[str, Any] = {}
    values = {"voiding_sources": list(voiding_sources)}
    environment.globals.update(
        {
            "return": lambda value: value,
            "adapter": _Adapter(macros),
            "var": lambda name, default=None: values.get(name, default),
            "ref": lambda name: f"marts.{name}",
            "source": lambda schema, table: f"{schema}.{table}",
            "slice_filter": lambda *_: "true",
        }
    )
    for file in _MACROS:
        module = environment.from_string((PROJECT / "macros" / file).read_text(encoding="utf-8")).module
        macros |= {name: value for name, value in vars(module).items() if not name.startswith("_")}
        environment.globals.update(macros)
    return environment.from_string((_FOLDER / name).read_text(encoding="utf-8")).render()
