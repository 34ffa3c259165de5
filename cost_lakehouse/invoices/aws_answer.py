"""What AWS's ``invoicing:ListInvoiceSummaries`` says of an invoice, as the record that is kept; amounts are AWS's own text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from cost_lakehouse.errors import InvoicesRefused
from cost_lakehouse.invoices.invoice import Invoice, amount


def invoice_of(summary: Mapping[str, Any], where: str) -> Invoice | None:
    """One of ``InvoiceSummaries``, by API or as the AWS CLI prints it; None for a payment receipt, which bills nothing.

    The base currency is the bill's own. ``where`` names the summary in errors. Raises InvoicesRefused where a field is missing
    or is not what AWS documents.
    """
    if summary.get("InvoiceType") == "PAYMENT_RECEIPT":
        return None
    field = "InvoiceId"
    try:
        invoice_id = str(summary[field])
        field = "BillingPeriod"
        period = date(int(summary[field]["Year"]), int(summary[field]["Month"]), 1)
        field = "BaseCurrencyAmount"
        base = summary[field]
        field = "BaseCurrencyAmount.CurrencyCode"
        currency = str(base["CurrencyCode"])
        field = "BaseCurrencyAmount.TotalAmount"
        total = amount(_money_text(base["TotalAmount"]))
        field = "BaseCurrencyAmount.TotalAmountBeforeTax"
        text = base.get("TotalAmountBeforeTax")
        before_tax = None if text in (None, "") else amount(_money_text(text))
        field = "IssuedDate"
        issued = _day(summary.get(field))
        field = "DueDate"
        due = _day(summary.get(field))
    except KeyError:
        raise InvoicesRefused(
            f"{where}, column {field}: it is missing.", "It is no summary of an invoice as AWS gives it; nothing was recorded."
        ) from None
    except (TypeError, ValueError, OverflowError) as error:
        reason = (
            str(error)
            if isinstance(error, ValueError) and str(error).startswith(("is no", "has more"))
            else "is not as AWS says it"
        )
        raise InvoicesRefused(f"{where}, column {field}: it {reason}.", "Correct it; nothing was recorded.") from None
    return Invoice(
        invoice_id=invoice_id,
        billing_period=period,
        currency_code=currency,
        total=total,
        account_id=summary.get("AccountId"),
        before_tax=before_tax,
        invoice_type=summary.get("InvoiceType"),
        bill_type=summary.get("BillType"),
        entity=(summary.get("Entity") or {}).get("InvoicingEntity"),
        issued_date=issued,
        due_date=due,
        original_invoice_id=summary.get("OriginalInvoiceId"),
        document=json.dumps(summary, default=str, sort_keys=True, ensure_ascii=False),
    )


def _money_text(value: Any) -> str:
    """AWS's amounts are text; a number in its place (another tool's output) is as good where it is exact."""
    if isinstance(value, bool | float):
        raise TypeError
    return str(value)


def _day(value: Any) -> date | None:
    """A moment as boto3 or the AWS CLI gives it: the day in UTC."""
    if value in (None, ""):
        return None
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        moment = datetime.fromisoformat(value)
    elif isinstance(value, datetime):
        moment = value
    else:
        moment = datetime.fromtimestamp(float(value), UTC)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
