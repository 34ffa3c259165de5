"""What a load tells while its source is read, and what it reports of what reading cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import dagster as dg

from cost_lakehouse.sources.base import Progress, Source

_LAST_ONLY = ("athena_windows", "athena_windows_kept")  # of the read that was loaded; the others add up


class Reads:
    """Follows the reads of one load: several where the source changed meanwhile."""

    def __init__(self, tell: Callable[[str], None], progress: Progress) -> None:
        self._tell = tell
        self._progress = progress
        self._sources: list[Source] = []

    def follow(self, source: Source) -> Progress:
        """The progress to load from the source with."""
        self._sources.append(source)
        return source.follow(self._progress, self._tell)

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        """What all reads together cost (Athena: bytes scanned, estimated price, queries, windows); empty where nothing did."""
        total: dict[str, int | Decimal] = {}
        for source in self._sources:
            for name, amount in source.spent().items():
                total[name] = amount if name in _LAST_ONLY else total.get(name, 0) + amount
        if not total:
            return {}
        shown: dict[str, dg.MetadataValue] = {
            name: dg.MetadataValue.float(float(amount)) if isinstance(amount, Decimal) else dg.MetadataValue.int(amount)
            for name, amount in total.items()
        }
        return {**shown, "athena_reads": dg.MetadataValue.int(len(self._sources))}
