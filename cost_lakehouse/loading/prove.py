"""What has to hold before a load may be committed; whatever does not refuses it, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from cost_lakehouse.audit.stored_totals import StoredTotals, differences
from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.loading.read import LoadedFiles


def refuse_unproven(label: str, loaded: LoadedFiles, stored: Mapping[date, StoredTotals]) -> None:
    """Raise DeliveryRefused unless delivered = stored + rounding holds for every amount, and no row was lost or invented.

    ``label`` says whose it is, ``stored`` what the new files of each month hold.
    """
    refuse_rejected(label, loaded)
    counted = sum(loaded.records.values())
    rows = sum(part.totals.row_count for part in loaded.slices.values())
    found = [f"{counted} records were counted, {rows} were read"] if counted != rows else []
    for month, part in sorted(loaded.slices.items()):
        found += [f"{month:%Y-%m}: {difference}" for difference in differences(part.totals, stored[month])]
    refuse_differences(label, found)


def refuse_rejected(label: str, loaded: LoadedFiles) -> None:
    """Raise DeliveryRefused where a value cannot be stored exactly; ``label`` says whose it is."""
    if not loaded.rejected:
        return
    shown = "; ".join(str(item) for item in loaded.rejected[:3])
    more = f" (and {loaded.rejected_count - 3} more)" if loaded.rejected_count > 3 else ""
    count = f"{loaded.rejected_count:,} value{'' if loaded.rejected_count == 1 else 's'}"
    raise DeliveryRefused(
        f"{label}: {count} cannot be stored: {shown}{more}.",
        "The slice keeps its old rows. Ask the provider for a corrected delivery; it loads by itself when it arrives.",
        tuple(loaded.rejected),
        loaded.rejected_count,
    )


def refuse_unannounced(label: str, announced: Mapping[str, Decimal] | None, loaded: LoadedFiles, cost: str) -> None:
    """Raise DeliveryRefused where a delivery says what it costs, by currency, and its rows do not add up to that."""
    if announced is None:
        return
    found: dict[str, Decimal] = {}
    for part in loaded.slices.values():
        for currency, amount in part.totals.by_currency(cost).items():
            found[currency] = EXACT.add(found.get(currency, Decimal(0)), amount)
    apart = [
        f"{currency or 'no currency'}: announced are {announced.get(currency, Decimal(0)):f}, its rows come to "
        f"{found.get(currency, Decimal(0)):f}"
        for currency in sorted({*announced, *found})
        if announced.get(currency, Decimal(0)) != found.get(currency, Decimal(0))
    ]
    if apart:
        raise DeliveryRefused(
            f"{label}: it is not what its manifest announces: {'; '.join(apart)}.",
            "The slice keeps its old rows; deliver it again.",
        )


def refuse_differences(label: str, found: Sequence[str]) -> None:
    """Raise DeliveryRefused where something would be stored that was not delivered; ``found`` says what, a sentence each."""
    if found:
        raise DeliveryRefused(
            f"{label}: what would be stored is not what was delivered: {'; '.join(found[:5])}.",
            "Nothing was committed. This is a defect of the loader: please report it with this message.",
        )
