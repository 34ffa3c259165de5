"""What a load did and proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.sources.delivery import Status


@dataclass(frozen=True)
class LoadResult:
    """``status`` is LOADED, UNCHANGED or OLDER; ``receipts`` has one for each month that is touched, oldest month first.

    ``rows`` and ``totals`` are of the delivered objects alone: receipts count what was taken out for them as well. Where
    nothing was loaded, the receipt is that of the slice as it is. ``previous`` is the receipt of what a whole month replaced.
    """

    status: Status
    receipts: tuple[Receipt, ...] = ()
    seconds: float = 0.0
    rows: Mapping[date, int] = field(default_factory=dict)
    totals: Mapping[date, Mapping[str, Decimal]] = field(default_factory=dict)  # month -> currency -> cost
    top_services: Mapping[date, Sequence[tuple[str, str, Decimal]]] = field(default_factory=dict)
    findings: tuple[str, ...] = ()  # a sentence for each object that was taken without its rows
    previous: Receipt | None = None

    @property
    def receipt(self) -> Receipt:
        """The receipt of a load of one month."""
        (only,) = self.receipts
        return only
