"""``costs`` on the demo's lake: what it says is what the marts say, in every form."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cost_lakehouse.cli import output
from tests.demo import Told, command
from tests.serve.conftest import small_lake

SEPTEMBER = "2026-09"


def asked(demo: Told, *options: str) -> list[dict[str, str]]:
    """The rows of ``costs --format csv``."""
    answer = command("costs", *options, "--format", "csv", "--config", demo.config)
    assert answer.exit_code == 0, answer.stderr
    return list(csv.DictReader(io.StringIO(answer.stdout)))


def summed(demo: Told, column: str, mart: str, month: str = SEPTEMBER) -> dict[str, Decimal]:
    rows = demo.query(
        f"select currency_code, sum({column}) as cost from marts.{mart} where billing_period = date '{month}-01' group by 1"
    )
    return {row["currency_code"]: Decimal(row["cost"]) for row in rows}


def by_currency(rows: list[dict[str, str]], column: str = "cost") -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in rows:
        found[row["currency_code"]] = found.get(row["currency_code"], Decimal(0)) + Decimal(row[column])
    return found


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--by", "service,account,region", "--top", "3"),
        ("--by", "type,tag:team"),
        ("--by", "account_name,unit", "--daily"),
        ("--by", "purchase_option", "--quarterly", "--order", "name"),
    ],
    ids=" ".join,
)
def test_however_a_month_is_cut_it_comes_to_the_bill(demo: Told, options: tuple[str, ...]) -> None:
    assert by_currency(asked(demo, "--month", SEPTEMBER, *options)) == summed(demo, "billed_cost", "daily_costs")


def test_the_effective_cost_is_that_of_the_marts(demo: Told) -> None:
    rows = asked(demo, "--month", SEPTEMBER, "--basis", "effective", "--by", "usage_type")

    assert by_currency(rows) == summed(demo, "effective_cost", "daily_costs")


def test_usage_is_that_of_the_marts_in_each_unit(demo: Told) -> None:
    rows = asked(demo, "--month", SEPTEMBER, "--basis", "usage", "--by", "provider,usage_type", "--top", "4")

    units: dict[str, Decimal] = {}
    for row in rows:
        units[row["usage_unit"]] = units.get(row["usage_unit"], Decimal(0)) + Decimal(row["usage"])
    expected: dict[str, Decimal] = {}
    for mart, column in (
        ("aws_daily_summary", "usage_amount"),
        ("oci_daily_summary", "billed_quantity"),
        ("focus_daily_summary", "consumed_quantity"),
    ):
        for row in demo.query(
            f"select unit, sum({column}) as amount from marts.{mart} where billing_period = date '{SEPTEMBER}-01' group by 1"
        ):
            expected[row["unit"] or ""] = expected.get(row["unit"] or "", Decimal(0)) + Decimal(row["amount"] or 0)
    assert units == expected
    assert {"Hrs", "GB-Mo"} <= set(units)


def test_costs_are_converted_by_a_table_and_the_rates_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_lake(tmp_path).settings.file
    told = ("costs", "--month", "2026-10", "--by", "service", "--top", "1", "--currency", "USD", "--config", str(config))
    dollars_alone = command(*told, "--format", "json")
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    missing = command(*told)
    config.with_name("rates.csv").write_text(
        "month,from,to,rate,source\n2026-10,EUR,USD,1.123456789012,ECB\n", encoding="utf-8"
    )

    converted = command(*told, "--format", "json")
    monkeypatch.setattr(output, "terminal_width", lambda: 100)
    shown = command(*told)
    written = command(*told, "--output", str(tmp_path / "costs.parquet"))

    assert [row["cost"] for row in json.loads(dollars_alone.stdout, parse_float=str)] == ["15.5", "10"]
    assert missing.exit_code == 2
    assert "rates.csv, which currency_rates names, cannot be read" in " ".join(missing.stderr.split())
    rows = json.loads(converted.stdout, parse_float=str)
    assert [(row["service"], row["currency_code"], row["cost"]) for row in rows] == [
        ("AmazonEC2", "USD", "15.5"),
        (None, "USD", "13.370370367036"),
    ]
    used = "Converted into USD by the rates of the bills' months: 2026-10 EUR at 1.123456789012 (ECB)."
    assert used in " ".join(converted.stderr.split())
    assert used in " ".join(shown.stdout.split())
    assert used in " ".join(written.stdout.split())
    assert sum(pq.read_table(tmp_path / "costs.parquet")["cost"].to_pylist()) == Decimal("28.870370367036")


def test_a_filter_and_its_exclusion_are_the_whole(demo: Told) -> None:
    only = by_currency(asked(demo, "--month", SEPTEMBER, "--where", "service~ec2"))
    rest = by_currency(asked(demo, "--month", SEPTEMBER, "--exclude", "service~ec2"))

    assert only
    assert {currency: only.get(currency, Decimal(0)) + cost for currency, cost in rest.items()} == by_currency(
        asked(demo, "--month", SEPTEMBER)
    )


def test_two_months_stand_beside_each_other(demo: Told) -> None:
    rows = asked(demo, "--month", "2026-10", "--compare", "previous", "--by", "service", "--top", "2", "--order", "-change")

    assert by_currency(rows) == summed(demo, "billed_cost", "daily_costs", "2026-10")
    assert by_currency(rows, "before") == summed(demo, "billed_cost", "daily_costs")
    assert all(Decimal(row["change"]) == Decimal(row["cost"]) - Decimal(row["before"]) for row in rows)
    assert [row["is_others"] for row in rows if row["currency_code"] == "USD"] == ["false", "false", "true"]


def test_the_month_is_answered_as_it_was_before_the_refund(demo: Told) -> None:
    history = ("history", "--source", "acme-payer", "--month", SEPTEMBER, "--json", "--config", demo.config)
    # The refund's lines are there at that moment, and its summaries are not built yet.
    refund_loaded_at = json.loads(command(*history).stdout)[-1]["loaded_at"]

    options = ("--month", SEPTEMBER, "--where", "source=acme-payer")
    (then,), (now,) = asked(demo, *options, "--as-of", refund_loaded_at), asked(demo, *options)

    assert Decimal(now["cost"]) - Decimal(then["cost"]) == Decimal("-18.75")


def test_a_terminal_shows_cents_and_what_may_still_change(demo: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 100)

    answer = command("costs", "--by", "service", "--top", "1", "--config", demo.config)

    head, _, _, biggest, *_ = answer.stdout.splitlines()
    assert head == "billed cost, bills of 2026-10 (1 corrected, 2 estimated)"
    assert biggest.startswith("AmazonEC2")
    assert "2764.12  EUR       ████████████" in biggest
    assert "Others (11)" in answer.stdout


def test_files_hold_what_stdout_has(demo: Told, tmp_path: Path) -> None:
    options = ("--month", SEPTEMBER, "--by", "service")
    for name in ("costs.csv", "costs.json", "costs.parquet"):
        answer = command("costs", *options, "--output", str(tmp_path / name), "--config", demo.config)
        assert answer.exit_code == 0, answer.stderr
    expected = {(row["service"], row["currency_code"]): Decimal(row["cost"]) for row in asked(demo, *options)}

    as_csv = list(csv.DictReader(io.StringIO((tmp_path / "costs.csv").read_text(encoding="utf-8"))))
    as_json = json.loads((tmp_path / "costs.json").read_text(encoding="utf-8"))
    as_parquet = pq.read_table(tmp_path / "costs.parquet").to_pylist()
    for rows in (as_csv, as_json, as_parquet):
        assert {(row["service"] or "", row["currency_code"]): Decimal(row["cost"]) for row in rows} == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["costs.csv", "costs.json", "costs.parquet"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--month", "2026-13"), "is no month"),
        (("--month", SEPTEMBER, "--last", "30d"), "cannot both be meant"),
        (("--last", "a month"), "is no number of days"),
        (("--to", "2026-10-01"), "nothing where to begin"),
        (("--from", "01.10.2026"), "is no day"),
        (("--from", "2026-10-02", "--to", "2026-10-01"), "Nothing lies between"),
        (("--by", "colour"), "no dimension 'colour'"),
        (("--where", "service"), "is no condition"),
        (("--basis", "gross"), "no basis 'gross'"),
        (("--order", "size"), "is not known"),
        (("--compare", "week"), "is not known"),
        (("--daily", "--monthly"), "can be meant"),
        (("--top", "0", "--by", "service"), "are nothing"),
        (("--format", "xlsx"), "no text that a terminal shows"),
        (("--output", "costs.pdf"), "does not say what to write"),
        (("--format", "csv", "--output", "costs.json"), "contradict each other"),
        (("--as-of", "yesterday"), "neither a moment nor a delivery"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_with_a_way_out(demo: Told, options: tuple[str, ...], said: str) -> None:
    answer = command("costs", *options, "--config", demo.config)

    assert answer.exit_code == 2
    assert said in answer.stderr
    assert "Fix:" in answer.stderr
    assert not answer.stdout


def test_a_lake_without_bills_says_so(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text("lake: {first_month: 2026-10}\n", encoding="utf-8")

    answer = command("costs", "--config", str(tmp_path / "lakehouse.yaml"))

    assert answer.exit_code == 1
    assert "Run `cost-lakehouse run`" in answer.stderr
