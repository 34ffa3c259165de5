"""What ``query`` asks: one statement that reads, on either engine; the rest is refused before an engine sees it."""

from __future__ import annotations

import pytest

from cost_lakehouse.cli.statement import (
    NotAsked,
    at_snapshots,
    check_on_duckdb,
    check_on_trino,
    first_word,
    may_name,
    statements,
)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        ("select ';' as a", ["select ';' as a"]),
        ("select 'it''s; fine' as a", ["select 'it''s; fine' as a"]),
        ('select 1 as "a;b"', ['select 1 as "a;b"']),
        ("select 1 -- one; two\n", ["select 1 -- one; two"]),
        ("select 1 /* one; /* two; */ three; */ as a", ["select 1 /* one; /* two; */ three; */ as a"]),
        ("select $$a;b$$ as a", ["select $$a;b$$ as a"]),
        ("select $x$a;$$b$x$ as a", ["select $x$a;$$b$x$ as a"]),
        ("select 1; -- done", ["select 1"]),
        ("select 1;; /* done */ ;", ["select 1"]),
        ("-- daily\nselect 1", ["-- daily\nselect 1"]),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("", []),
        (" \n\t ", []),
        ("-- nothing", []),
        ("/* nothing */ ; -- at all", []),
        ("'text'", ["'text'"]),
    ],
    ids=range(18),
)
def test_semicolons_part_statements_but_not_in_text_names_and_comments(sql: str, found: list[str]) -> None:
    assert statements(sql) == found


READING = [
    "select 1",
    "-- daily\nselect 1 as a",
    "/* a */ /* b */ select 1",
    " ( select 1 ) ;",
    "with a as (select 1 as x) select * from a",
    "values (1), (2)",
    "explain select 1",
    "explain analyze select 1",
]
WRITING = [
    ("create table marts.mine as select 1 as a", "CREATE"),
    ("insert into raw.files select * from raw.files", "INSERT"),
    ("delete from raw.files", "DELETE"),
    ("update raw.files set key = 'x'", "UPDATE"),
    ("drop table raw.files", "DROP"),
    ("-- harmless\n drop table raw.files", "DROP"),
    ("explain analyze delete from raw.files", "DELETE"),
    ("call x()", "CALL"),
    ("grant select on raw.files to public", "GRANT"),
]


@pytest.mark.parametrize("sql", READING, ids=range(len(READING)))
def test_what_reads_is_asked_of_both_engines(sql: str) -> None:
    assert check_on_duckdb(sql) == sql
    assert check_on_trino(sql) == sql.strip().removesuffix(";").strip()


@pytest.mark.parametrize(
    "sql",
    [
        "from (select 1)",
        "summarize select 1",
        "pivot (select 1 as a) on a",
        "pivot (select 1 as a) on a in (1)",
        "select $$;$$",
    ],
    ids=["from", "summarize", "pivot", "pivot-in", "dollars"],
)
def test_what_duckdb_alone_has_is_asked_of_it(sql: str) -> None:
    assert check_on_duckdb(sql) == sql


@pytest.mark.parametrize(("sql", "verb"), WRITING, ids=range(len(WRITING)))
def test_what_writes_is_asked_of_neither(sql: str, verb: str) -> None:
    for check in (check_on_trino, check_on_duckdb) if verb != "GRANT" else (check_on_trino,):
        with pytest.raises(NotAsked, match=f"^{verb} is not asked: `query` only reads"):
            check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to 'x.csv'",
        "explain copy (select 1) to 'x.csv'",
        "export database 'x'",
        "import database 'x'",
        "attach 'x.db'",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "pragma enable_profiling = 'json'",
        "use raw",
        "checkpoint",
        "begin",
        "merge into a using b on true when matched then delete",
        "select * from enable_logging(storage = 'file', storage_config = {'path': 'x'})",
    ],
    ids=range(14),
)
def test_duckdb_writes_no_file_and_changes_nothing_of_itself(sql: str) -> None:
    with pytest.raises(NotAsked, match="only reads"):
        check_on_duckdb(sql)


@pytest.mark.parametrize("check", [check_on_duckdb, check_on_trino], ids=["duckdb", "trino"])
def test_two_statements_and_none_are_refused(check: object) -> None:
    assert callable(check)
    for sql in ("select 1 as a; select 2 as b", "create table x as select 1; select 2", "select 1; drop table x; select 3"):
        with pytest.raises(NotAsked, match=r"holds [23] statements"):
            check(sql)
    for sql in ("", " \n", "-- nothing", ";"):
        with pytest.raises(NotAsked, match="holds no statement"):
            check(sql)


def test_the_word_that_decides_stands_behind_comments_and_explain() -> None:
    assert first_word("/* a */ -- b\n explain analyze (delete from x)") == "DELETE"


def test_a_query_of_the_past_names_a_snapshot_of_each_table() -> None:
    snapshots = {"marts.daily_costs": 7, "raw.aws_cur": 8, "marts.invoices": None}
    asked = (
        "select 'marts.daily_costs', c.source from marts.daily_costs as c join iceberg.raw.aws_cur /* raw.aws_cur */ on true"
    )
    assert at_snapshots(asked, snapshots) == (
        "select 'marts.daily_costs', c.source from marts.daily_costs for version as of 7 as c "
        "join iceberg.raw.aws_cur for version as of 8 /* raw.aws_cur */ on true"
    )
    assert at_snapshots("with a as (select * from marts.invoices) select 1 from a", snapshots) == (
        "with a as (select * from (select * from marts.invoices where false)) select 1 from a"
    )
    with pytest.raises(NotAsked, match="SHOW cannot be asked of the past"):
        at_snapshots("show tables from marts", snapshots)
    with pytest.raises(NotAsked, match='names "daily_costs" in quotes'):
        at_snapshots('select 1 from marts."daily_costs"', snapshots)
    # A column that is named with its table's schema is no table.
    assert at_snapshots("select raw.aws_cur.source from raw.aws_cur", snapshots) == (
        "select raw.aws_cur.source from raw.aws_cur for version as of 8"
    )


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select 1 from marts.daily_costs", True),
        ('select 1 from MARTS . "Daily_Costs" as c', True),
        ("select 1 from marts.daily_costs_of_mine", False),
        ("select 1 from marts.bill_status", False),
    ],
    ids=["plain", "quoted", "longer", "other"],
)
def test_a_statement_names_a_table_however_it_is_written(sql: str, named: bool) -> None:
    assert may_name(sql, "marts.daily_costs") is named
