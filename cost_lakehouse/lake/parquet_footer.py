"""The footer of a Parquet file as a tree that can be changed and written again; pyarrow reads footers and writes none.

Thrift's compact protocol, as the Parquet format has it (parquet.thrift): a struct is field id -> (kind, value), a list is
(kind of its items, items). What is not understood is kept as it is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Struct = dict[int, tuple[int, Any]]
List = tuple[int, list[Any]]

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
MAGIC = b"PAR1"
_STOP = b"\0"


@contextmanager
def without_collector() -> Iterator[None]:
    """A footer is hundreds of thousands of objects that all stay: looking for garbage among them takes most of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_footer(content: bytes) -> Struct:
    """A footer's bytes, without its length and the magic bytes, as a tree. Raises ValueError where they are none."""
    try:
        with without_collector():
            footer, end = _struct(content, 0)
    except (IndexError, RecursionError) as error:
        raise ValueError("this is no Parquet footer") from error
    if end != len(content):
        raise ValueError(f"a Parquet footer of {len(content)} bytes ends after {end}")
    return footer


def write_footer(footer: Struct) -> bytes:
    """The tree as bytes: those that it was read from, where nothing was changed."""
    parts: list[bytes] = []
    _write_struct(footer, parts)
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _struct(data: bytes, at: int) -> tuple[Struct, int]:
    fields: Struct = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if not head:
            return fields, at
        kind = head & 0x0F
        if head >> 4:
            number += head >> 4
        else:
            zigzag, at = _varint(data, at)
            number = (zigzag >> 1) ^ -(zigzag & 1)
        if I16 <= kind <= I64:  # nearly all that a footer has
            zigzag, at = _varint(data, at)
            fields[number] = kind, (zigzag >> 1) ^ -(zigzag & 1)
        elif kind in (TRUE, FALSE):
            fields[number] = kind, None
        else:
            value, at = _value(data, at, kind)
            fields[number] = kind, value


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == BINARY:
        length, at = _varint(data, at)
        if at + length > len(data):
            raise IndexError
        return data[at : at + length], at + length
    if kind == STRUCT:
        return _struct(data, at)
    if I16 <= kind <= I64:
        zigzag, at = _varint(data, at)
        return (zigzag >> 1) ^ -(zigzag & 1), at
    if kind in (LIST, SET):
        return _list(data, at)
    if kind in (TRUE, FALSE, BYTE):  # of a list: a byte each
        return data[at], at + 1
    if kind == DOUBLE:
        return data[at : at + 8], at + 8
    raise ValueError(f"a Parquet footer has no values of kind {kind}")


def _list(data: bytes, at: int) -> tuple[List, int]:
    head = data[at]
    at += 1
    kind, count = head & 0x0F, head >> 4
    if count == 15:
        count, at = _varint(data, at)
    items = []
    for _ in range(count):
        item, at = _value(data, at, kind)
        items.append(item)
    return (kind, items), at


def _as_varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _as_zigzag(value: int) -> bytes:
    return _as_varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _write_struct(fields: Struct, parts: list[bytes]) -> None:
    before = 0
    for number in sorted(fields):
        kind, value = fields[number]
        step = number - before
        before = number
        parts.append(bytes((step << 4 | kind,)) if 0 < step < 16 else bytes((kind,)) + _as_zigzag(number))
        if kind not in (TRUE, FALSE):
            _write_value(kind, value, parts)
    parts.append(_STOP)


def _write_value(kind: int, value: Any, parts: list[bytes]) -> None:
    if I16 <= kind <= I64:
        parts.append(_as_zigzag(value))
    elif kind == BINARY:
        parts += (_as_varint(len(value)), value)
    elif kind == STRUCT:
        _write_struct(value, parts)
    elif kind in (LIST, SET):
        of, items = value
        parts.append(bytes((len(items) << 4 | of,)) if len(items) < 15 else bytes((0xF0 | of,)) + _as_varint(len(items)))
        for item in items:
            _write_value(of, item, parts)
    elif kind == DOUBLE:
        parts.append(value)
    else:
        parts.append(bytes((value,)))
