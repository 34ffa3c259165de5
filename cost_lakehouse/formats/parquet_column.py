"""One column of a Parquet batch, of whatever type, as text, doubles, moments or maps of text; other values are rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.raw_schema import CODED_MAP, CODED_TEXT, TEXT_MAP

# Up to there every whole number has a value of its own in a floating-point type of so many bits.
_WHOLE_UP_TO = {64: 2**53, 32: 2**24, 16: 2**11}
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND, _END_SECOND = -62135596800, 253402300800  # the years 1 to 9999: what calendars of programs can show
_KEYS, _VALUES = ("key", "name", "k"), ("value", "val", "v")


class ParquetColumn:
    """Takes one column of one batch."""

    def __init__(self, target: Target, twice: bool) -> None:
        """``twice``: the header has the column twice, so that both are compared as text."""
        self._target = target
        self._twice = twice
        column = target.fills or (target.column if target.key is None else "")
        self._is_id = column.endswith("_id")
        self._rejected: dict[int, tuple[str, str]] = {}

    def rejected_values(self, file: str, first_record: int) -> list[RejectedValue]:
        """What was rejected, by record."""
        return [
            RejectedValue(value, file, first_record + row, self._target.delivered, reason)
            for row, (value, reason) in sorted(self._rejected.items())
        ]

    def values(self, column: pa.Array) -> pa.Array:
        """The column as the rest of the loader takes it; a row that is rejected is null."""
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.string())
        if self._target.key is not None:
            return self._text(column)
        kinds: dict[str, Callable[[pa.Array], pa.Array]] = {
            "map": self._maps,
            "timestamp": self._moments,
            "decimal": self._amounts,
        }
        return kinds.get(self._target.kind, self._text)(column)

    # ---- text

    def _text(self, column: pa.Array) -> pa.Array:
        """Text, an empty one as null."""
        kind = column.type
        if kind == CODED_TEXT:
            return (
                _without_empty_code(column)
                if _is_valid(column)
                else self._text(column.cast(pa.dictionary(pa.int32(), pa.binary())))
            )
        if pa.types.is_dictionary(kind):
            return self._text(column.dictionary_decode())
        if _is_text(kind):
            text = column.cast(pa.string()) if _is_valid(column) else self._of_bytes(_as_binary(column))
        elif _is_bytes(kind):
            text = self._of_bytes(_as_binary(column))
        elif pa.types.is_floating(kind):
            text = self._of_floats(column)
        elif pa.types.is_decimal(kind):
            text = self._of_decimals(column)
        elif pa.types.is_timestamp(kind):
            text = pc.strftime(self._within_calendar(column).cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
        elif pa.types.is_date(kind):
            text = pc.strftime(self._moments(column), format="%Y-%m-%d")
        elif pa.types.is_nested(kind):
            text = self._of_nested(column)
        else:
            try:
                text = column.cast(pa.string())
            except pa.ArrowException:
                return self._no(column, "text")
        return pc.if_else(pc.equal(text, ""), None, text)

    def _of_bytes(self, column: pa.Array) -> pa.Array:
        """Bytes as the UTF-8 text that they are."""
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            texts = []
            for row, value in enumerate(column.to_pylist()):
                try:
                    texts.append(None if value is None else value.decode())
                except UnicodeDecodeError:
                    self._reject(row, value.decode("utf-8", "backslashreplace"), "is not UTF-8 text")
                    texts.append(None)
            return pa.array(texts, pa.string())

    def _of_floats(self, column: pa.Array) -> pa.Array:
        """Numbers without an exponent: where an id was expected, whole ones that lost no digit."""
        limit = _WHOLE_UP_TO[column.type.bit_width]
        texts: dict[Any, str | None] = {None: None}
        result: list[str | None] = []
        for row, number in enumerate(_scalars(column)):
            if number not in texts:
                exact = Decimal(str(number))
                whole = exact.is_finite() and exact == exact.to_integral_value()
                if not exact.is_finite():
                    self._reject(row, str(number), "is a floating-point number that has no value")
                elif self._is_id and not whole:
                    self._reject(row, str(number), "is no id: it is a number with a fraction")
                elif self._is_id and abs(exact) > limit:
                    self._reject(row, str(number), "is an id as a floating-point number that is too short for its digits")
                text = f"{exact.to_integral_value() if whole else exact:f}"
                if row in self._rejected:
                    result.append(None)
                    continue
                texts[number] = text
            result.append(texts[number])
        return pa.array(result, pa.string())

    def _of_decimals(self, column: pa.Array) -> pa.Array:
        if column.type.bit_width < 128:
            column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
        encoded = column.dictionary_encode()
        texts = [f"{row:f}" for row in encoded.dictionary.to_pylist()]
        if self._is_id:
            texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
        return pa.array(texts, pa.string()).take(encoded.indices)

    def _of_nested(self, column: pa.Array) -> pa.Array:
        """Lists, structs and maps as JSON text."""
        texts: list[str | None] = []
        for row in range(len(column)):
            try:
                value = column[row].as_py(maps_as_pydicts="strict")
                texts.append(None if value is None else json.dumps(_plain(value), default=str, ensure_ascii=False))
            except (ValueError, KeyError, OverflowError, TypeError, pa.ArrowException) as error:
                self._reject(row, str(column.type), f"cannot be read: {_short(error)}")
                texts.append(None)
        return pa.array(texts, pa.string())

    # ---- amounts

    def _amounts(self, column: pa.Array) -> pa.Array:
        kind = column.type
        if pa.types.is_float64(kind):
            return column.cast(pa.string()) if self._twice else column
        if pa.types.is_floating(kind):
            return pa.array([None if scalar is None else str(scalar) for scalar in _scalars(column)], pa.string())
        if pa.types.is_decimal(kind):
            return self._of_decimals(column)
        if pa.types.is_integer(kind):
            return column.cast(pa.string())
        if pa.types.is_dictionary(kind):
            return self._amounts(column.dictionary_decode())
        if _is_text(kind) or _is_bytes(kind):
            return self._text(column)
        return self._no(column, "number")

    # ---- moments

    def _moments(self, column: pa.Array) -> pa.Array:
        kind = column.type
        if pa.types.is_timestamp(kind):
            return self._within_calendar(column)
        if pa.types.is_date64(kind):
            return self._within_calendar(column.cast(pa.int64()).cast(pa.timestamp("ms")))
        if pa.types.is_date(kind):
            seconds = pc.multiply(column.cast(pa.int32()).cast(pa.int64()), 86400)
            return self._within_calendar(seconds.cast(pa.timestamp("s")))
        if pa.types.is_dictionary(kind):
            return self._moments(column.dictionary_decode())
        if _is_text(kind) or _is_bytes(kind):
            text = self._text(column)
            return text if pa.types.is_string(text.type) else text.cast(pa.string())
        return self._no(column, "moment")

    def _within_calendar(self, column: pa.Array) -> pa.Array:
        """Moments, without those of years that programs cannot show; finer than microseconds is cut off by who casts them."""
        ticks = _TICKS[column.type.unit]
        if ticks == _TICKS["ns"]:
            return column  # 292 years around 1970
        numbers = column.cast(pa.int64())
        outside = pc.or_(pc.less(numbers, _FIRST_SECOND * ticks), pc.greater_equal(numbers, _END_SECOND * ticks))
        rows = pc.indices_nonzero(pc.fill_null(outside, False)).to_pylist()
        for row in rows:
            self._reject(row, f"{numbers[row].as_py()} {column.type.unit}", "is no moment of the years 1 to 9999")
        return pc.if_else(outside, pa.scalar(None, column.type), column) if rows else column

    # ---- maps

    def _maps(self, column: pa.Array) -> pa.Array:
        kind = column.type
        if pa.types.is_map(kind):
            if kind in (CODED_MAP, TEXT_MAP) and _is_valid(column) and column.keys.null_count == 0:
                return column
            offsets = column.offsets.to_numpy()
            start, length = int(offsets[0]), int(offsets[-1] - offsets[0])
            lengths = np.diff(offsets)
            return self._of_entries(column, lengths, column.keys.slice(start, length), column.items.slice(start, length))
        if _is_list(kind) and pa.types.is_struct(kind.value_type) and (names := _key_and_value(kind.value_type)) is not None:
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
            structs = column.flatten()
            keys, items = (pc.struct_field(structs, name) for name in names)
            return self._of_entries(column, lengths, keys, items)
        if pa.types.is_struct(kind):
            return self._of_nested_without_nulls(column)
        if pa.types.is_nested(kind):
            return self._of_nested(column)
        if _is_text(kind) or _is_bytes(kind) or pa.types.is_dictionary(kind):
            text = self._text(column)
            return text if pa.types.is_string(text.type) else text.cast(pa.string())
        return self._no(column, "map")

    def _of_entries(self, column: pa.Array, lengths: np.ndarray, keys: pa.Array, items: pa.Array) -> pa.Array:
        """Maps of text, of entries that were written in other types."""
        row_of_entry = np.repeat(np.arange(len(column)), lengths)
        sides = []
        for side in (keys, items):
            inner = ParquetColumn(Target(self._target.delivered, "", "text"), False)
            text = inner._text(unwrapped(side)) if len(side) else pa.nulls(0, pa.string())
            sides.append(text if pa.types.is_string(text.type) else text.cast(pa.string()))
            for entry, (value, reason) in inner._rejected.items():
                self._reject(int(row_of_entry[entry]), value, reason)
        for entry in pc.indices_nonzero(unwrapped(keys).is_null()).to_pylist():
            self._reject(int(row_of_entry[entry]), "", "is a map with a key that has no name")
        good = np.ones(len(column), bool)
        good[list(self._rejected)] = False
        chosen = np.flatnonzero(good[row_of_entry])
        offsets = np.zeros(len(column) + 1, np.int32)
        np.cumsum(np.where(good, lengths, 0), out=offsets[1:])
        names = pc.fill_null(sides[0].take(pa.array(chosen)), "")
        return pa.MapArray.from_arrays(pa.array(offsets), names, sides[1].take(pa.array(chosen)))

    def _of_nested_without_nulls(self, column: pa.Array) -> pa.Array:
        """A struct is a map whose absent keys are null."""
        texts = []
        for text in self._of_nested(column).to_pylist():
            entries = None if text is None else {key: item for key, item in json.loads(text).items() if item is not None}
            texts.append(json.dumps(entries, ensure_ascii=False) if entries else None)
        return pa.array(texts, pa.string())

    # ---- rejection

    def _no(self, column: pa.Array, wanted: str) -> pa.Array:
        """A whole column of a type that says nothing here: its first value stands for all."""
        row = int(pc.index(column.is_valid(), True).as_py())
        self._reject(row, str(column[row]), f"is no {wanted}: the column's type is {column.type}")
        return pa.nulls(len(column), pa.string())

    def _reject(self, row: int, value: str, reason: str) -> None:
        self._rejected.setdefault(row, (value, reason))


def unwrapped(column: pa.Array) -> pa.Array:
    """Without what only wraps other types: extensions, runs."""
    if isinstance(column, pa.ExtensionArray):
        if str(column.type) == "extension<arrow.uuid>":
            return pa.array([None if row is None else str(row) for row in column.to_pylist()], pa.string())
        return unwrapped(column.storage)
    if pa.types.is_run_end_encoded(column.type):
        return unwrapped(pc.run_end_decode(column))
    return column


def _is_valid(column: pa.Array) -> bool:
    """Whether all text in a column, within maps too, is UTF-8."""
    if pa.types.is_map(column.type):
        return _is_valid(column.keys) and _is_valid(column.items)
    try:
        # Of codes the texts that they stand for: each is looked at once.
        (column.dictionary if pa.types.is_dictionary(column.type) else column).validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _without_empty_code(column: pa.DictionaryArray) -> pa.Array:
    """Codes of text; an empty text is null."""
    empty = pc.index(column.dictionary, "").as_py()
    if empty < 0:
        return column
    if len(column.dictionary) == 1:
        return pa.nulls(len(column), pa.string())
    indices = pc.if_else(pc.equal(column.indices, pa.scalar(empty, pa.int32())), None, column.indices)
    return pa.DictionaryArray.from_arrays(indices, column.dictionary)


def _as_binary(column: pa.Array) -> pa.Array:
    """Bytes in one type; text of a fixed width is filled up with zero bytes, which are no part of it."""
    if not pa.types.is_fixed_size_binary(column.type):
        return column.cast(pa.binary())
    return pa.array([None if row is None else row.rstrip(b"\0") for row in column.to_pylist()], pa.binary())


def _scalars(column: pa.Array) -> list[Any]:
    """Floating-point numbers as numpy's, whose text is the shortest of their own type; null is None."""
    numbers = pc.fill_null(column, pa.scalar(0.0).cast(column.type)).to_numpy(zero_copy_only=False)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return [number if there else None for number, there in zip(numbers, valid, strict=True)]


def _plain(value: Any) -> Any:
    """A nested value in JSON's types; bytes are text.

    Raises UnicodeDecodeError where they are none.
    """
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _key_and_value(struct: pa.StructType) -> tuple[str, str] | None:
    """The fields of a struct that is an entry of a map."""
    names = {field.name.lower().replace("_", "").removeprefix("tag"): field.name for field in struct}
    if len(names) != 2 or struct.num_fields != 2:
        return None
    key = next((names[item] for item in _KEYS if item in names), None)
    value = next((names[item] for item in _VALUES if item in names), None)
    return None if key is None or value is None else (key, value)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__
