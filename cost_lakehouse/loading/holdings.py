"""What the lake holds, read once for many comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.loads import Loads, held_loads


@dataclass(frozen=True)
class Holdings:
    """The loads of every source into every raw table."""

    loads: Mapping[tuple[str, str], Loads]  # by source and raw table

    def of(self, source: str, table: str) -> Loads:
        """What one source's loads put into one raw table."""
        return self.loads.get((source, table), Loads())


def holdings(lake: Lake) -> Holdings:
    """Read what the lake holds.

    Raises LakeError where it cannot be read.
    """
    return Holdings(held_loads(lake, receipts(lake)))
