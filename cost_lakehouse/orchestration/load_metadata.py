"""What a load shows in Dagster: numbers that plot over the months, tables of files and services, a small chart."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape

import dagster as dg

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.ingest import Outcome
from cost_lakehouse.lake.slice_totals import CurrencyTotal
from cost_lakehouse.orchestration.tags import utc_iso
from cost_lakehouse.settings import Settings
from cost_lakehouse.sources.delivery import StoredObject

FILES_SHOWN = 25
SERVICES_SHOWN = 10
_BAR_HEIGHT, _BAR_GAP, _NAME_WIDTH, _BAR_WIDTH, _AMOUNT_WIDTH = 16, 6, 200, 260, 130


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


def receipt_metadata(settings: Settings, receipt: Receipt, outcome: Outcome, seconds: float) -> dict[str, dg.MetadataValue]:
    """What every load of a month shows of its receipt."""
    return {
        "dagster/row_count": dg.MetadataValue.int(receipt.rows),
        "dagster/uri": dg.MetadataValue.text(f"{settings.warehouse}/{receipt.raw_table.replace('.', '/')}"),
        "outcome": dg.MetadataValue.text(outcome.value),
        "unchanged": dg.MetadataValue.bool(outcome is not Outcome.LOADED),
        "bytes": dg.MetadataValue.int(receipt.bytes),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
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


def files_table(objects: Sequence[StoredObject]) -> dg.MarkdownMetadataValue:
    """A delivery's files as a Markdown table, the first ones where there are many."""
    lines = ["| file | bytes | last modified |", "|---|---:|---|"]
    for each in objects[:FILES_SHOWN]:
        lines.append(f"| {_cell(each.name)} | {each.size} | {each.last_modified:%Y-%m-%d %H:%M} UTC |")
    left = len(objects) - FILES_SHOWN
    if left > 0:
        lines.append(f"| … and {left} more | | |")
    return dg.MetadataValue.md("\n".join(lines))


def services_table(services: Sequence[tuple[str, str, Decimal]]) -> dg.MarkdownMetadataValue:
    """The most expensive services as a Markdown table of (service, cost, currency)."""
    lines = ["| service | cost | currency |", "|---|---:|---|"]
    lines += [
        f"| {_cell(name or '(none)')} | {plain(cost)} | {currency} |" for name, currency, cost in services[:SERVICES_SHOWN]
    ]
    return dg.MetadataValue.md("\n".join(lines))


def services_chart(services: Sequence[tuple[str, str, Decimal]]) -> dg.MarkdownMetadataValue:
    """The most expensive services as bars: a picture inside the Markdown, so that it needs no server and no file."""
    picture = base64.b64encode(bar_chart(services[:SERVICES_SHOWN]).encode()).decode()
    return dg.MetadataValue.md(f"![cost by service](data:image/svg+xml;base64,{picture})")


def bar_chart(services: Sequence[tuple[str, str, Decimal]]) -> str:
    """An SVG with one horizontal bar a service; credits (below zero) are drawn by their size in another colour."""
    largest = max((abs(cost) for _, _, cost in services), default=Decimal(0)) or Decimal(1)
    step = _BAR_HEIGHT + _BAR_GAP
    width, height = _NAME_WIDTH + _BAR_WIDTH + _AMOUNT_WIDTH, step * max(len(services), 1)
    shapes = []
    for row, (name, currency, cost) in enumerate(services):
        top, length = row * step, int(abs(cost) / largest * _BAR_WIDTH)
        middle = top + _BAR_HEIGHT - 4
        colour = "#4f7fd9" if cost >= 0 else "#d98c4f"
        shapes.append(f'<text x="{_NAME_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(name[:28] or "(none)")}</text>')
        shapes.append(f'<rect x="{_NAME_WIDTH}" y="{top}" width="{max(length, 1)}" height="{_BAR_HEIGHT}" fill="{colour}"/>')
        shapes.append(f'<text x="{_NAME_WIDTH + max(length, 1) + 6}" y="{middle}">{cost:.2f} {escape(currency)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="#777777">{"".join(shapes)}</svg>'
    )


def _cell(text: str) -> str:
    """A text that cannot break its table."""
    return text.replace("|", "\\|").replace("\n", " ")
