"""Asks Oracle which invoices it issued for usage: ``InvoiceService.ListInvoices`` of its billing gateway, by the official SDK.

Oracle gives amounts as floats, with the number of decimals that the currency is rounded to: each is taken as its shortest
decimal text, rounded to that. It does not say which month an invoice bills: usage is invoiced after its month, so it is the one
before.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import InvoicesRefused, SourceError
from cost_lakehouse.invoices.invoice import Invoice, amount
from cost_lakehouse.sources.oci.client import invoices_client
from cost_lakehouse.sources.oci.errors import OciErrors, is_failure

PLACE = "Oracle's invoices"
ROUNDED = "Oracle gives amounts as floats: each was rounded to its currency's decimals, and its tax is not told apart."
"""What is said of every invoice that is fetched."""
_USUAL_DECIMALS = 2
_MOST_DECIMALS = 6
_PAGE = 100
_MOST_PAGES = 10_000


def fetch_oracle_invoices(settings: OciSettings, tenancy: str, months: Collection[date]) -> list[Invoice]:
    """Every invoice for usage of a tenancy and these months (first days), by number.

    Raises SourceError where Oracle cannot be asked or refuses, InvoicesRefused where an answer is not as documented.
    """
    if not months:
        return []
    begin, end = _following(min(months)), _following(_following(max(months)))
    client = invoices_client(settings)
    try:
        records = list(_records(client, _region(client, settings), tenancy, begin, end))
    except Exception as error:
        if not is_failure(error):
            raise
        raise OciErrors(settings, tenancy).explain(error, f"{PLACE} of {tenancy}") from None
    found = [invoice_of(record, f"{PLACE}, {tenancy}, record {number}") for number, record in enumerate(records, 1)]
    return [invoice for invoice in found if invoice.billing_period in months]


def invoice_of(record: Mapping[str, Any], where: str) -> Invoice:
    """One of the records, by the API's own names. ``where`` names it in errors.

    Raises InvoicesRefused where a field is missing or is not what Oracle documents.
    """
    field = "invoiceNumber"
    try:
        invoice_id = str(record.get(field) or record["invoiceId"])
        field = "timeInvoice"
        issued = _day(record[field])
        field = "currency.currencyCode"
        currency = record["currency"]
        code = str(currency["currencyCode"])
        field = "currency.roundDecimalPoint"
        decimals = _decimals(currency.get("roundDecimalPoint"))
        field = "invoiceAmount"
        total = rounded(record[field], decimals)
        field = "timeInvoiceDue"
        due = _day(record[field]) if record.get(field) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvoicesRefused(
            f"{where}, field {field}: it is missing, or is not as Oracle says it.", "Nothing was recorded; report it to Oracle."
        ) from None
    return Invoice(
        invoice_id=invoice_id,
        billing_period=_before(issued),
        currency_code=code,
        total=total,
        invoice_type=record.get("invoiceType"),
        entity="Oracle",
        issued_date=issued,
        due_date=due,
        document=json.dumps(record, default=str, sort_keys=True, ensure_ascii=False),
    )


def rounded(number: Any, decimals: int) -> Decimal:
    """A float of Oracle's as money: its shortest text, half-even to so many decimals. Raises TypeError or ValueError."""
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        raise TypeError
    exact = Decimal(str(number))
    return amount(format(exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN), "f"))


def _decimals(said: Any) -> int:
    decimals = _USUAL_DECIMALS if said is None else int(said)
    if not 0 <= decimals <= _MOST_DECIMALS:
        raise ValueError
    return decimals


def _records(client: Any, region: str, tenancy: str, begin: date, end: date) -> Iterator[dict[str, Any]]:
    """The API's records as its JSON has them, page by page."""
    import oci

    options: dict[str, Any] = {
        "type": ["USAGE"],
        "time_invoice_start": _midnight(begin),
        "time_invoice_end": _midnight(end),
        "limit": _PAGE,
    }
    for _ in range(_MOST_PAGES):
        answer = client.list_invoices(region, tenancy, **options)
        yield from (_plain(oci.util.to_dict(item)) for item in answer.data.items)
        if not answer.has_next_page:
            return
        options["page"] = answer.next_page
    raise SourceError(f"{PLACE} of {tenancy} have {_MOST_PAGES:,} pages.", "Report it to Oracle; nothing was recorded.")


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """The SDK's names (``invoice_amount``) as the API writes them (``invoiceAmount``); what is empty is left out."""
    return {
        _camel(name): _plain(value) if isinstance(value, Mapping) else value
        for name, value in record.items()
        if value is not None
    }


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _region(client: Any, settings: OciSettings) -> str:
    """The tenancy's home region, which the API wants to be told: the configured one, or that of the identity."""
    known = settings.region or client.base_client.config.get("region") or getattr(client.base_client.signer, "region", None)
    if not known:
        raise SourceError(f"{PLACE}: no region is known.", "Set `oci.region` to the tenancy's home region.")
    return str(known)


def _day(value: Any) -> date:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _before(day: date) -> date:
    """The first of the month before."""
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
