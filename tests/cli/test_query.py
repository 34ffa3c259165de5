"""``query`` on an empty lake: what it asks, what it refuses, and how results reach a terminal and a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cost_lakehouse.cli import answers, output
from tests.demo import command


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "lakehouse.yaml").write_text("lake: {first_month: 2026-10}\n", encoding="utf-8")
    return tmp_path


def csv(sql: str) -> list[str]:
    answer = command("query", sql, "--format", "csv")
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout.splitlines()


@pytest.mark.parametrize(
    "sql",
    [
        "-- daily\nselect 1 as a",
        "--daily\nselect 1 as a",
        "-- a=b\nselect 1 as a",
        "/* x */ select 1 as a",
        "\n (select 1 as a)",
    ],
    ids=["comment", "no-blank", "equals", "block", "parenthesis"],
)
def test_sql_that_begins_with_a_comment_is_no_option(lake: Path, sql: str) -> None:
    assert csv(sql) == ["a", "1"]
    assert command("query", "--format", "csv", sql).stdout.splitlines() == ["a", "1"]


def test_an_option_stays_an_option(lake: Path) -> None:
    assert command("query", "select 1", "--format=json").stdout == '[\n{"1": 1}\n]\n'
    unknown = command("query", "--nope", "select 1")
    assert unknown.exit_code == 2
    assert "No such option" in unknown.stderr


@pytest.mark.parametrize(
    "sql", ["", "  ", "-- nothing", "--nothing at all", ";"], ids=["empty", "blank", "comment", "dashes", "end"]
)
def test_a_query_of_blanks_is_wrong_usage(lake: Path, sql: str) -> None:
    asked = command("query", sql)
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert "The query holds no statement" in asked.stderr
    assert not (lake / "lake").exists()


def test_what_writes_is_refused_and_writes_nothing(lake: Path) -> None:
    command("query", "select 1")
    before = sorted(path for path in lake.rglob("*"))
    for sql in ("copy (select 1 as a) to 'written.csv'", "create table marts.mine as select 1 as a", "export database 'out'"):
        refused = command("query", sql)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "`query` only reads" in refused.stderr
        assert "Nothing was done" in refused.stderr
    assert sorted(path for path in lake.rglob("*")) == before


def test_columns_of_one_name_are_refused_in_json_alone(lake: Path) -> None:
    sql = "select 1 as a, 2 as b, 3 as a"
    refused = command("query", sql, "--format", "json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "more than one column named 'a'" in refused.stderr
    assert csv(sql) == ["a,b,a", "1,2,3"]
    assert json.loads(command("query", 'select 1 as a, 2 as "A"', "--format", "json").stdout) == [{"a": 1, "A": 2}]


def test_a_result_that_does_not_fit_the_terminal_is_shown_a_value_a_line(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = "12345678901234567.12345678901234567890"
    sql = f"select 'an account of many words' as account, {cost} as cost, date '2026-10-05' as day"
    assert command("query", sql).stdout.splitlines()[2] == (
        "an account of many words  12345678901234567.1234567890123456789  2026-10-05"
    )
    for module in (output, answers):
        monkeypatch.setattr(module, "terminal_width", lambda: 60)
    assert command("query", sql).stdout.splitlines() == [
        "── 1 ────────",
        "account  an account of many words",
        "cost     12345678901234567.1234567890123456789",
        "day      2026-10-05",
    ]
