"""Files of invoices: what is recorded of each value, and how a row that is none is refused."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import InvoicesRefused
from cost_lakehouse.invoices.files import invoices_in
from cost_lakehouse.invoices.invoice import Invoice

HEADER = "invoice_id,billing_period,currency_code,total"
SUMMARY = {
    "AccountId": "111111111111",
    "InvoiceId": "INV-1",
    "IssuedDate": "2026-11-03T00:30:00+01:00",
    "DueDate": 1796083200.0,
    "Entity": {"InvoicingEntity": "Amazon Web Services, Inc.", "BillingEntity": "AWS"},
    "BillingPeriod": {"Month": 10, "Year": 2026},
    "BillType": "ANNIVERSARY",
    "InvoiceType": "INVOICE",
    "BaseCurrencyAmount": {"TotalAmount": "1234.56", "TotalAmountBeforeTax": "1000.00", "CurrencyCode": "USD"},
}


def write(folder: Path, text: str, name: str = "invoices.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def test_csv_and_json_say_the_same_invoice(tmp_path: Path) -> None:
    of_csv = write(
        tmp_path,
        "\ufeffinvoice_id,total,currency_code,billing_period,issued_date,before_tax,source\r\n"
        'INV-1,-0.10,USD,2026-10,2026-11-03,,acme\r\n\r\n"INV,2",1e3,JPY,2026-10-01,,999.999,\r\n',
    )
    first = Invoice("INV-1", date(2026, 10, 1), "USD", Decimal("-0.10"), source="acme", issued_date=date(2026, 11, 3))
    second = Invoice("INV,2", date(2026, 10, 1), "JPY", Decimal(1000), before_tax=Decimal("999.999"))
    assert invoices_in(of_csv) == [first, second]

    # A number in JSON is its digits, not a double: 0.1 + 17 zeros + 1 stays.
    of_json = '[{"invoice_id": "INV-1", "billing_period": "2026-10", "currency_code": "USD", "total": 0.1000000000000000001}]'
    assert invoices_in(write(tmp_path, of_json, "invoices.json"))[0].total == Decimal("0.1000000000000000001")


def test_what_the_aws_cli_prints_is_taken_as_it_is(tmp_path: Path) -> None:
    receipt = {"InvoiceType": "PAYMENT_RECEIPT"}
    (invoice,) = invoices_in(write(tmp_path, json.dumps({"InvoiceSummaries": [SUMMARY, receipt]}), "aws.json"))
    assert invoice.document is not None
    assert json.loads(invoice.document) == {**SUMMARY, "DueDate": "1796083200.0"}
    # 2026-11-03 00:30 in Paris is still the 2nd in UTC.
    assert invoice.__dict__ | {"document": None} == {
        "invoice_id": "INV-1",
        "billing_period": date(2026, 10, 1),
        "currency_code": "USD",
        "total": Decimal("1234.56"),
        "source": None,
        "account_id": "111111111111",
        "before_tax": Decimal("1000.00"),
        "invoice_type": "INVOICE",
        "bill_type": "ANNIVERSARY",
        "entity": "Amazon Web Services, Inc.",
        "issued_date": date(2026, 11, 2),
        "due_date": date(2026, 12, 1),
        "original_invoice_id": None,
        "document": None,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "line 1: the column invoice_id is missing", id="nothing"),
        pytest.param(f"{HEADER}\n", "holds no invoice", id="header-alone"),
        pytest.param(f"{HEADER},price\n", "line 1: there is no column 'price'", id="unknown-column"),
        pytest.param(f"{HEADER},total\n", "line 1: the column total is there twice", id="column-twice"),
        pytest.param(f"{HEADER}\nI,2026-10,USD,1\nJ,2026-10,USD\n", "line 3: 3 values stand below 4 columns", id="short-row"),
        pytest.param(f"{HEADER}\n,2026-10,USD,1\n", "line 2, column invoice_id: it is empty", id="no-id"),
        pytest.param(f"{HEADER}\nI,2026-13,USD,1\n", "column billing_period: '2026-13' is no month", id="no-month"),
        pytest.param(f"{HEADER}\nI,2026-10,$,1\n", "column currency_code: '.' is no currency", id="no-currency"),
        pytest.param(f'{HEADER}\nI,2026-10,USD,"1,234.5"\n', "column total: '1,234.5' is no amount", id="separators"),
        pytest.param(f"{HEADER}\nI,2026-10,USD,NaN\n", "column total: 'NaN' is no amount", id="nan"),
        pytest.param(f"{HEADER}\nI,2026-10,USD,0.{'0' * 20}1\n", "more than 20 digits after the point", id="too-fine"),
        pytest.param(f"{HEADER}\nI,2026-10,USD,1e19\n", "more than 18 digits before the point", id="too-large"),
        pytest.param(f'{HEADER}\n"I\nJ",2026-10,USD,1\nK,2026-10,USD,x\n', "line 4, column total", id="line-in-quotes"),
        pytest.param(f"{HEADER}\nI,2026-10,USD,1\nI,2026-10,USD,2\n", "line 3, column invoice_id: I was there", id="two-words"),
        pytest.param(f'{HEADER}\n"I"x,2026-10,USD,1\n', "line 2: it is no CSV", id="no-csv"),
    ],
)
def test_a_row_that_is_no_invoice_is_refused_by_file_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvoicesRefused, match=said) as refused:
        invoices_in(write(tmp_path, text))
    assert "invoices.csv" in refused.value.problem
    assert "othing was recorded" in refused.value.fix


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param("{", "line 1, column 2: it is no JSON", id="no-json"),
        pytest.param('{"a": 1}', "no array of objects", id="object"),
        pytest.param("[[]]", "no array of objects", id="lists"),
        pytest.param('[{"invoice_id": "I"}]', "record 1: the column billing_period is missing", id="missing"),
        pytest.param(
            '[{"invoice_id": "I", "billing_period": "2026-10", "currency_code": "USD", "total": {}}]',
            "record 1, column total: it is no text or number",
            id="nested",
        ),
        pytest.param(
            json.dumps({"InvoiceSummaries": [{**SUMMARY, "BaseCurrencyAmount": {"CurrencyCode": "USD"}}]}),
            "record 1, column BaseCurrencyAmount.TotalAmount: it is missing",
            id="aws-without-total",
        ),
        pytest.param(
            json.dumps({"InvoiceSummaries": [{**SUMMARY, "IssuedDate": "soon"}]}),
            "record 1, column IssuedDate: it is not as AWS says it",
            id="aws-date",
        ),
    ],
)
def test_json_that_says_no_invoices_is_refused(tmp_path: Path, document: str, said: str) -> None:
    with pytest.raises(InvoicesRefused, match=said):
        invoices_in(write(tmp_path, document, "invoices.json"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("missing.csv", None, "cannot be read", id="missing"),
        pytest.param("invoices.pdf", b"%PDF", "neither .csv nor .json", id="pdf"),
        pytest.param("invoices.csv", b"\xff\xfe", "no text in UTF-8", id="utf-16"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes | None, said: Any) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvoicesRefused, match=said):
        invoices_in(tmp_path / name)
