"""What DuckDB and Trino write differently: names of tables, and a key's value in a JSON object."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cost_lakehouse.lake.table_by_month import Version, relation_at


class DuckdbDialect:
    """Tables are views of the connection, which show the wanted snapshots already."""

    keeps_tables = True

    def __init__(self, shown: Collection[str] | None = None) -> None:
        """``shown`` are the tables that have a view (``marts.name``); None: all."""
        self._shown = shown

    def has(self, mart: str) -> bool:
        """Whether there is a view of it."""
        return self._shown is None or f"marts.{mart}" in self._shown

    def table(self, mart: str) -> str:
        """The view."""
        return f'marts."{mart}"'

    def value_of_key(self, column: str, key: str) -> tuple[str, str]:
        """By a JSON pointer (RFC 6901), which can name any key."""
        pointer = key.replace("~", "~0").replace("/", "~1")
        return f"json_extract_string({column}, ?)", f"/{pointer}"


class TrinoDialect:
    """Tables of a catalog, each at a version."""

    keeps_tables = False

    def __init__(self, catalog: str, versions: Mapping[str, Version]) -> None:
        """``versions`` maps ``marts.name`` to what is shown of it."""
        self._catalog = catalog
        self._versions = versions

    def has(self, mart: str) -> bool:
        """Whether a version of it is shown."""
        return f"marts.{mart}" in self._versions

    def table(self, mart: str) -> str:
        """The table at its version."""
        return relation_at(f'"{self._catalog}".marts."{mart}"', self._versions[f"marts.{mart}"])

    def value_of_key(self, column: str, key: str) -> tuple[str, str]:
        """Out of a map, as paths cannot name any key."""
        return f"element_at(cast(json_parse({column}) as map(varchar, varchar)), ?)", key
