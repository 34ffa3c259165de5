"""Asking Oracle for invoices, over HTTP and signed: pages, what is asked, floats that are rounded, and refusals."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import InvoicesRefused, SourceError
from cost_lakehouse.invoices.oracle import fetch_oracle_invoices, invoice_of, rounded
from cost_lakehouse.lake.catalog import Lake
from tests.demo import command
from tests.focus_builders import as_csv
from tests.oci_builders import cost_line, load_reports
from tests.services.oci import OciServer

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def record(number: str, amount: float, issued: str = "2026-11-03T00:00:00Z", **others: Any) -> dict[str, Any]:
    """An invoice as the billing gateway has it."""
    return {
        "invoiceId": f"id-{number}",
        "invoiceNumber": number,
        "invoiceType": "USAGE",
        "invoiceStatus": "OPEN",
        "invoiceAmount": amount,
        "invoiceAmountDue": amount,
        "timeInvoice": issued,
        "timeInvoiceDue": "2026-12-03T00:00:00Z",
        "currency": {"currencyCode": "USD", "currencySymbol": "$", "roundDecimalPoint": 2.0},
        **others,
    }


@pytest.fixture
def access(oci_server: OciServer, tmp_path: Path) -> OciSettings:
    key = oci_server.add_user(tmp_path / "oci")
    return OciSettings(config_file=str(key.config_file), invoices_endpoint=oci_server.endpoint)


def test_invoices_for_usage_of_a_month_are_read_from_every_page_and_rounded(oci_server: OciServer, access: OciSettings) -> None:
    oci_server.invoices_a_page = 1
    yen = {"currencyCode": "JPY", "roundDecimalPoint": 0.0}
    oci_server.invoices[:] = [
        record("OC-1", 1234.5600000000002),
        record("OC-2", 1500.0, currency=yen),
        record("OC-3", -0.1, issued="2026-11-30T23:59:59Z"),
        record("EARLIER", 5.0, issued="2026-10-31T23:59:59Z"),
        record("LATER", 6.0, issued="2026-12-01T00:00:00Z"),
        record("PLAN", 9999.0, invoiceType="SUBSCRIPTION"),
    ]

    found = fetch_oracle_invoices(access, oci_server.tenancy, {OCTOBER})

    assert [(one.invoice_id, one.billing_period, one.currency_code, str(one.total)) for one in found] == [
        ("OC-1", OCTOBER, "USD", "1234.56"),
        ("OC-2", OCTOBER, "JPY", "1500"),
        ("OC-3", OCTOBER, "USD", "-0.10"),
    ]
    assert (found[0].issued_date, found[0].due_date, found[0].before_tax) == (date(2026, 11, 3), date(2026, 12, 3), None)
    assert json.loads(found[0].document or "")["invoiceAmount"] == 1234.5600000000002
    asked = [seen.query for seen in oci_server.requests("GET", "/invoices")]
    assert [query.get("page") for query in asked] == [None, "1", "2"]
    assert {(query["ospHomeRegion"], query["compartmentId"], query["type"]) for query in asked} == {
        (oci_server.region, oci_server.tenancy, "USAGE")
    }


def test_a_refusal_says_what_to_do_and_no_key(oci_server: OciServer, access: OciSettings, tmp_path: Path) -> None:
    key = oci_server.add_user(tmp_path / "other")
    key.principal.rights.discard("invoices")
    refused = access.model_copy(update={"config_file": str(key.config_file)})
    with pytest.raises(SourceError) as told:
        fetch_oracle_invoices(refused, oci_server.tenancy, {OCTOBER})
    assert told.value.fix
    assert "PRIVATE KEY" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"invoiceAmount": None}, "invoiceAmount"),
        ({"invoiceAmount": float("nan")}, "invoiceAmount"),
        ({"timeInvoice": "soon"}, "timeInvoice"),
        ({"currency": {}}, "currency.currencyCode"),
        ({"currency": {"currencyCode": "USD", "roundDecimalPoint": 99.0}}, "currency.roundDecimalPoint"),
    ],
    ids=["no-amount", "no-number", "no-day", "no-currency", "no-decimals"],
)
def test_an_answer_that_is_no_invoice_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvoicesRefused, match=f"record 1, field {field}: it is missing"):
        invoice_of(record("OC-1", 1.0) | change, "record 1")


@pytest.mark.parametrize(
    ("number", "money"), [(0.1 + 0.2, "0.30"), (2.675, "2.68"), (2.665, "2.66"), (-0.125, "-0.12"), (7, "7.00")]
)
def test_a_float_is_its_shortest_text_rounded_half_even(number: float, money: str) -> None:
    assert str(rounded(number, 2)) == money


def test_the_command_records_them_and_says_that_they_were_rounded(oci_server: OciServer, tmp_path: Path) -> None:
    oci_server.invoices[:] = [record("OC-1", 0.05)]
    key = oci_server.add_user(tmp_path / "oci")
    oci_server.add_object(oci_server.make_bucket(), "reports/cost-csv/1.csv.gz", as_csv([cost_line(cost="0.05")]))
    access = dict.fromkeys(("endpoint", "invoices_endpoint"), oci_server.endpoint) | {"config_file": str(key.config_file)}
    source = {"name": "oracle", "kind": "oci_cost_reports", "tenancy": oci_server.tenancy, "oci": access}
    config = tmp_path / "lakehouse.yaml"
    config.write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, "sources": [source]}), encoding="utf-8")
    settings = load_settings(config)
    load_reports(settings, Lake(settings), "oracle")

    done = command("invoices", "fetch", "--config", str(config))

    assert done.exit_code == 0, done.output
    assert "oracle: Invoices recorded: 1 new, 0 changed, 0 known." in done.stdout
    assert "Oracle gives amounts as floats" in done.stdout
    (shown,) = json.loads(command("invoices", "--json", "--config", str(config)).stdout)
    assert (shown["invoice_id"], shown["invoiced"], shown["currency_code"]) == ("OC-1", "0.05", "USD")
    assert "1 known" in command("invoices", "fetch", "--config", str(config)).stdout
