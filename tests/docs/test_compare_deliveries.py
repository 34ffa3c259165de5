"""``docs/compare-deliveries.md`` works word by word, on a bill and its late refund."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest

from tests.builders import line, settings_for, write_delivery
from tests.demo import command
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "compare-deliveries.md"
OURS = "uv run cost-lakehouse "
INVOICED = {"lineItem/UsageStartDate": "2026-09-05T10:00:00Z", "bill/InvoiceId": "INV-2026-09"}
BILL = [line(UnblendedCost="10.25", **INVOICED)]
REFUND = line(UnblendedCost="-4.5", LineItemType="Refund", UsageAccountId="000000000002", **INVOICED)


def test_the_page_works_from_the_first_command_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings_for(tmp_path, {"acme-payer": "bucket/cur/hourly"})
    for assembly, lines in (("20261003T000000Z", BILL), ("20261120T000000Z", [*BILL, REFUND])):
        write_delivery(tmp_path / "bucket", [lines], assembly=assembly, month=date(2026, 9, 1))
        assert command("run").exit_code == 0
    told = []
    for block in re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for words in block.splitlines():
            result = command(*shlex.split(words.removeprefix(OURS)))
            assert result.exit_code == 0, f"{words}\n{result.output}"
            told.append(result.stdout)

    history, last, since, between, csv, by_line, all_lines, ledger, past, invoiced, statuses = told
    assert [words.split()[3:4] for words in history.splitlines()[3:]] == [["earlier"], ["published"]]
    assert "change: -4.50 USD" in last
    assert "change: 5.75 USD" in since
    assert "Refund" in between
    assert "10.25" in invoiced
    assert "10.25" in statuses
    assert "-4.50" in by_line
    assert all_lines.splitlines()[1].split(",")[9:15] == ["came", "", "1", "", "-4.5", "-4.5"]
    assert csv.splitlines()[1].startswith("2026-09-05,")
    assert ",changed,10.25,5.75,-4.5," in csv
    assert ledger.rstrip().endswith("5.75")
    assert past.rstrip().endswith("10.25")
