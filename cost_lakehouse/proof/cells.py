"""A cell of a mart by the values of its columns, without SQL: for whoever is not to write any. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.proof.explain import Cell

_NULL = ""


def cell_where(mart: str, columns: Mapping[str, str], equal: Mapping[str, str], column: str) -> Cell:
    """The cell whose rows have these values; ``columns`` are the mart's, with their Iceberg types. An empty text is no value.

    Raises ConfigurationError where a column is not there, cannot be compared, or the value is none of its type.
    """
    if unknown := [name for name in (column, *equal) if name not in columns]:
        raise ConfigurationError(
            f"marts.{mart} has no column {shortened(unknown[0])!r}.", f"Its columns are {', '.join(columns)}."
        )
    return Cell(mart, " and ".join(_condition(name, columns[name], value) for name, value in equal.items()), column)


def _condition(name: str, kind: str, value: str) -> str:
    if kind == "string":
        quoted = "'" + value.replace("'", "''") + "'"
        return f"coalesce({name}, '') = {quoted}"
    if value == _NULL:
        return f"{name} is null"
    if kind == "date":
        try:
            return f"{name} = date '{date.fromisoformat(value)}'"
        except ValueError:
            raise ConfigurationError(f"{name} {shortened(value)!r} is no day.", "Write it as 2026-10-31.") from None
    if kind == "boolean" and value in ("true", "false"):
        return f"{name} = {value}"
    raise ConfigurationError(f"{name} {shortened(value)!r} cannot be asked for.", "Give days, texts, true or false.")
