"""``docs/close-a-month.md`` works word by word: its file is written, and its commands run on a bill of just that invoice."""

from __future__ import annotations

import json
import re
import shlex
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.instance import command_instance
from tests.builders import line, settings_for, write_delivery
from tests.demo import command
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "close-a-month.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = "uv run cost-lakehouse "
INVOICED = {"bill/InvoiceId": "INV-2026-09", "lineItem/UsageStartDate": "2026-09-05T10:00:00Z"}
# 1,037.451 and 197.11 of tax come to 1,234.561: a tenth of a cent more than the invoice, of two charges.
BILL = [
    line(UnblendedCost="1037.451", **INVOICED),
    line(UnblendedCost="197.11", LineItemType="Tax", **INVOICED),
]
REFUND = line(UnblendedCost="-12.5", LineItemType="Refund", UsageAccountId="000000000002", **INVOICED)


def test_the_page_works_from_the_first_command_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings_for(tmp_path, {"acme-payer": "bucket/cur/hourly"})
    write_delivery(tmp_path / "bucket", [BILL], assembly="20261003T000000Z", month=date(2026, 9, 1))
    told: list[str] = []
    for language, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "csv":
            (tmp_path / "invoices.csv").write_text(text, encoding="utf-8")
            continue
        for words in text.splitlines():
            assert words.startswith(OURS), words
            if "fetch" in words or "policy" in words:
                continue  # tests of both ask servers that play AWS
            if words == f"{OURS}run" and told:
                closed = [output for output in told if "2026-09: closed" in output]
                if closed:
                    write_delivery(tmp_path / "bucket", [[*BILL, REFUND]], assembly="20261120T000000Z", month=date(2026, 9, 1))
            result = command(*shlex.split(words.removeprefix(OURS)))
            assert result.exit_code == 0, f"{words}\n{result.output}"
            told.append(" ".join(result.output.split()))

    recorded, _, invoices, locked, status, late, accepted, reopened = told
    assert "Invoices recorded: 1 new, 0 changed, 0 known." in recorded
    assert "1234.56 1234.561 0.001 0.01 agrees" in invoices
    assert "acme-payer 2026-09: closed" in locked
    assert "invoices: INV-2026-09: agrees" in locked
    assert "locked invoiced USD 1234.561" in status
    assert "changes it by -12.5 USD. It is pending: no mart has it. account 000000000002: -12.5 USD" in late
    assert "locked: 1222.061 USD" in accepted
    assert "reopened" in reopened
    assert "corrected: 1222.061 USD" in reopened

    with command_instance(load_settings(tmp_path / "lakehouse.yaml")) as instance:
        (event,) = instance.fetch_observations(dg.AssetKey(["marts", "bill_status"]), limit=5).records
    observed = event.asset_observation
    assert observed is not None
    assert observed.partition == "2026-09-01"
    facts = {name: value.value for name, value in observed.metadata.items()}
    assert (facts["change"], facts["pending"], facts["invoice_ids"]) == ("-12.50 USD", True, "INV-2026-09")
    assert facts["accounts"] == "- account 000000000002: -12.5 USD"

    # The alert ended with the acceptance; what was told stands in the list of what is wrong while it was open.
    alerts = json.loads(command("alerts", "--json").stdout)
    assert [alert for alert in alerts if alert["kind"] == "correction"] == []
