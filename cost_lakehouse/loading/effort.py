"""What a load took: seconds, requests to its source, and what Athena scanned for it and charges; for its receipts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.sources.base import Source
from cost_lakehouse.storage.request_count import requests_sent

_SCANNED, _PRICE = "athena_bytes_scanned", "athena_estimated_price_usd"  # as AthenaSource.spent calls them


@dataclass(frozen=True)
class Effort:
    """What work took, in the units of ``raw.receipts``: whole milliseconds, and US dollars with 20 digits."""

    milliseconds: int = 0
    requests: int = 0
    athena_bytes: int = 0
    athena_cost_usd: Decimal = Decimal(0)

    @property
    def columns(self) -> dict[str, Any]:
        """The receipt's columns."""
        return {
            "seconds": Decimal(self.milliseconds).scaleb(-3),
            "requests": self.requests,
            "athena_bytes": self.athena_bytes,
            "athena_cost_usd": self.athena_cost_usd,
        }

    def shares(self, weights: Sequence[int]) -> list[Effort]:
        """It divided in proportion, so that the shares add up to it exactly; equally where there is no weight."""
        money = divided(int(self.athena_cost_usd.scaleb(20, EXACT)), weights)
        return [
            Effort(milliseconds, requests, scanned, Decimal(units).scaleb(-20, EXACT))
            for milliseconds, requests, scanned, units in zip(
                divided(self.milliseconds, weights),
                divided(self.requests, weights),
                divided(self.athena_bytes, weights),
                money,
                strict=True,
            )
        ]


class Meter:
    """Measures one load, from where it is made."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._started = time.monotonic()
        self._requests = requests_sent()
        self._spent = source.spent()

    def read(self) -> Effort:
        """What it took so far."""
        spent = self._source.spent()
        return Effort(
            int((time.monotonic() - self._started) * 1000),
            requests_sent() - self._requests,
            int(_more(_SCANNED, self._spent, spent)),
            Decimal(_more(_PRICE, self._spent, spent)),
        )


def divided(whole: int, weights: Sequence[int]) -> list[int]:
    """A whole number in proportion to weights: each share is its exact one rounded up or down, and they add up to the whole."""
    if not sum(weights):
        weights = [1] * len(weights)
    total, shares, given, seen = sum(weights), [], 0, 0
    for weight in weights:
        seen += weight
        shares.append(whole * seen // total - given)
        given += shares[-1]
    return shares


def _more(name: str, before: Mapping[str, int | Decimal], after: Mapping[str, int | Decimal]) -> int | Decimal:
    return after.get(name, 0) - before.get(name, 0)
