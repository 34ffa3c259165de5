"""One invoice as it is recorded, and what makes its values: each is text that says exactly what it means, or is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from cost_lakehouse.formats.decimals import exact_number
from cost_lakehouse.formats.raw_schema import MONEY_SCALE

WHOLE_DIGITS = 38 - MONEY_SCALE
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])(-01)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Invoice:
    """An invoice or credit memo. ``source`` is None until it is known whose bill it is; amounts are in ``currency_code``.

    ``total`` is with tax, ``before_tax`` without, as the invoice says. ``document`` is the issuer's own record of it, as JSON.
    """

    invoice_id: str
    billing_period: date
    currency_code: str
    total: Decimal
    source: str | None = None
    account_id: str | None = None
    before_tax: Decimal | None = None
    invoice_type: str | None = None
    bill_type: str | None = None
    entity: str | None = None
    issued_date: date | None = None
    due_date: date | None = None
    original_invoice_id: str | None = None
    document: str | None = None

    @property
    def digest(self) -> str:
        """Of what the invoice says, whoever recorded it from where: the same invoice has the same one."""
        said = {name: value for name, value in self.__dict__.items() if name not in ("source", "document")}
        for name in ("total", "before_tax"):
            said[name] = None if said[name] is None else format(said[name].normalize(), "f")
        return sha256(json.dumps(said, default=str, sort_keys=True).encode()).hexdigest()[:32]


def _text(value: str) -> str:
    return value


def _month(value: str) -> date:
    found = _MONTH.fullmatch(value)
    if found is None or found.group(1) == "0000":
        raise ValueError("is no month: write it as YYYY-MM")
    return date(int(found.group(1)), int(found.group(2)), 1)


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value[:10] if "T" in value else value)
    except ValueError:
        raise ValueError("is no date: write it as YYYY-MM-DD") from None


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise ValueError("is no currency: write its code, such as USD")
    return value


def amount(value: str) -> Decimal:
    """Money, exactly as it is written. Raises ValueError where it is no number, or has more digits than the lake keeps."""
    try:
        exact = exact_number(value)
    except OverflowError:
        exact = None
    if exact is None:
        raise ValueError("is no amount: write a plain number, such as -1234.56, without separators or currency")
    if exact and exact.adjusted() >= WHOLE_DIGITS:
        raise ValueError(f"has more than {WHOLE_DIGITS} digits before the point")
    exponent = exact.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MONEY_SCALE:
        raise ValueError(f"has more than {MONEY_SCALE} digits after the point")
    return exact


PARSED: Mapping[str, Callable[[str], Any]] = {
    "invoice_id": _text,
    "billing_period": _month,
    "currency_code": _currency,
    "total": amount,
    "source": _text,
    "account_id": _text,
    "before_tax": amount,
    "invoice_type": _text,
    "bill_type": _text,
    "entity": _text,
    "issued_date": _day,
    "due_date": _day,
    "original_invoice_id": _text,
}
"""The columns of a file of invoices, and what makes each one's value of its text; raises ValueError saying why not."""

REQUIRED = ("invoice_id", "billing_period", "currency_code", "total")
