"""The ledger of changes: what each delivery changed, once, whatever is killed, repeated or rebuilt in between."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.proof.changes import dimensions_of
from cost_lakehouse.proof.diff import bounds_of, difference, loads_of
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, explain
from cost_lakehouse.proof.history import history
from cost_lakehouse.proof.line_diff import MART, line_changes
from tests.builders import Workshop, line
from tests.demo import command
from tests.maintenance.rows import rules as rules_that_keep
from tests.summaries.conftest import DbtRunner, rows

OCTOBER = Slice("acme", date(2026, 10, 1))
LEDGER = (
    "select delivery_id, previous_delivery_id, account_id, line_item_type, billed_cost, line_item_count "
    "from marts.cost_changes order by changed_at, account_id, line_item_type"
)


def account(number: int, cost: str, **changes: str) -> dict[str, str]:
    return line(UnblendedCost=cost, UsageAccountId=f"00000000000{number}", **changes)


def test_each_delivery_adds_what_it_changed_and_nothing_else(tmp_path: Path, dbt: DbtRunner) -> None:
    workshop = Workshop(tmp_path)
    lake = workshop.lake
    assert rows(lake, LEDGER) == []

    workshop.write([account(1, "1.001"), account(1, "2"), account(2, "5")], assembly="one")
    workshop.load()
    dbt.summarize(lake)
    first = [
        ("one", None, "000000000001", "Usage", Decimal("3.001"), 2),
        ("one", None, "000000000002", "Usage", Decimal(5), 1),
    ]
    assert rows(lake, LEDGER) == first

    # The same bill once more, under another id and forced: nothing changed, nothing is added.
    workshop.write([account(1, "1.001"), account(1, "2"), account(2, "5")], assembly="two")
    workshop.load()
    dbt.summarize(lake)
    dbt.build(lake, [OCTOBER])
    dbt.publish(lake, [OCTOBER])
    assert rows(lake, LEDGER) == first

    # A delivery that is loaded and never summarised is part of the next one's change.
    workshop.write([account(1, "3"), account(3, "7")], assembly="three")
    workshop.load()
    workshop.write([account(1, "3"), account(1, "-0.5", LineItemType="Refund")], assembly="four")
    workshop.load()
    dbt.build(lake, [OCTOBER])
    dbt.publish(lake, [OCTOBER])
    dbt.build(lake, [OCTOBER])
    dbt.publish(lake, [OCTOBER])
    assert rows(lake, LEDGER) == [
        *first,
        ("four", "one", "000000000001", "Refund", Decimal("-0.5"), 1),
        ("four", "one", "000000000001", "Usage", Decimal("-0.001"), -1),
        ("four", "one", "000000000002", "Usage", Decimal(-5), -1),
    ]
    assert {*rows(lake, "select delivery_id, changed_at from marts.cost_changes")} == {
        (name, moment)
        for name, moment in rows(lake, "select delivery_id, loaded_at from raw.receipts")
        if name in ("one", "four")
    }

    # A change is what the month's lines come to, less what the other deliveries changed.
    cell = Cell("cost_changes", "delivery_id = 'four' and line_item_type = 'Usage'", "billed_cost")
    with engine_of(lake, cell.mart) as engine:
        found = explain(lake, cell, engine, 9)
    assert (found.adds_up, found.amounts, found.mart_rows) == (True, {"USD": Decimal("-5.001")}, 2)
    assert [(line.row_number, line.account, line.rule, line.amount) for line in found.lines] == [
        (None, "000000000002", "changed_by_another_delivery", Decimal(-5)),
        (None, "000000000001", "changed_by_another_delivery", Decimal("-3.001")),
        (1, "000000000001", "as_billed", Decimal(3)),
    ]
    assert {receipt.delivery_id for receipt in found.deliveries} == {"four"}

    # The same in words: from the last delivery but one (which was never summarised) to the last, and from the first.
    loads = loads_of(lake, OCTOBER)
    assert [load.delivery_id for load in loads] == ["one", "two", "three", "four"]
    whole = difference(lake, OCTOBER, bounds_of(loads, first="one"), dimensions_of("account,type"))
    assert [(*cell.values, cell.kind, cell.before, cell.after, cell.change) for cell in whole.cells] == [
        ("000000000002", "Usage", "went", Decimal(5), Decimal(0), Decimal(-5)),
        ("000000000001", "Refund", "came", Decimal(0), Decimal("-0.5"), Decimal("-0.5")),
        ("000000000001", "Usage", "changed", Decimal("3.001"), Decimal(3), Decimal("-0.001")),
    ]
    assert whole.totals == {"USD": Decimal("-5.501")}
    assert difference(lake, OCTOBER, bounds_of(loads, first="one", last="two"), ("service",)).cells == ()
    assert difference(lake, OCTOBER, bounds_of(loads, since=datetime(2020, 1, 1)), ("service",)).totals == {
        "USD": Decimal("2.5")
    }

    # Down to the lines: the last against the first; account 1 had 1.001 and 2 and has 3, whatever its lines are numbered by.
    with engine_of(lake, MART) as engine:
        lines = list(line_changes(lake, whole, engine))
    assert [(one.account_id, one.line_type, one.kind, one.before, one.after, one.change) for one in lines] == [
        ("000000000002", "Usage", "went", Decimal(5), None, Decimal(-5)),
        ("000000000001", "Usage", "went", Decimal(2), None, Decimal(-2)),
        ("000000000001", "Usage", "changed", Decimal("1.001"), Decimal(3), Decimal("1.999")),
        ("000000000001", "Refund", "came", None, Decimal("-0.5"), Decimal("-0.5")),
    ]
    assert sum(one.change for one in lines) == whole.totals["USD"]
    came = lines[-1]
    assert (came.file_before, came.row_after, came.quantity_after) == (None, 2, Decimal(1))
    with engine_of(lake, MART) as engine:
        since_ever = difference(lake, OCTOBER, bounds_of(loads, since=datetime(2020, 1, 1)), ("service",))
        assert [one.kind for one in line_changes(lake, since_ever, engine)] == ["came", "came"]
    # The third was never summarised: what it changed is in the fourth's part of the ledger.
    unsummarised = difference(lake, OCTOBER, bounds_of(loads, first="one", last="three"), ("service",))
    with engine_of(lake, MART) as engine, pytest.raises(LakeError, match=r"lines changed by 1\.999 USD .* the summaries by 0 "):
        list(line_changes(lake, unsummarised, engine))

    # What is loaded and not summarised is in the history, and cannot be compared.
    workshop.write([account(1, "4")], assembly="five")
    workshop.load()
    assert [(entry.receipt.delivery_id, entry.state, entry.totals, entry.changed) for entry in history(lake, OCTOBER)] == [
        ("one", "earlier", {"USD": Decimal("8.001")}, {"USD": Decimal("8.001")}),
        ("two", "earlier", {"USD": Decimal("8.001")}, {}),
        ("three", "earlier", {"USD": Decimal(10)}, {}),
        ("four", "published", {"USD": Decimal("2.5")}, {"USD": Decimal("-5.501")}),
        ("five", "loaded", {"USD": Decimal(4)}, {}),
    ]
    with pytest.raises(LakeError, match=r"summaries know no delivery five.*Choose one of one, two, three, four"):
        bounds_of(loads_of(lake, OCTOBER), last="five")

    told = command(
        "diff", "acme", "2026-10", "--from", "one", "--by", "type", "--format", "csv", "--config", str(workshop.settings.file)
    )
    assert told.stdout.splitlines() == [
        "line_item_type,currency_code,kind,before,after,change,effective_change,line_item_change",
        "Usage,USD,changed,8.001,3,-5.001,-5.001,-2",
        "Refund,USD,came,0,-0.5,-0.5,-0.5,1",
    ]
    asked_for = ("diff", "acme", "2026-10", "--from", "one", "--lines", "--config", str(workshop.settings.file))
    told = command(*asked_for, "--format", "csv")
    assert told.stdout.splitlines()[0] == (
        "usage_date,account_id,service,line_item_type,region,usage_type,resource_id,description,currency_code,kind,"
        "quantity_before,quantity_after,before,after,change,effective_change,file_before,row_before,file_after,row_after"
    )
    assert [row["change"] for row in csv.DictReader(told.stdout.splitlines())] == ["-5", "-2", "1.999", "-0.5"]
    told = command(*asked_for)
    assert "change: -5.501 USD" in told.stdout
    assert "1.999" in told.stdout

    told = command("history", "--source", "acme", "--month", "2026-10", "--config", str(workshop.settings.file))
    assert "four" in told.stdout
    told = command("diff", "acme", "2026-09", "--config", str(workshop.settings.file))
    assert (told.exit_code, "acme 2026-09 has no summaries." in told.output) == (1, True)

    # The tables as they were: a delivery's own time lasts until the next one of the month is loaded.
    def asked(moment: str, sql: str) -> list[str]:
        result = command("query", sql, "--as-of", moment, "--format", "csv", "--config", str(workshop.settings.file))
        return result.output.splitlines()

    total = "select coalesce(sum(billed_cost), 0) as cost from marts.daily_costs"
    assert asked("one", total) == ["cost", "8.001"]
    assert asked("three", total) == ["cost", "8.001"]
    assert asked("three", "select distinct delivery_id from raw.aws_cur") == ["delivery_id", "three"]
    assert asked("five", total) == ["cost", "2.5"]
    assert asked("2020-01-01", total) == ["cost", "0"]
    assert "neither a moment nor a delivery that was loaded" in asked("six", total)[0]
    assert "lies ahead" in asked("2999-01-01", total)[0]

    # Once the rows of a delivery are gone, its lines are too; the ledger stays.
    maintain(lake, ["raw.aws_cur"], rules=rules_that_keep(keep_deliveries=2), now=datetime.now(UTC) + timedelta(days=2))
    told = command(*asked_for)
    assert (told.exit_code, told.stdout) == (1, "")
    assert "The rows of delivery one of acme 2026-10 are not kept any more" in told.stderr
    assert "`diff` without --lines needs no rows" in told.stderr
