"""Delivered columns before they are cast: blanks that say nothing, and columns that a header names twice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import RejectedValue, shortened
from cost_lakehouse.formats.decimals import exact_number
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.text_rows import TextRows
from cost_lakehouse.formats.timestamps import to_timestamps


def without_blanks(rows: TextRows, targets: Sequence[Target], table: TableFormat) -> TextRows:
    """The rows without what stands for a missing value: the table's own text for it, and blanks in columns of codes."""
    columns = [
        _without(column, table.null_text, target.key is None and (target.fills or target.column) in table.codes)
        for column, target in zip(rows.columns, targets, strict=True)
    ]
    return TextRows(columns, rows.records, rows.coded)


def one_column_each(rows: TextRows, targets: Sequence[Target], file: str) -> tuple[TextRows, list[RejectedValue]]:
    """Each column filled, where it has no value, from a later one of its name; and every row where both have one and differ.

    Numbers are compared as numbers, moments as moments.
    """
    if not any(target.fills for target in targets):
        return rows, []
    columns = list(rows.columns)
    places = {target.column: index for index, target in enumerate(targets) if target.key is None}
    rejected: list[RejectedValue] = []
    for index, target in enumerate(targets):
        if target.fills is None:
            continue
        place = places[target.fills]
        first = targets[place]
        texts = [item if pa.types.is_timestamp(item.type) else _plain(item) for item in (columns[place], columns[index])]
        ours, theirs = (to_timestamps(text).stored for text in texts) if first.kind == "timestamp" else texts
        unequal = pc.indices_nonzero(pc.fill_null(pc.not_equal(ours, theirs), False)).to_pylist()
        for row in unequal:
            value, other = theirs[row].as_py(), ours[row].as_py()
            if first.kind == "decimal" and _number(value) == _number(other):
                continue
            reason = (
                f"is not what the other column {first.delivered} says, {shortened(str(other))!r}: the header has it twice, "
                f"as columns {min(place, index) + 1} and {max(place, index) + 1}"
            )
            rejected.append(RejectedValue(str(value), file, int(rows.records[row]), target.delivered, reason))
        same_type = texts[0].type == texts[1].type
        columns[place] = pc.coalesce(*texts) if same_type else pc.coalesce(ours, theirs)
    return TextRows(columns, rows.records, rows.coded), rejected


def _plain(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _number(text: str) -> Decimal | str:
    """The number that a text is, or the text."""
    try:
        exact = exact_number(text)
    except OverflowError:
        exact = None
    return text if exact is None else exact


def _without(column: pa.Array, null_text: str, is_code: bool) -> pa.Array:
    """The column with null for what stands for it."""
    if not (null_text or is_code):
        return column
    if pa.types.is_dictionary(column.type):
        missing = _missing(column.dictionary, null_text, is_code)
        if not pc.any(missing).as_py():
            return column
        indices = pc.if_else(missing.take(column.indices), None, column.indices)
        return pa.DictionaryArray.from_arrays(indices, column.dictionary)
    if not pa.types.is_string(column.type):
        return column
    missing = _missing(column, null_text, is_code)
    return pc.if_else(missing, pa.scalar(None, pa.string()), column) if pc.any(missing).as_py() else column


def _missing(texts: pa.Array, null_text: str, is_code: bool) -> pa.Array:
    missing = pc.equal(texts, null_text) if null_text else None
    if is_code:
        blank = pc.utf8_is_space(texts)
        missing = blank if missing is None else pc.or_(missing, blank)
    return pc.fill_null(missing, False)
