"""A receipt: what one load proves, or why it was refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from cost_lakehouse.audit.stored_totals import StoredTotals
from cost_lakehouse.errors import RejectedValue, shortened
from cost_lakehouse.formats.control_totals import ControlTotals
from cost_lakehouse.formats.decimals import EXACT

ACCEPTED, REFUSED = "accepted", "refused"
REJECTED_VALUES_KEPT = 20
_NUMERIC_DIGITS = Decimal(1).scaleb(-25)  # of raw.control_totals' delivered and rounding; their exact text stands beside
_MONEY_DIGITS = Decimal(1).scaleb(-20)


@dataclass(frozen=True)
class Receipt:
    """One row of ``raw.receipts``. Times are UTC and aware; ``digest`` covers everything the load proves."""

    source: str
    billing_period: date
    delivery_id: str
    load_id: str
    state: str  # accepted or refused
    reason: str
    files: int
    rows: int
    bytes: int
    rejected: int
    rejected_values: str  # JSON: the first rejected values with file, record, column and reason
    rounding_values: int  # how many values were rounded to 20 digits; the amounts are control totals
    loaded_at: datetime
    delivered_at: datetime
    fingerprint: str
    digest: str
    raw_table: str = "raw.aws_cur"  # the table that the load's rows are in
    corrections: str = ""  # JSON: what the load's corrections come to, added or in place of the rows they refer to
    # What the load took until it was on record (loading/effort.py), its months' shares together; None in older receipts.
    seconds: Decimal | None = None
    requests: int | None = None
    athena_bytes: int | None = None
    athena_cost_usd: Decimal | None = None

    @property
    def stored_at(self) -> datetime:
        """``loaded_at`` as the lake's tables have it: UTC without zone."""
        return self.loaded_at.astimezone(UTC).replace(tzinfo=None)


def control_total_rows(
    totals: ControlTotals, stored: StoredTotals, cost: str = "line_item_unblended_cost"
) -> list[dict[str, Any]]:
    """The proof as rows of ``raw.control_totals`` (without the slice's columns), sorted.

    In every row ``delivered = stored + rounding`` holds exactly. A group without any number has one row of zeros of ``cost``.
    """
    rows = []
    for (group, metric), total in totals.totals.items():
        kept = stored.sums.get((group, metric), (0, Decimal(0)))[1]
        rounding = total.rounding.quantize(_NUMERIC_DIGITS, ROUND_HALF_EVEN, EXACT)
        rows.append(
            {
                **group._asdict(),
                "metric": metric,
                "line_items": total.line_items,
                "delivered": _fitting(EXACT.add(kept, rounding), _NUMERIC_DIGITS),
                "stored": _fitting(kept, _MONEY_DIGITS),
                "rounding": rounding,
                "delivered_exact": plain(total.delivered),
                "rounding_exact": plain(total.rounding),
            }
        )
    with_numbers = {group for group, _ in totals.totals}
    for group in totals.rows.keys() - with_numbers:
        zero = {
            "delivered": Decimal(0),
            "stored": Decimal(0),
            "rounding": Decimal(0),
            "delivered_exact": "0",
            "rounding_exact": "0",
        }
        rows.append({**group._asdict(), "metric": cost, "line_items": 0, **zero})
    return sorted(
        rows,
        key=lambda row: [
            str(row[name]) for name in ("payer_account_id", "currency_code", "line_item_type", "invoice_id", "metric")
        ],
    )


def retracted_total_rows(gone: StoredTotals) -> list[dict[str, Any]]:
    """Rows that a load takes out of the lake, as rows of ``raw.control_totals`` below zero: what is left is the sum of all."""
    return [
        {
            **group._asdict(),
            "metric": metric,
            "line_items": -count,
            "delivered": _fitting(-amount, _NUMERIC_DIGITS),
            "stored": _fitting(-amount, _MONEY_DIGITS),
            "rounding": Decimal(0),
            "delivered_exact": plain(-amount),
            "rounding_exact": "0",
        }
        for (group, metric), (count, amount) in sorted(gone.sums.items())
    ]


def _fitting(number: Decimal, step: Decimal) -> Decimal | None:
    """A number with a ledger column's digits; None where it is too large for one (bytes times milliseconds): see its text."""
    digits = number.quantize(step, context=EXACT)
    return digits if digits.copy_abs() < Decimal(10) ** 38 * step else None


def plain(number: Decimal) -> str:
    """A decimal as plain text: no exponent, no superfluous zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def digest_of(slice_text: str, files: Sequence[tuple[str, str, int, int]], rows: int, totals: Sequence[dict[str, Any]]) -> str:
    """SHA-256 of what a load proves: the same delivery gives the same digest on every load."""
    proof = {"slice": slice_text, "files": sorted(files), "rows": rows, "control_totals": totals}
    return hashlib.sha256(json.dumps(proof, sort_keys=True, default=str).encode()).hexdigest()


def rejected_values_json(rejected: Sequence[RejectedValue]) -> str:
    """The first rejected values, for the receipt."""
    kept = [
        {**rejected_value.__dict__, "value": shortened(rejected_value.value)}
        for rejected_value in rejected[:REJECTED_VALUES_KEPT]
    ]
    return json.dumps(kept, ensure_ascii=False) if rejected else ""
