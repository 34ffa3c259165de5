"""The ledger of changes: what each delivery changed, once, whatever is killed, repeated or rebuilt in between."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from cost_lakehouse.lake.slices import Slice
from tests.builders import Workshop, line
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
