"""``cost-lakehouse query``: one SQL statement on the current snapshots, printed so that another program can read it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cost_lakehouse.cli.answers import ROWS_AT_ONCE, Answer, print_answer
from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.files import file_format, write_answer
from cost_lakehouse.cli.output import EXIT_FAILED, EXIT_USAGE, print_note, print_problem
from cost_lakehouse.cli.statement import NotAsked, at_snapshots, check_on_duckdb, check_on_trino, may_name, statements
from cost_lakehouse.cli.streams import drop_output

if TYPE_CHECKING:
    import duckdb

    from cost_lakehouse.lake.catalog import Lake
    from cost_lakehouse.lake.table_by_month import ShownTable


class QueryFailed(Exception):
    """The statement is wrong; the engine's message says where."""


def run_query(config: Path | None, sql: str, output: str, as_of: str | None = None, file: Path | None = None) -> int:
    """Run the statement, on the tables as they were at a moment where one is named, and print its result; the exit code.

    With ``file`` the result is written there, in the format that its name ends with.
    """
    settings = settings_of(config)
    if file is not None:
        output = file_format(file)
    if not statements(sql):
        return _not_asked(NotAsked.of_nothing(), EXIT_USAGE)
    from cost_lakehouse.lake.catalog import Lake

    lake = Lake(settings)
    ask = _on_duckdb if settings.lake.engine == "duckdb" else _on_trino
    try:
        with ask(lake, sql, _tables(lake, as_of, sql)) as answer:
            if output == "json":
                _check_names(answer.names)
            if file is not None:
                write_answer(answer, file)
            else:
                print_answer(answer, output)
                sys.stdout.flush()
    except NotAsked as error:
        return _not_asked(error, EXIT_FAILED)
    except QueryFailed as error:
        known = ", ".join(lake.table_names())
        print_problem(f"The query failed: {error}", f"Correct the SQL. Tables that are there: {known}.")
        return EXIT_FAILED
    except BrokenPipeError:
        drop_output()  # The reader (such as `head`) has seen enough.
    return 0


def _not_asked(error: NotAsked, code: int) -> int:
    print_problem(error.problem, error.fix)
    return code


def _check_names(names: Sequence[str]) -> None:
    """Raises NotAsked where an object could not hold all columns: a key twice would drop all values but the last."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise NotAsked(
            f"The result has more than one column named {', '.join(map(repr, twice))}: a JSON object holds a name once.",
            "Give each a name of its own with AS, or use `--format csv`.",
        )


def _tables(lake: Lake, as_of: str | None, sql: str) -> Mapping[str, ShownTable] | None:
    """The tables as they were; None: as they are. Raises ConfigurationError, LakeError where one that ``sql`` names is gone."""
    if as_of is None:
        return None
    from cost_lakehouse.proof.invoiced import INVOICED, all_as_invoiced

    def is_named(name: str) -> bool:
        return may_name(sql, name)

    if as_of == INVOICED:
        from cost_lakehouse.lake.invoiced import tables_as_invoiced

        asked, left_out = all_as_invoiced(lake)
        if left_out:
            print_note(f"Not in the result, as they are not known as invoiced: {', '.join(map(str, left_out))}.")
        return tables_as_invoiced(lake, asked, filter(is_named, lake.table_names()))
    from cost_lakehouse.lake.moments import tables_at
    from cost_lakehouse.proof.moments import meant_moment

    return tables_at(lake, meant_moment(lake, as_of), is_named)


@contextmanager
def _on_duckdb(lake: Lake, sql: str, tables: Mapping[str, ShownTable] | None) -> Iterator[Answer]:
    """Ask DuckDB, on the current snapshots or those of ``tables``."""
    import duckdb

    from cost_lakehouse.lake.duckdb_views import connect

    try:
        statement = check_on_duckdb(sql)
        with connect(lake, tables=tables) as connection:
            # Neither fetches extensions over the network, nor lets a statement change how it runs.
            connection.execute("set autoinstall_known_extensions = false")
            connection.execute("set lock_configuration = true")
            result = connection.execute(statement)
            columns = result.description or []
            yield Answer([column[0] for column in columns], [str(column[1]) for column in columns], _rows(result))
    except duckdb.Error as error:
        raise QueryFailed(str(error)) from None


@contextmanager
def _on_trino(lake: Lake, sql: str, tables: Mapping[str, ShownTable] | None) -> Iterator[Answer]:
    """Ask Trino, in the same way. Raises LakeError."""
    from cost_lakehouse.lake.trino_client import StatementRefused, running

    try:
        statement = check_on_trino(sql)
        if tables is not None:
            from cost_lakehouse.lake.table_by_month import version_of

            statement = at_snapshots(statement, {name: version_of(table) for name, table in tables.items()})
        with running(lake.settings, statement) as result:
            yield Answer(result.names, result.types, result.rows)
    except StatementRefused as error:
        raise QueryFailed(error.problem) from None


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    """The result's rows, a bounded number in memory at a time."""
    if result.description is None:
        return
    while rows := result.fetchmany(ROWS_AT_ONCE):
        yield from rows
