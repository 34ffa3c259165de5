"""Many sparse text columns become one map column, row by row in numpy: no Python per value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cost_lakehouse.formats.aws_cur_schema import TEXT_MAP


def to_map(columns: Sequence[tuple[str, pa.Array]], rows: int) -> pa.Array:
    """One map a row with an entry for every column that has a value there; null where none has."""
    filled = [(key, values) for key, values in columns if values.null_count < rows]
    if not filled:
        return pa.nulls(rows, TEXT_MAP)
    present = np.stack([values.is_valid().to_numpy(zero_copy_only=False) for _, values in filled], axis=1)
    entries = np.flatnonzero(present)
    row, column = np.divmod(entries, len(filled))
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    together = pa.concat_arrays([values for _, values in filled])
    items = together.take(pa.array(column * rows + row))
    # A dictionary writes each key's text once; in the file it is a plain map of text.
    keys = pa.DictionaryArray.from_arrays(pa.array(column.astype(np.int32)), pa.array([key for key, _ in filled], pa.string()))
    nothing = np.diff(offsets) == 0
    return (
        pa.MapArray.from_arrays(pa.array(offsets), keys, items)
        if not nothing.any()
        else _with_nulls(offsets, nothing, keys, items)
    )


def _with_nulls(offsets: np.ndarray, nothing: np.ndarray, keys: pa.Array, items: pa.Array) -> pa.Array:
    """A null offset marks a null map (Arrow's convention for list-like arrays)."""
    marked = pa.array(offsets, mask=np.append(nothing, False))
    return pa.MapArray.from_arrays(marked, keys, items)
