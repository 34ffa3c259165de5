"""What a load shows in Dagster: numbers that plot over the months, tables of files and services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import dagster as dg

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import Settings
from cost_lakehouse.lake.slice_totals import CurrencyTotal
from cost_lakehouse.orchestration.constants import utc_iso
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.storage.object_store import StoredObject

FILES_SHOWN = 25
SERVICES_SHOWN = 10
_COLUMN_TYPES: Mapping[type, str] = {str: "string", int: "int"}
# Why a load left everything as it was.
_REASONS = {
    Status.UNCHANGED: (
        "The lake holds exactly this delivery, so nothing was loaded. "
        "To load it all the same, materialize with `force: true` in the launchpad."
    ),
    Status.OLDER: "The lake holds a newer delivery of this month, which stays.",
}


def plain(amount: Decimal) -> str:
    """A decimal as plain text: no exponent, no trailing zeros, at least two fractional digits."""
    text = format(amount, "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def amounts(totals: Mapping[str, Decimal]) -> str:
    """Totals by currency for people, such as ``1204.50 USD, 3.10 EUR``."""
    return ", ".join(f"{plain(amount)} {currency}" for currency, amount in sorted(totals.items())) or "nothing"


def cost_metadata(totals: Mapping[str, Decimal]) -> dict[str, dg.MetadataValue]:
    """The exact totals as text, and each currency's as a number that Dagster plots over the months.

    The plotted number is for the eye only; nothing is ever computed from it.
    """
    plotted: dict[str, dg.MetadataValue] = {
        f"cost_{currency}": dg.MetadataValue.float(float(amount)) for currency, amount in totals.items()
    }
    return {"cost": dg.MetadataValue.text(amounts(totals)), **plotted}


def receipt_metadata(settings: Settings, receipt: Receipt, outcome: Status, seconds: float) -> dict[str, dg.MetadataValue]:
    """What every load of a month shows of its receipt."""
    return {
        "dagster/row_count": dg.MetadataValue.int(receipt.rows),
        "dagster/uri": dg.MetadataValue.text(f"{settings.warehouse}/{receipt.raw_table.replace('.', '/')}"),
        "outcome": dg.MetadataValue.text(outcome.value),
        "unchanged": dg.MetadataValue.bool(outcome is not Status.LOADED),
        **({"reason": dg.MetadataValue.text(_REASONS[outcome])} if outcome in _REASONS else {}),
        "bytes": dg.MetadataValue.int(receipt.bytes),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        **({"requests": dg.MetadataValue.int(receipt.requests)} if receipt.requests is not None else {}),
        "rounded_values": dg.MetadataValue.int(receipt.rounding_values),
        "delivery_id": dg.MetadataValue.text(receipt.delivery_id),
        "delivered_at": dg.MetadataValue.text(utc_iso(receipt.delivered_at)),
        "loaded_at": dg.MetadataValue.text(utc_iso(receipt.loaded_at)),
        "receipt": dg.MetadataValue.text(receipt.load_id),
        "receipt_digest": dg.MetadataValue.text(receipt.digest),
        "file_count": dg.MetadataValue.int(receipt.files),
    }


def proof_metadata(proven: Mapping[str, CurrencyTotal]) -> tuple[dict[str, dg.MetadataValue], bool]:
    """The proof for the eye, a currency each: expected (delivered less rounding) and actual (stored); and whether it holds."""
    metadata: dict[str, dg.MetadataValue] = {}
    for currency, total in sorted(proven.items()):
        name = currency or "no currency"
        metadata[f"expected {name}"] = dg.MetadataValue.text(plain(total.delivered - total.rounding))
        metadata[f"actual {name}"] = dg.MetadataValue.text(plain(total.stored))
        metadata[f"rounding {name}"] = dg.MetadataValue.text(plain(total.rounding))
    return metadata, all(total.delivered == total.stored + total.rounding for total in proven.values())


def metadata_table(columns: Mapping[str, type], rows: Sequence[Mapping[str, str | int]]) -> dg.TableMetadataValue:
    """Rows as a table of the UI; ``columns`` says their order and type (str or int). Amounts are text: they stay exact."""
    return dg.MetadataValue.table(
        [dg.TableRecord({name: row[name] for name in columns}) for row in rows],
        dg.TableSchema([dg.TableColumn(name, _COLUMN_TYPES[kind]) for name, kind in columns.items()]),
    )


def files_table(objects: Sequence[StoredObject]) -> dg.TableMetadataValue:
    """A delivery's files, the first ones where there are many."""
    rows: list[dict[str, str | int]] = [
        {"file": stored.name, "bytes": stored.size, "last modified": f"{stored.last_modified:%Y-%m-%d %H:%M} UTC"}
        for stored in objects[:FILES_SHOWN]
    ]
    left = objects[FILES_SHOWN:]
    if left:
        rows.append({"file": f"… and {len(left)} more", "bytes": sum(stored.size for stored in left), "last modified": ""})
    return metadata_table({"file": str, "bytes": int, "last modified": str}, rows)


def services_table(services: Sequence[tuple[str, str, Decimal]]) -> dg.TableMetadataValue:
    """The most expensive services, of (service, currency, cost)."""
    return metadata_table(
        {"service": str, "cost": str, "currency": str},
        [
            {"service": name or "(none)", "cost": plain(cost), "currency": currency}
            for name, currency, cost in services[:SERVICES_SHOWN]
        ],
    )
