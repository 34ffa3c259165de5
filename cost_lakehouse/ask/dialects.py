"""What DuckDB and Trino write differently: names of tables, and a key's value in a JSON object."""

from __future__ import annotations

from collections.abc import Mapping


class DuckdbDialect:
    """Tables are views of the connection, which show the wanted snapshots already."""

    def table(self, mart: str) -> str:
        """The view."""
        return f'marts."{mart}"'

    def value_of_key(self, column: str, key: str) -> tuple[str, str]:
        """By a JSON pointer (RFC 6901), which can name any key."""
        pointer = key.replace("~", "~0").replace("/", "~1")
        return f"json_extract_string({column}, ?)", f"/{pointer}"


class TrinoDialect:
    """Tables of a catalog, each at a snapshot."""

    def __init__(self, catalog: str, snapshots: Mapping[str, int | None]) -> None:
        """``snapshots`` maps ``marts.name`` to a snapshot; None where the table has none, and no rows."""
        self._catalog = catalog
        self._snapshots = snapshots

    def table(self, mart: str) -> str:
        """The table at its snapshot."""
        relation = f'"{self._catalog}".marts."{mart}"'
        snapshot = self._snapshots[f"marts.{mart}"]
        return f"(select * from {relation} where false)" if snapshot is None else f"{relation} for version as of {snapshot}"

    def value_of_key(self, column: str, key: str) -> tuple[str, str]:
        """Out of a map, as paths cannot name any key."""
        return f"element_at(cast(json_parse({column}) as map(varchar, varchar)), ?)", key
