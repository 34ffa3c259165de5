"""What proofs are asked wrongly: each is told what is wrong and what to do, by its exit code, and nothing is half-written.

All on the demo's lake, which is told once for the run: September of acme-payer and globex-payer is invoiced, October is over,
acme-oci never names an invoice. No case changes it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.maintenance.maintain import maintain
from tests.builders import Workshop, line
from tests.demo import Told, command
from tests.maintenance.rows import rules as rules_that_keep

FAILED, USAGE = 1, 2
ROWS = {
    "not-text.csv": b"\xff\xfe\x00",
    "nothing.csv": b"",
    "header-alone.csv": b"invoice_id,billing_period,currency_code,total\n",
    "no-total.csv": b"invoice_id,billing_period,currency_code\nA,2026-09,USD\n",
    "another-column.csv": b"invoice_id,billing_period,currency_code,total,colour\nA,2026-09,USD,1,red\n",
    "no-amount.csv": b'invoice_id,billing_period,currency_code,total\nA,2026-09,USD,1\nB,2026-09,USD,"1,234.56"\n',
    "no-month.csv": b"invoice_id,billing_period,currency_code,total\nA,September,USD,1\n",
    "no-currency.csv": b"invoice_id,billing_period,currency_code,total\nA,2026-09,dollars,1\n",
    "two-currencies.csv": b"invoice_id,billing_period,currency_code,total\nA,2026-09,USD,1\nA,2026-09,EUR,1\n",
    "too-short.csv": b"invoice_id,billing_period,currency_code,total\nA,2026-09,USD\n",
    "another-source.csv": b"source,invoice_id,billing_period,currency_code,total\nnobody,A,2026-09,USD,1\n",
    "whose.csv": b"invoice_id,billing_period,currency_code,total\nA,2026-09,USD,1\n",
    "cut.json": b'[{"invoice_id": "A", ',
    "no-array.json": b'{"invoice_id": "A"}',
    "a-bill.pdf": b"%PDF-1.7",
}
"""Files that are no invoices."""

CASES: list[tuple[str, int, str, tuple[str, ...]]] = [
    # Unknown moments.
    ("moment-no-time", USAGE, "'yesterday' is neither a moment nor a delivery", ("query", "select 1", "--as-of", "yesterday")),
    ("moment-ahead", USAGE, "lies ahead", ("query", "select 1", "--as-of", "2999-01-01")),
    ("moment-of-costs", USAGE, "'x' is neither a moment nor a delivery", ("costs", "--month", "2026-09", "--as-of", "x")),
    ("moment-no-such-day", USAGE, "is no moment", ("costs", "--month", "2026-09", "--as-of", "2026-02-30")),
    ("since-no-moment", USAGE, "'soon' is no moment", ("diff", "acme-payer", "2026-09", "--since", "soon")),
    ("from-no-delivery", FAILED, "know no delivery nope", ("diff", "acme-payer", "2026-09", "--from", "nope")),
    ("since-from", USAGE, "cannot both be meant", ("diff", "acme-payer", "2026-09", "--since", "2026-10-01", "--from", "x")),
    ("by-nothing-known", USAGE, "which no change has", ("diff", "acme-payer", "2026-09", "--by", "colour")),
    # Months that are not there, and sources.
    ("diff-no-month", USAGE, "is no month", ("diff", "acme-payer", "2026-13")),
    ("diff-month-not-there", FAILED, "has no summaries", ("diff", "acme-payer", "2026-12")),
    ("diff-lines-not-there", FAILED, "has no summaries", ("diff", "acme-payer", "2026-12", "--lines")),
    ("diff-no-source", USAGE, "nobody", ("diff", "nobody", "2026-09")),
    ("history-not-there", FAILED, "was ever loaded", ("history", "--source", "acme-payer", "--month", "2026-12")),
    ("close-not-there", FAILED, "holds no published bill of it", ("close", "acme-payer", "2026-12")),
    ("pack-not-there", FAILED, "holds nothing of 2026-12", ("pack", "2026-12", "--output", "OUT/pack.zip")),
    ("pack-no-folder", USAGE, "There is no folder", ("pack", "2026-09", "--output", "OUT/no/pack.zip")),
    ("export-not-there", USAGE, "holds no bill", ("export", "focus", "--month", "2026-12", "--to", "OUT")),
    ("export-no-source", USAGE, "nobody", ("export", "focus", "--month", "2026-09", "--to", "OUT", "--source", "nobody")),
    # Months without an invoice.
    ("invoiced-estimated", FAILED, "was never invoiced: it is estimated", (
        "costs", "--month", "2026-10", "--as-of", "invoiced", "--where", "source=globex-payer")),
    ("invoiced-oracle", FAILED, "acme-oci 2026-09 was never invoiced", ("costs", "--month", "2026-09", "--as-of", "invoiced")),
    ("invoiced-not-there", FAILED, "No bill of 2026-12", ("costs", "--month", "2026-12", "--as-of", "invoiced")),
    ("invoiced-days", USAGE, "is of whole bills", ("costs", "--last", "30d", "--as-of", "invoiced")),
    ("close-estimated", FAILED, "is not on record", ("close", "globex-payer", "2026-10")),
    ("close-no-invoice", FAILED, "is not on record", ("close", "globex-payer", "2026-09")),
    ("close-oracle", FAILED, "no invoice is on record", ("close", "acme-oci", "2026-09")),
    # Months that are not locked.
    ("accept-not-closed", FAILED, "globex-payer 2026-09 is not closed", ("close", "globex-payer", "2026-09", "--accept")),
    ("reopen-not-closed", FAILED, "globex-payer 2026-09 is not closed", ("close", "globex-payer", "2026-09", "--reopen")),
    # Invoices that nobody can be asked for, and files that are none.
    ("file-not-there", FAILED, "cannot be read", ("invoices", "import", "OUT/none.csv")),
    ("file-not-text", FAILED, "is no text in UTF-8", ("invoices", "import", "OUT/not-text.csv")),
    ("file-empty", FAILED, "line 1", ("invoices", "import", "OUT/nothing.csv")),
    ("file-header", FAILED, "holds no invoice", ("invoices", "import", "OUT/header-alone.csv")),
    ("file-no-total", FAILED, "the column total is missing", ("invoices", "import", "OUT/no-total.csv")),
    ("file-column", FAILED, "there is no column 'colour'", ("invoices", "import", "OUT/another-column.csv")),
    ("file-amount", FAILED, "line 3, column total: '1,234.56' is no amount", ("invoices", "import", "OUT/no-amount.csv")),
    ("file-month", FAILED, "line 2, column billing_period: 'September' is no", ("invoices", "import", "OUT/no-month.csv")),
    ("file-currency", FAILED, "column currency_code: 'dollars' is no currency", ("invoices", "import", "OUT/no-currency.csv")),
    ("file-twice", FAILED, "was there already, and said something else", ("invoices", "import", "OUT/two-currencies.csv")),
    ("file-short", FAILED, "3 values stand below 4 columns", ("invoices", "import", "OUT/too-short.csv")),
    ("file-source", FAILED, "there is no source 'nobody'", ("invoices", "import", "OUT/another-source.csv")),
    ("file-whose", FAILED, "no source's bill tells whose it is", ("invoices", "import", "OUT/whose.csv")),
    ("file-cut", FAILED, "it is no JSON", ("invoices", "import", "OUT/cut.json")),
    ("file-no-array", FAILED, "it is no array of objects", ("invoices", "import", "OUT/no-array.json")),
    ("file-pdf", FAILED, "is neither .csv nor .json", ("invoices", "import", "OUT/a-bill.pdf")),
    ("fetch-no-source", USAGE, "nobody", ("invoices", "fetch", "--source", "nobody")),
]  # fmt: skip


def held(lake: Lake) -> dict[str, int | None]:
    """The snapshot that each table is at."""
    return {name: lake.current(name).metadata.current_snapshot_id for name in lake.table_names()}


@pytest.mark.parametrize(("code", "said", "arguments"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_it_is_told_what_is_wrong_and_what_to_do_and_nothing_is_done(
    demo: Told, tmp_path: Path, code: int, said: str, arguments: tuple[str, ...]
) -> None:
    for name, content in ROWS.items():
        (tmp_path / name).write_bytes(content)
    lake = Lake(load_settings(Path(demo.config)))
    before, files = held(lake), {path: path.read_bytes() for path in tmp_path.iterdir()}

    done = command(*(word.replace("OUT", str(tmp_path), 1) for word in arguments), "--config", demo.config)

    told = " ".join(done.stderr.split())
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert told.startswith("Error: ")
    assert said in told
    assert " Fix: " in told
    assert isinstance(done.exception, SystemExit)
    assert held(lake) == before
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_statement_of_several_months_leaves_out_those_that_were_never_invoiced_and_says_so(demo: Told) -> None:
    sql = "select source, billing_period from marts.bill_status order by 1, 2"
    done = command("query", sql, "--as-of", "invoiced", "--format", "csv", "--config", demo.config)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["source,billing_period", "acme-payer,2026-09-01", "globex-payer,2026-09-01"]
    assert " ".join(done.stderr.split()) == (
        "Note: Not in the result, as they are not known as invoiced: acme-oci 2026-09, acme-oci 2026-10, acme-payer 2026-10, "
        "globex-payer 2026-10."
    )


def test_what_maintenance_let_go_is_told_with_what_there_still_is(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    for number in range(3):
        workshop.write([line(UnblendedCost=str(number))], assembly=f"delivery-{number}")
        workshop.load()
    maintain(workshop.lake, rules=rules_that_keep(keep_deliveries=1), now=datetime.now(UTC) + timedelta(days=2))
    sql = "select line_item_unblended_cost from raw.aws_cur"
    done = command("query", sql, "--as-of", "delivery-0", "--config", str(workshop.settings.file))
    told = " ".join(done.stderr.split())
    assert (done.exit_code, done.stdout) == (FAILED, "")
    assert re.search(r"raw\.aws_cur of .* is not kept any more: its oldest snapshot is of .* Fix: Ask for a later moment", told)


def test_two_currencies_are_never_added(demo: Told) -> None:
    done = command("costs", "--month", "2026-09", "--by", "source", "--format", "csv", "--config", demo.config)
    assert {line.split(",")[2] for line in done.stdout.splitlines()[1:]} == {"USD", "EUR"}
