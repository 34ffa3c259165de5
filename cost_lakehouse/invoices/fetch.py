"""Asks AWS which invoices it issued for a month: ``invoicing:ListInvoiceSummaries``, with a source's own credentials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from botocore.config import Config

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.errors import SourceError
from cost_lakehouse.invoices.aws_answer import invoice_of
from cost_lakehouse.invoices.invoice import Invoice
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_causes import S3_FAILURES, S3Cause
from cost_lakehouse.storage.s3_errors import S3Errors

PLACE = "AWS Invoicing"
REGION = "us-east-1"  # the service has one endpoint a partition
PAGE = 100
_MOST_PAGES = 10_000
_ATTEMPTS = 5
_WORDS = {
    S3Cause.DENIED: (
        "{place} refuses: access is denied.",
        "Allow invoicing:ListInvoiceSummaries: `cost-lakehouse policy aws --invoices` prints the statement. Or import a file.",
    ),
    S3Cause.BAD_KEY: (
        "AWS does not know the access key that was sent to {place}.",
        "Correct `access_key` and `secret_key`, or `profile`, or the environment's AWS credentials.",
    ),
    S3Cause.BUSY: ("{place} is overloaded or failing.", "Nothing was recorded: run it again."),
    S3Cause.INVALID: ("{place} cannot be asked: the region is not valid.", "Correct `region`."),
}


def fetch_invoices(access: AwsAccess, account: str, month: date) -> list[Invoice]:
    """Every invoice and credit memo of a payer ``account`` and billing month; payment receipts are left out.

    Raises SourceError where AWS cannot be asked or refuses, InvoicesRefused where an answer is not as documented.
    """
    errors = S3Errors.of(access, "", "", _WORDS)
    try:
        summaries = list(_summaries(_client(access), account, month))
    except S3_FAILURES as error:
        raise errors.explain(error, PLACE) from None
    found = [
        invoice_of(item, f"{PLACE}, {account} {month:%Y-%m}, summary {number}") for number, item in enumerate(summaries, 1)
    ]
    return [invoice for invoice in found if invoice is not None]


def _client(access: AwsAccess) -> Any:
    """AWS_ENDPOINT_URL_INVOICING names another endpoint, as for every client of boto3."""
    session, region = session_of(access)
    config = Config(retries={"mode": "standard", "max_attempts": _ATTEMPTS})
    region = region if region.startswith(("cn-", "us-gov-")) else REGION
    return session.client("invoicing", region_name=region, config=config)


def _summaries(client: Any, account: str, month: date) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "Selector": {"ResourceType": "ACCOUNT_ID", "Value": account},
        "Filter": {"BillingPeriod": {"Month": month.month, "Year": month.year}},
        "MaxResults": PAGE,
    }
    for _ in range(_MOST_PAGES):
        answer = client.list_invoice_summaries(**request)
        yield from answer["InvoiceSummaries"]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]
    raise SourceError(
        f"{PLACE} gave {_MOST_PAGES:,} pages for {account} {month:%Y-%m}.", "Report it to AWS; nothing was recorded."
    )
