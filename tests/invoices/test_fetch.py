"""Asking AWS for invoices, over HTTP: pages, what is asked, what is left out, and refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.errors import SourceError
from cost_lakehouse.invoices.fetch import fetch_invoices
from tests.builders import Workshop, line
from tests.demo import command
from tests.invoices.test_files import SUMMARY

OCTOBER = date(2026, 10, 1)


class InvoicingServer(ThreadingHTTPServer):
    """AWS Invoicing on this machine: answers the pages it was given, in turn; ``asked`` are the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: InvoicingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"target": self.headers["X-Amz-Target"], **body})
        code, answer = self.server.answers.pop(0)
        content = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        return None


@pytest.fixture
def invoicing(monkeypatch: pytest.MonkeyPatch, no_own_credentials: None) -> Iterator[InvoicingServer]:
    server = InvoicingServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL_INVOICING", f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def access(tmp_path: Path) -> AwsAccess:
    return AwsAccess(access_key=SecretStr("AKIAINVOICES"), secret_key=SecretStr("a-secret-of-the-payer"))


def test_every_page_is_read_and_payment_receipts_bill_nothing(invoicing: InvoicingServer, access: AwsAccess) -> None:
    summary = {**SUMMARY, "IssuedDate": 1793664000.5, "DueDate": 1796083200}
    memo = {**summary, "InvoiceId": "CM-1", "InvoiceType": "CREDIT_MEMO", "OriginalInvoiceId": "INV-1"}
    memo["BaseCurrencyAmount"] = {"TotalAmount": "-0.10", "CurrencyCode": "USD"}
    invoicing.answers = [
        (200, {"InvoiceSummaries": [summary, {**summary, "InvoiceType": "PAYMENT_RECEIPT"}], "NextToken": "more"}),
        (200, {"InvoiceSummaries": [memo]}),
    ]

    invoice, credit = fetch_invoices(access, "111111111111", OCTOBER)

    assert (invoice.invoice_id, invoice.total, invoice.before_tax) == ("INV-1", Decimal("1234.56"), Decimal(1000))
    assert (invoice.issued_date, invoice.due_date) == (date(2026, 11, 3), date(2026, 12, 1))
    assert (credit.total, credit.before_tax, credit.original_invoice_id) == (Decimal("-0.10"), None, "INV-1")
    asked = {
        "target": "Invoicing.ListInvoiceSummaries",
        "Selector": {"ResourceType": "ACCOUNT_ID", "Value": "111111111111"},
        "Filter": {"BillingPeriod": {"Month": 10, "Year": 2026}},
        "MaxResults": 100,
    }
    assert invoicing.asked == [asked, {**asked, "NextToken": "more"}]


def test_a_refusal_says_which_right_is_missing(invoicing: InvoicingServer, access: AwsAccess) -> None:
    invoicing.answers = [(400, {"__type": "AccessDeniedException", "message": "a-secret-of-the-payer is not authorized"})]
    with pytest.raises(SourceError, match="AWS Invoicing refuses: access is denied") as refused:
        fetch_invoices(access, "111111111111", OCTOBER)
    assert "invoicing:ListInvoiceSummaries" in refused.value.fix
    assert "a-secret" not in str(refused.value)


def test_the_command_asks_for_the_payers_and_months_that_the_lake_holds(
    invoicing: InvoicingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAINVOICES")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-payer")
    workshop = Workshop(tmp_path)
    config = ("--config", str(tmp_path / "lakehouse.yaml"))
    nothing = command("invoices", "fetch", *config)
    assert (nothing.exit_code, nothing.stdout) == (0, "acme: the lake holds no bill yet, so no invoice is asked for.\n")

    workshop.write([line()])
    workshop.load()
    invoicing.answers = [(200, {"InvoiceSummaries": [{**SUMMARY, "IssuedDate": 1793664000, "DueDate": 1796083200}]})]
    fetched = command("invoices", "fetch", *config)
    assert fetched.exit_code == 0, fetched.output
    assert "acme: Invoices recorded: 1 new, 0 changed, 0 known." in fetched.stdout
    assert [asked["Filter"]["BillingPeriod"] for asked in invoicing.asked] == [{"Month": 10, "Year": 2026}]
    (shown,) = json.loads(command("invoices", "--json", *config).stdout)
    assert (shown["invoice_id"], shown["invoiced"], shown["state"]) == ("INV-1", "1234.56", "not compared yet")

    invoicing.answers = [(400, {"__type": "AccessDeniedException", "message": "no"})]
    refused = command("invoices", "fetch", *config)
    assert refused.exit_code == 1
    assert "policy aws --invoices" in " ".join(refused.stderr.split())
