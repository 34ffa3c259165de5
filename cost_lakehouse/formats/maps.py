"""Maps of text: many sparse columns become one, row by row in numpy, and JSON objects are read once a distinct text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cost_lakehouse.formats.raw_schema import CODED_MAP, CODED_TEXT

# A dictionary writes each key's text once; in the file it is a plain map of text. Every map of rows that are not coded has
# this one type (of coded ones CODED_MAP), or its batches would not fit into one file.
PLAIN_MAP = pa.map_(CODED_TEXT, pa.string())


def map_type(coded: bool) -> pa.DataType:
    """The type of every map of coded rows, or of others."""
    return CODED_MAP if coded else PLAIN_MAP


def to_map(columns: Sequence[tuple[str, pa.Array]], rows: int, coded: bool = False) -> pa.Array:
    """One map a row with an entry for every column that has a value there; null where none has.

    ``coded`` keeps codes of the text.
    """
    filled = [(key, values) for key, values in columns if values.null_count < rows]
    if not filled:
        return pa.nulls(rows, map_type(coded))
    present = np.stack([values.is_valid().to_numpy(zero_copy_only=False) for _, values in filled], axis=1)
    entries = np.flatnonzero(present)
    row, column = np.divmod(entries, len(filled))
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    together = pa.concat_arrays([_coded(values) if coded else values for _, values in filled])
    items = together.take(pa.array(column * rows + row))
    keys = pa.DictionaryArray.from_arrays(pa.array(column.astype(np.int32)), pa.array([key for key, _ in filled], pa.string()))
    return _map(offsets, keys, items)


def json_maps(column: pa.Array, coded: bool = False) -> tuple[pa.Array, pa.Array]:
    """JSON objects as maps, and the texts that are none (null elsewhere); a map stays one. An empty object is null.

    A value that is no text keeps its JSON spelling: ``true``, ``1.50``, ``{"a": 1}``. ``coded`` keeps codes of the text.
    """
    if pa.types.is_map(column.type):
        items = _coded(column.items) if coded else column.items
        return _map(column.offsets.to_numpy(), _coded(column.keys), items), pa.nulls(len(column), pa.string())
    if column.null_count == len(column):
        return pa.nulls(len(column), map_type(coded)), column
    encoded = column.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    objects = [_pairs(text) for text in texts]
    lengths = [len(pairs or ()) for pairs in objects]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    flat = [pair for pairs in objects for pair in pairs or ()]
    keys = pa.array([key for key, _ in flat], pa.string()).dictionary_encode()
    values = pa.array([value for _, value in flat], pa.string())
    maps = _map(offsets, keys, _coded(values) if coded else values)
    unread = pa.array([text if pairs is None else None for text, pairs in zip(texts, objects, strict=True)], pa.string())
    return maps.take(encoded.indices), unread.take(encoded.indices)


class _Number(str):
    """A number as it is spelled: no digit is lost."""

    __slots__ = ()


class _Object(tuple[tuple[str, object], ...]):
    """A JSON object's entries as they stand there, equal names included."""

    __slots__ = ()


def _pairs(text: str) -> list[tuple[str, str | None]] | None:
    """The entries of a JSON object; None where the text is none, or names a key twice."""
    try:
        value = json.loads(text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, _Object) or len({key for key, _ in value}) < len(value):
        return None
    return [(key, each if each is None or type(each) is str else _spelled(each)) for key, each in value]


def _spelled(value: object) -> str:
    """A JSON value as text."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, _Object):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_spelled(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_spelled(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _coded(text: pa.Array) -> pa.Array:
    """Text as codes, which it may be already."""
    return text if text.type == CODED_TEXT else text.dictionary_encode()


def _map(offsets: np.ndarray, keys: pa.Array, items: pa.Array) -> pa.Array:
    """A map array whose rows without entries are null (a null offset marks one: Arrow's convention for list-like arrays)."""
    nothing = np.diff(offsets) == 0
    marked = pa.array(offsets, mask=np.append(nothing, False)) if nothing.any() else pa.array(offsets)
    return pa.MapArray.from_arrays(marked, keys, items)
