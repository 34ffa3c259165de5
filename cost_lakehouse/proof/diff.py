"""Which two moments of a month a comparison is of, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.changes import CellChange, Loaded, cell_changes, summarised


@dataclass(frozen=True)
class Bounds:
    """Everything after the first (None: from the beginning) up to the second."""

    after: Loaded | None
    until: Loaded


@dataclass(frozen=True)
class Difference:
    """What changed between two deliveries of a month, biggest first."""

    slice_: Slice
    bounds: Bounds
    by: tuple[str, ...]
    cells: tuple[CellChange, ...]

    @property
    def totals(self) -> dict[str, Decimal]:
        """Currency ('' where there is none) -> the sum of all changes; currencies are never added."""
        found: dict[str, Decimal] = {}
        for cell in self.cells:
            currency = cell.currency_code or ""
            found[currency] = EXACT.add(found.get(currency, Decimal(0)), cell.change)
        return found


def moment_of(text: str) -> datetime:
    """A date or timestamp as UTC without zone; a date is its beginning. Raises ConfigurationError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no moment.", "Write a date or a UTC time, such as 2026-11-03 or 2026-11-03T12:00Z."
        ) from None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def bounds_of(
    loads: Sequence[Loaded], since: datetime | None = None, first: str | None = None, last: str | None = None
) -> Bounds:
    """The two moments that are meant; ``loads`` are the month's, oldest first, and at least one. Pure.

    Without anything the last delivery against the one before. Raises ConfigurationError or LakeError.
    """
    if since is not None and (first or last):
        raise ConfigurationError("--since and --from or --to cannot both be meant.", "Leave one of them out.")
    if since is not None:
        before = [load for load in loads if load.at <= since]
        return Bounds(before[-1] if before else None, loads[-1])
    until = _named(loads, last) if last else loads[-1]
    earlier = [load for load in loads if load < until]
    after = _named(loads, first) if first else (earlier[-1] if earlier else None)
    if after is not None and after > until:
        raise ConfigurationError(
            f"Delivery {after.delivery_id} was loaded after {until.delivery_id}.", "Exchange --from and --to."
        )
    return Bounds(after, until)


def difference(lake: Lake, slice_: Slice, bounds: Bounds, by: tuple[str, ...]) -> Difference:
    """What lies between the two moments. Raises LakeError."""
    cells = cell_changes(lake, slice_, bounds.after.at if bounds.after else None, bounds.until.at, by)
    return Difference(slice_, bounds, by, tuple(cells))


def loads_of(lake: Lake, slice_: Slice) -> list[Loaded]:
    """The month's deliveries that can be compared, oldest first. Raises LakeError where there is none."""
    loads = summarised(lake, slice_)
    if not loads:
        raise LakeError(f"{slice_} has no receipt of its published delivery.", "Run `cost-lakehouse run` to load it.")
    return loads


def _named(loads: Sequence[Loaded], delivery_id: str) -> Loaded:
    """The last load of a delivery. Raises LakeError where none is published."""
    found = [load for load in loads if load.delivery_id == delivery_id]
    if not found:
        known = ", ".join(load.delivery_id for load in loads[-10:])
        raise LakeError(
            f"The month's summaries know no delivery {delivery_id}.",
            f"Choose one of {known}; `cost-lakehouse history` shows all, those that are not summarised yet too.",
        )
    return found[-1]
