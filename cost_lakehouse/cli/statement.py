"""What ``query`` is asked: one SQL statement that reads, whichever engine answers. Pure; nothing is sent to an engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cost_lakehouse.lake.table_by_month import Version

# Text in quotes, names in quotes, DuckDB's dollar quotes, comments of both kinds (those of `/*` are found by _comment_end).
_LEXEME = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\$[A-Za-z_]*\$).*?\1|--[^\n]*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+")
_NOTHING = re.compile(r"(\s|\(|;|--[^\n]*(\n|$)|/\*.*?\*/)+", re.DOTALL)
_EXPLAIN = re.compile(r"explain(\s+analyze)?(\s+verbose)?(\s*\([^)]*\))?(?=\W)", re.IGNORECASE)
_READING = re.compile(r"(select|with|values|table|show|describe|desc)\b", re.IGNORECASE)
# Functions of DuckDB's that write files although a SELECT calls them.
_WRITING_FUNCTION = re.compile(r"\b(enable_logging|enable_profiling|force_checkpoint)\s*\(", re.IGNORECASE)
# DuckDB's own names of statements that change nothing outside of themselves.
_DUCKDB_READS = {"SELECT", "EXPLAIN"}

ONE_AT_A_TIME = "The query holds {count} statements; `query` asks one and prints its result."
ONLY_READS = "{verb} is not asked: `query` only reads (SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE, EXPLAIN). Nothing was done."


class NotAsked(Exception):
    """The statement is not one that ``query`` asks; the message says why, ``fix`` what to do."""

    def __init__(self, problem: str, fix: str) -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(problem)

    @classmethod
    def of_nothing(cls) -> NotAsked:
        """Where nothing is asked at all."""
        return cls(
            "The query holds no statement: there is nothing but blanks and comments in it.",
            "Write a SELECT, such as `select * from marts.daily_costs limit 10`.",
        )


def check_on_trino(sql: str) -> str:
    """The one statement in ``sql``, without the semicolon at its end. Raises NotAsked where it is not one that reads."""
    (statement,) = _one(statements(sql))
    if not reads_only(statement):
        raise _writes(statement)
    return statement


def check_on_duckdb(sql: str) -> str:
    """The same for DuckDB, by its own parser. Raises NotAsked, and duckdb.Error where the SQL cannot be parsed."""
    import duckdb

    texts = statements(sql)
    if not texts:
        _one(texts)
    verb = first_word(texts[0])
    if verb == "IMPORT":  # DuckDB opens the folder already when it parses.
        raise _writes(texts[0])
    parsed = duckdb.extract_statements(sql)
    kinds = [item.type.name for item in parsed]
    # PIVOT is one statement that DuckDB makes two of.
    is_pivot = len(texts) == 1 and kinds[-1:] == ["SELECT"] and set(kinds[:-1]) == {"CREATE"}
    if len(parsed) > 1 and not is_pivot:
        _one([item.query for item in parsed])
    writes = kinds[-1] not in _DUCKDB_READS or (kinds[-1] == "EXPLAIN" and not _duckdb_explains_reading(texts[0]))
    if writes or any(_WRITING_FUNCTION.search(code) for code in _code(sql)):
        raise _writes(texts[0])
    return sql


def at_snapshots(sql: str, snapshots: Mapping[str, Version]) -> str:
    """A SELECT of Trino's on the snapshots of its tables (``marts.daily_costs`` -> id; None: nothing was in it). Pure.

    Tables are known by ``schema.table``. Raises NotAsked where the statement is no SELECT, or a table's name is in quotes.
    """
    if first_word(sql) not in ("SELECT", "WITH"):
        raise NotAsked(f"{first_word(sql)} cannot be asked of the past.", "Write a SELECT, or leave --as-of out.")
    from cost_lakehouse.lake.table_by_month import relation_at

    words = {word for name in snapshots for word in name.split(".")}
    names = "|".join(rf"{schema}\s*\.\s*{table}" for schema, table in (name.split(".") for name in sorted(snapshots)))
    relation = re.compile(rf"(?<![\w.\"])((?:\w+\s*\.\s*)?({names}))(?!\s*[\w.]*\.)\b", re.IGNORECASE)

    def at(found: re.Match[str]) -> str:
        return relation_at(found.group(1), snapshots["".join(found.group(2).split()).lower()])

    parts = []
    for piece, is_code in _pieces(sql):
        if piece.strip('"').lower() in words and piece.startswith('"'):
            raise NotAsked(f"The query of the past names {piece} in quotes.", "Write names of schemas and tables without.")
        parts.append(relation.sub(at, piece) if is_code else piece)
    return "".join(parts)


def may_name(sql: str, name: str) -> bool:
    """Whether a statement may read a table (``marts.daily_costs``): its last word stands somewhere in it, however written."""
    return re.search(rf"(?<!\w){re.escape(name.rpartition('.')[2])}(?!\w)", sql, re.IGNORECASE) is not None


def reads_only(sql: str) -> bool:
    """Whether a Trino statement changes nothing, by the word it begins with; what EXPLAIN is asked of counts too."""
    rest = _after_nothing(sql)
    while explain := _EXPLAIN.match(rest):
        rest = _after_nothing(rest[explain.end() :])
    return _READING.match(rest) is not None


def statements(sql: str) -> list[str]:
    """The statements between semicolons, those of nothing but blanks and comments left out."""
    parts = [""]
    for piece, is_code in _pieces(sql):
        if not is_code:
            parts[-1] += piece
            continue
        first, *more = piece.split(";")
        parts[-1] += first
        parts += more
    return [part.strip() for part in parts if any(code.strip() for code in _code(part, with_text=True))]


def first_word(sql: str) -> str:
    """The word that a statement begins with, in capitals; of EXPLAIN, what is explained."""
    rest = _after_nothing(sql)
    while explain := _EXPLAIN.match(rest):
        rest = _after_nothing(rest[explain.end() :])
    found = _WORD.match(rest)
    return found.group().upper() if found else "This"


def _duckdb_explains_reading(sql: str) -> bool:
    import duckdb

    rest = _after_nothing(sql)
    while explain := _EXPLAIN.match(rest):
        rest = _after_nothing(rest[explain.end() :])
    return [extract_statement.type.name for extract_statement in duckdb.extract_statements(rest)][-1:] == ["SELECT"]


def _one(found: list[str]) -> list[str]:
    if not found:
        raise NotAsked.of_nothing()
    if len(found) > 1:
        raise NotAsked(ONE_AT_A_TIME.format(count=len(found)), "Ask them one by one, a command each.")
    return found


def _writes(sql: str) -> NotAsked:
    return NotAsked(
        ONLY_READS.format(verb=first_word(sql)), "To keep a result, print it into a file: `query SQL --format csv > FILE`."
    )


def _after_nothing(sql: str) -> str:
    """What follows spaces, comments and opening parentheses."""
    nothing = _NOTHING.match(sql)
    return sql[nothing.end() :] if nothing else sql


def _code(sql: str, with_text: bool = False) -> Iterator[str]:
    """The parts that are neither comments nor, unless ``with_text``, in quotes."""
    for piece, is_code in _pieces(sql):
        if is_code or (with_text and not piece.startswith(("--", "/*"))):
            yield piece


def _pieces(sql: str) -> Iterator[tuple[str, bool]]:
    """The text in order, cut where quotes and comments begin and end, and whether a piece is code."""
    start = position = 0
    while position < len(sql):
        if sql.startswith("/*", position):
            end = _comment_end(sql, position)
        elif found := _LEXEME.match(sql, position):
            end = found.end()
        else:
            position += 1
            continue
        yield sql[start:position], True
        yield sql[position:end], False
        start = position = end
    yield sql[start:], True


def _comment_end(sql: str, start: int) -> int:
    """Where a comment ends that may hold others, as DuckDB and PostgreSQL take them."""
    depth, position = 0, start
    for mark in re.finditer(r"/\*|\*/", sql[start:]):
        depth += 1 if mark.group() == "/*" else -1
        position = start + mark.end()
        if depth == 0:
            return position
    return len(sql)
