"""A month's life: invoiced, compared with its invoice, closed, corrected too late, accepted, reopened; killed in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cost_lakehouse.errors import CloseRefused
from cost_lakehouse.invoices.comparison import compared_invoices
from cost_lakehouse.invoices.files import invoices_in
from cost_lakehouse.invoices.record import record_invoices
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.statuses import statuses
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.proof.closing import Wish, close_month
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, explain
from cost_lakehouse.proof.late_corrections import open_corrections, problem_of
from cost_lakehouse.summaries.closings import ACCEPTED, REOPENED, closings
from cost_lakehouse.summaries.correction_log import late_corrections
from cost_lakehouse.summaries.stale import stale_slices
from tests.builders import Workshop, line
from tests.demo import command
from tests.maintenance.rows import rules as rules_that_keep
from tests.summaries.conftest import DbtRunner, rows

OCTOBER = Slice("acme", date(2026, 10, 1))
FIRST = [
    line(UnblendedCost="1.001", UsageAccountId="000000000001", **{"bill/InvoiceId": "INV-1"}),
    line(UnblendedCost="2", UsageAccountId="000000000002", **{"bill/InvoiceId": "INV-1"}),
]
REFUND = line(UnblendedCost="-0.5", UsageAccountId="000000000002", LineItemType="Refund", **{"bill/InvoiceId": "INV-1"})
STATUS = "select delivery_id, state, bill_state, billed_cost, pending_delivery_id, pending_change from marts.bill_status"
LATER = datetime.now(UTC) + timedelta(days=2)
COSTS = "select account_id, sum(billed_cost) from marts.daily_costs group by 1 order by 1"


@dataclass
class Office:
    """A lake, its bucket, and the one dbt."""

    workshop: Workshop
    dbt: DbtRunner
    folder: Path

    def deliver(self, name: str, *lines: dict[str, str]) -> None:
        self.workshop.write(list(lines), assembly=name)
        self.workshop.load()

    def invoice(self, total: str) -> None:
        file = self.folder / "invoices.csv"
        file.write_text(f"invoice_id,billing_period,currency_code,total\nINV-1,2026-10,USD,{total}\n", encoding="utf-8")
        record_invoices(self.workshop.lake, self.workshop.settings, invoices_in(file), "file invoices.csv")

    def build(self) -> None:
        self.dbt.summarize(self.workshop.lake)

    def stale(self) -> list[Slice]:
        return [stale.slice for stale in stale_slices(self.workshop.lake)]

    def ask(self, *arguments: str) -> Result:
        return command(*arguments, "--config", str(self.workshop.settings.file))

    def as_invoiced(self, sql: str) -> list[str]:
        answer = self.ask("query", sql, "--as-of", "invoiced", "--format", "csv")
        assert answer.exit_code == 0, answer.stderr
        return answer.stdout.splitlines()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self.workshop.lake, sql)


@pytest.fixture
def office(tmp_path: Path, dbt: DbtRunner) -> Office:
    return Office(Workshop(tmp_path), dbt, tmp_path)


def test_a_closed_month_takes_a_late_delivery_only_when_it_is_accepted(office: Office) -> None:
    lake = office.workshop.lake
    now = datetime(2026, 11, 27, tzinfo=UTC)
    office.deliver("first", *FIRST)
    office.invoice("3.00")
    office.build()

    # 3.001 billed and 3.00 invoiced: two charges may differ by a cent.
    (compared,) = compared_invoices(lake)
    assert (compared.state, compared.difference, compared.allowance) == ("agrees", Decimal("0.001"), Decimal("0.01"))
    assert office.rows(STATUS) == [("first", "invoiced", "invoiced", Decimal("3.001"), None, None)]

    assert [status.closed for status in statuses(lake)] == [False]
    done = close_month(lake, OCTOBER, Wish(note="signed off"), now)
    assert [status.closed for status in statuses(lake)] == [True]
    assert (done.is_new, done.build_is_due, done.closing.invoices) == (True, False, "INV-1: agrees")
    assert done.closing.totals == '{"USD": "3.00100000000000000000"}'
    assert office.rows(STATUS) == [("first", "locked", "invoiced", Decimal("3.001"), None, None)]
    assert office.stale() == []
    again = close_month(lake, OCTOBER, Wish(note="twice"))
    assert not again.is_new
    assert [entry.note for entry in closings(lake)] == ["signed off"]

    # A refund comes after it.
    office.deliver("second", *FIRST, REFUND)
    office.build()
    assert office.rows(STATUS) == [("first", "locked", "invoiced", Decimal("3.001"), "second", Decimal("-0.5"))]
    assert office.rows(COSTS) == [("000000000001", Decimal("1.001")), ("000000000002", Decimal("2"))]
    assert office.rows("select sum(line_item_unblended_cost) from raw.aws_cur") == [(Decimal("2.501"),)]
    assert office.stale() == []
    (correction,) = open_corrections(lake, datetime(2027, 6, 1))
    assert (correction.is_pending, correction.totals) == (True, {"USD": Decimal("-0.5")})
    problem, fix, lines = problem_of(correction)
    assert problem == (
        "acme 2026-10, closed since 2026-11-27 00:00 UTC, invoice INV-1: delivery second changes it by -0.5 USD. "
        "It is pending: no mart has it."
    )
    assert "cost-lakehouse close acme 2026-10 --accept" in fix
    assert lines == ("account 000000000002: -0.5 USD",)

    # Accepted, and killed before the build: the next one books it, and asking again adds nothing.
    assert close_month(lake, OCTOBER, Wish(ACCEPTED, "the refund of July"), now).build_is_due
    assert not close_month(lake, OCTOBER, Wish(ACCEPTED)).is_new
    assert office.stale() == [OCTOBER]
    office.build()
    assert office.rows(STATUS) == [("second", "locked", "corrected", Decimal("2.501"), None, None)]
    assert office.rows(COSTS) == [("000000000001", Decimal("1.001")), ("000000000002", Decimal("1.5"))]
    assert (office.stale(), open_corrections(lake, datetime(2027, 6, 1))) == ([], [])
    assert [(entry.action, entry.delivery_id) for entry in closings(lake)] == [("closed", "first"), ("accepted", "second")]

    close_month(lake, OCTOBER, Wish(REOPENED))
    assert office.rows(STATUS) == [("second", "corrected", "corrected", Decimal("2.501"), None, None)]
    assert office.stale() == []
    assert len(late_corrections(lake)) == 1

    # All tables still say what they said when it was first invoiced: for as long as maintenance is told to keep that.
    for _ in range(2):
        assert office.as_invoiced("select sum(billed_cost) as cost from marts.daily_costs") == ["cost", "3.001"]
        assert office.as_invoiced("select distinct delivery_id from raw.aws_cur") == ["delivery_id", "first"]
        assert office.as_invoiced(STATUS)[1] == "first,invoiced,invoiced,3.001,,"
        costs = office.ask("costs", "--month", "2026-10", "--as-of", "invoiced", "--by", "account")
        assert "bills of 2026-10 (1 invoiced); as first invoiced" in costs.stdout
        assert [line.split()[:4] for line in costs.stdout.splitlines() if "total" in line] == [["total", "3.001", "USD"]]
        maintain(lake, rules=rules_that_keep(keep_deliveries=1, keep_invoiced=20), now=LATER)
    maintain(lake, rules=rules_that_keep(keep_deliveries=1), now=LATER)
    gone = office.ask("costs", "--month", "2026-10", "--as-of", "invoiced")
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert "acme 2026-10 is corrected, and how it was first invoiced is not kept any more." in gone.stderr
    assert "cost-lakehouse diff acme 2026-10" in gone.stderr
    gone = office.ask("query", "select 1 from marts.daily_costs", "--as-of", "invoiced")
    assert "No month is known as it was invoiced." in gone.stderr


def test_a_month_is_not_closed_that_its_invoice_does_not_prove(office: Office) -> None:
    lake = office.workshop.lake
    with pytest.raises(CloseRefused, match="the lake holds no published bill"):
        close_month(lake, OCTOBER, Wish())
    office.deliver("first", *FIRST)
    office.build()
    with pytest.raises(CloseRefused, match="invoice INV-1 is not on record"):
        close_month(lake, OCTOBER, Wish())
    office.invoice("3.02")
    with pytest.raises(CloseRefused, match="summaries are older"):
        close_month(lake, OCTOBER, Wish(without_invoice=True))
    assert [row.state for row in compared_invoices(lake)] == ["no invoice", "not compared yet"]
    office.build()
    with pytest.raises(CloseRefused, match="invoice INV-1 differs by -0.019"):
        close_month(lake, OCTOBER, Wish(without_invoice=True))
    assert closings(lake) == []

    done = close_month(lake, OCTOBER, Wish(note="a cent by hand", despite_difference=True))
    assert done.closing.invoices == "INV-1: differs"

    # Of an invoiced month that nobody closed, a correction is booked and told.
    close_month(lake, OCTOBER, Wish(REOPENED))
    office.deliver("second", *FIRST, REFUND)
    office.build()
    assert office.rows(COSTS)[1] == ("000000000002", Decimal("1.5"))
    (correction,) = open_corrections(lake, datetime.now(UTC).replace(tzinfo=None))
    assert (correction.is_pending, correction.state_before, correction.totals) == (False, "invoiced", {"USD": Decimal("-0.5")})
    assert open_corrections(lake, datetime(2027, 6, 1)) == []

    # The invoice beside the bill: three lines of 2.501 name it, and the invoice itself says 3.02.
    cell = Cell("invoices", "invoice_id = 'INV-1'", "difference")
    with engine_of(lake, cell.mart) as engine:
        found = explain(lake, cell, engine, 9)
    assert (found.adds_up, found.amounts) == (True, {"USD": Decimal("-0.519")})
    assert [(line.row_number, line.description, line.rule, line.amount) for line in found.lines] == [
        (None, "INV-1 of file invoices.csv", "invoice_document", Decimal("-3.02")),
        (2, None, "as_billed", Decimal(2)),
        (1, None, "as_billed", Decimal("1.001")),
        (3, None, "as_billed", Decimal("-0.5")),
    ]
