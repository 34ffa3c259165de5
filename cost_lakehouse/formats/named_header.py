"""Headers of OCI's reports and of FOCUS: names from the table of columns, in any spelling, and families of custom names."""

from __future__ import annotations

from collections.abc import Sequence

from cost_lakehouse.formats.header import OTHER, Place, Target, letters
from cost_lakehouse.formats.raw_schema import Column


def named_place(columns: Sequence[Column], families: Sequence[tuple[str, str, bool]] = ()) -> Place:
    """Columns are known by their delivered names, whatever the case or punctuation.

    ``families`` are (prefix, map, whether the prefix stays in the key): of ``tags/<key>`` the key, as it was delivered.
    """
    exact: dict[str, tuple[Column, int]] = {}
    loose: dict[str, tuple[Column, int]] = {}
    for column in columns:
        names = column.delivered or (column.name,)
        for rank, name in enumerate(names):
            exact[name] = (column, rank)
            loose.setdefault(letters(name), (column, rank + len(names)))

    def place(delivered: str) -> tuple[Target, int]:
        for prefix, into, stays in families:
            if delivered.lower().startswith(prefix) and len(delivered) > len(prefix):
                return Target(delivered, into, "map", delivered if stays else delivered[len(prefix) :]), 0
        found = exact.get(delivered) or loose.get(letters(delivered))
        if found is None:
            return Target(delivered, OTHER, "map", delivered), 0
        column, rank = found
        return Target(delivered, column.name, column.kind), rank

    return place
