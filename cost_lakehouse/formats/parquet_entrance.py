"""The one entrance for values out of Parquet: whatever type they have, they become what a CSV file gives, or are rejected.

A writer is free in how it stores a bill: text as bytes or codes, ids as numbers, amounts as decimals, moments in any unit,
labels as maps, lists or structs. Behind this module there are only text, doubles, moments and maps of text, all of them
readable: text is UTF-8, no map has a key without a name, and no moment lies outside the calendar. ``parquet_column`` takes a
column; here columns are a record's, and account ids are what their provider writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.parquet_column import ParquetColumn, unwrapped
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.text_rows import TextRows

ACCOUNT_DIGITS = 12


def from_parquet(
    batch: pa.RecordBatch, targets: Sequence[Target], first_record: int, file: str, table: TableFormat
) -> TextRows:
    """The records of a Parquet batch as text, so that they take the same way as CSV.

    A double becomes its shortest decimal text (0.1 is 0.1), so CSV and Parquet deliveries give the same numbers wherever a
    double can hold them; one that becomes a decimal stays a double until then. An empty text is null. A value that is neither
    text, number, moment nor map where one is needed is null, and ``rejected``.
    """
    filled = {target.fills for target in targets} - {None}
    records = np.arange(first_record, first_record + batch.num_rows, dtype=np.int64)
    columns, rejected, numbers = [], [], []
    for index, (column, target) in enumerate(zip(batch.columns, targets, strict=True)):
        entrance = ParquetColumn(target, bool({target.fills, target.column} & filled))
        columns.append(entrance.values(unwrapped(column)))
        rejected += entrance.rejected_values(file, first_record)
        if (target.fills or (target.column if target.key is None else None)) in table.account_ids and _is_number(column.type):
            numbers.append(index)
    for index in numbers:
        column, wrong = _account_ids(columns[index], _is_aws(columns, targets, table))
        columns[index] = column
        for row, (value, reason) in wrong.items():
            rejected.append(RejectedValue(value, file, first_record + row, targets[index].delivered, reason))
    return TextRows(columns, records, coded=True, rejected=rejected)


def _account_ids(text: pa.Array, is_aws: pa.Array | None) -> tuple[pa.Array, dict[int, tuple[str, str]]]:
    """Account ids that were written as numbers: AWS's have 12 digits, and a number has lost those that are zeros in front.

    ``is_aws`` tells of each row whether its account is AWS's, null where nothing does; None: all are.
    """
    text = text if pa.types.is_string(text.type) else text.cast(pa.string())
    length = pc.utf8_length(text)
    plain = pc.match_substring_regex(text, "^[0-9]+$")
    short = pc.less(length, ACCOUNT_DIGITS)
    of_aws = pa.repeat(pa.scalar(True), len(text)) if is_aws is None else is_aws
    wrong: dict[int, tuple[str, str]] = {}
    unknown = pc.and_(of_aws.is_null(), pc.or_(short, pc.invert(plain)))
    for row in pc.indices_nonzero(pc.fill_null(unknown, False)).to_pylist():
        wrong[row] = (text[row].as_py(), "is an account id as a number: whether it lost zeros in front cannot be known")
    of_aws = pc.fill_null(of_aws, False)
    no_id = pc.and_(of_aws, pc.or_(pc.greater(length, ACCOUNT_DIGITS), pc.invert(plain)))
    for row in pc.indices_nonzero(pc.fill_null(no_id, False)).to_pylist():
        wrong[row] = (text[row].as_py(), f"is no AWS account id: they have {ACCOUNT_DIGITS} digits")
    padded = pc.if_else(pc.fill_null(pc.and_(of_aws, short), False), pc.utf8_lpad(text, ACCOUNT_DIGITS, "0"), text)
    return padded, wrong


def _is_aws(columns: Sequence[pa.Array], targets: Sequence[Target], table: TableFormat) -> pa.Array | None:
    """Whether a row's provider is AWS, null where the row names none; None where the table knows no other."""
    if not table.account_ids_of:
        return None
    names = [
        columns[index].cast(pa.string())
        for index, target in enumerate(targets)
        if (target.fills or (target.column if target.key is None else None)) in table.account_ids_of
    ]
    lowered = [pc.utf8_lower(name) for name in names]
    found = [pc.or_(pc.starts_with(name, "aws"), pc.starts_with(name, "amazon")) for name in lowered]
    any_named = pc.coalesce(*names).is_valid()
    is_aws = found[0]
    for entry in found[1:]:
        is_aws = pc.or_kleene(is_aws, entry)
    return pc.if_else(any_named, pc.fill_null(is_aws, False), pa.scalar(None, pa.bool_()))


def _is_number(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_number(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
