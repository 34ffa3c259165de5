"""An answer as a file: CSV or JSON as printed, Parquet with the engine's types, or a workbook. Written whole, or not at all."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.answers import ROWS_AT_ONCE, Answer, plain_text, write_csv, write_json
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError

FORMATS = ("csv", "json", "parquet", "xlsx")
_MOST_SHEET_ROWS = 1_048_576  # of a worksheet, its header among them
_MOST_CELL_CHARACTERS = 32_767
_DOUBLE_DIGITS = 15  # a worksheet's numbers are doubles, of which so many digits are sure
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)", re.IGNORECASE)


def file_format(path: Path) -> str:
    """The format that the file's name ends with. Raises ConfigurationError where it is none that can be written."""
    found = path.suffix.lower().removeprefix(".")
    if found not in FORMATS:
        raise ConfigurationError(
            f"--output {path}: its name does not say what to write.", f"Let it end with one of .{', .'.join(FORMATS)}."
        )
    return found


def write_answer(answer: Answer, path: Path) -> None:
    """Write it in the format that the name ends with; a file that is there is replaced once the new one is whole.

    Raises ConfigurationError where the place cannot be written to, CostLakehouseError where the format cannot hold the answer.
    """
    writers: dict[str, Callable[[Answer, Path], None]] = {
        "csv": _write_csv,
        "json": _write_json,
        "parquet": _write_parquet,
        "xlsx": _write_workbook,
    }
    write = writers[file_format(path)]
    with writing_aside(path) as beside:
        write(answer, beside)


@contextmanager
def writing_aside(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place in the end; nothing is left of it where writing fails.

    Raises ConfigurationError where the place cannot be written to.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Name one in a folder that may be written to.",
        ) from None
    finally:
        beside.unlink(missing_ok=True)


def _write_csv(answer: Answer, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_csv(answer.names, answer.rows, stream)


def _write_json(answer: Answer, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        write_json(answer.names, answer.rows, stream)


def _write_parquet(answer: Answer, path: Path) -> None:
    """Decimals, dates and times keep their types; lists and maps are text, as in CSV."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, _arrow_type(kind)) for name, kind in zip(answer.names, answer.types, strict=True)])
    is_text = [pa.types.is_string(field.type) for field in schema]
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := list(itertools.islice(answer.rows, ROWS_AT_ONCE)):
            columns = [
                pa.array([_cell(value, as_text) for value in values], field.type)
                for values, field, as_text in zip(zip(*rows, strict=True), schema, is_text, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _cell(value: Any, as_text: bool) -> Any:
    return plain_text(value) if as_text and value is not None else value


def _arrow_type(kind: str) -> Any:
    """The Arrow type of a column of DuckDB or Trino; text where it has none that is certain."""
    import pyarrow as pa

    if found := _DECIMAL.fullmatch(kind):
        return pa.decimal128(int(found.group(1)), int(found.group(2)))
    simple = {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int64(),
        "SMALLINT": pa.int64(),
        "TINYINT": pa.int64(),
        "HUGEINT": pa.decimal128(38, 0),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "DOUBLE": pa.float64(),
        "REAL": pa.float64(),
        "FLOAT": pa.float64(),
    }
    if found_type := simple.get(kind.upper()):
        return found_type
    if kind.upper().startswith("TIMESTAMP"):
        return pa.timestamp("us", tz="UTC" if "TIME ZONE" in kind.upper() else None)
    return pa.string()


def _write_workbook(answer: Answer, path: Path) -> None:
    """One sheet. Its numbers are doubles, so each column of decimals comes once more with all digits, as text."""
    from xlsxwriter import Workbook

    is_decimal = [bool(_DECIMAL.fullmatch(kind)) for kind in answer.types]
    exact = [index for index, found in enumerate(is_decimal) if found]
    with Workbook(path, {"constant_memory": True, "in_memory": False}) as book:
        sheet = book.add_worksheet("costs")
        as_date = book.add_format({"num_format": "yyyy-mm-dd"})
        as_moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        as_amount = book.add_format({"num_format": "#,##0.00"})
        bold = book.add_format({"bold": True})
        for column, name in enumerate([*answer.names, *(f"{answer.names[index]} (exact)" for index in exact)]):
            sheet.write_string(0, column, name, bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(answer.rows, start=1):
            if number == _MOST_SHEET_ROWS:
                raise CostLakehouseError(
                    f"A worksheet holds {_MOST_SHEET_ROWS - 1:,} rows, and there are more.",
                    "Write .parquet or .csv.",
                )
            for column, value in enumerate(row):
                if value is None:
                    continue
                if isinstance(value, bool):
                    sheet.write_boolean(number, column, value)
                elif isinstance(value, Decimal):
                    sheet.write_number(number, column, float(value), as_amount)
                elif isinstance(value, int) and len(str(abs(value))) <= _DOUBLE_DIGITS:
                    sheet.write_number(number, column, value)
                elif isinstance(value, datetime):
                    naive = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
                    sheet.write_datetime(number, column, naive, as_moment)
                elif isinstance(value, date):
                    sheet.write_datetime(number, column, datetime(value.year, value.month, value.day), as_date)  # noqa: DTZ001
                else:
                    sheet.write_string(number, column, _short_enough(plain_text(value), answer.names[column], number))
            for place, column in enumerate(exact, start=len(answer.names)):
                if row[column] is not None:
                    sheet.write_string(number, place, plain_text(row[column]))


def _short_enough(text: str, column: str, row: int) -> str:
    if len(text) > _MOST_CELL_CHARACTERS:
        raise CostLakehouseError(
            f"Row {row}, column {column}: a cell holds {_MOST_CELL_CHARACTERS:,} characters, and this has {len(text):,}.",
            "Write .parquet or .csv.",
        )
    return text
