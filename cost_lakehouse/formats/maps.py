"""Maps of text: many sparse columns become one, row by row in numpy; whole maps and columns that fill one map come together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.labels import Labels, read_labels, without_repeats
from cost_lakehouse.formats.raw_schema import CODED_MAP, CODED_TEXT

# A dictionary writes each key's text once; in the file it is a plain map of text. Every map of rows that are not coded has
# this one type (of coded ones CODED_MAP), or its batches would not fit into one file.
PLAIN_MAP = pa.map_(CODED_TEXT, pa.string())
_BITS = 62  # keys that fit into one number, a bit each


def map_type(coded: bool) -> pa.DataType:
    """The type of every map of coded rows, or of others."""
    return CODED_MAP if coded else PLAIN_MAP


@dataclass
class Gathered:
    """One map a row with each key once.

    ``repeats`` are values that differ from the one in the map, by key: a text a row, null where there is none.
    """

    maps: pa.Array
    repeats: dict[str, pa.Array] = field(default_factory=dict)


@dataclass
class JsonMaps:
    """Texts as maps. ``unread`` holds the texts that say more than the maps, ``wrong`` those with labels that these lack."""

    maps: pa.Array
    unread: pa.Array
    wrong: pa.Array


def gather(
    wholes: Sequence[pa.Array],
    columns: Sequence[tuple[str, pa.Array]],
    rows: int,
    coded: bool = False,
    same: Callable[[str], str] | None = None,
) -> Gathered:
    """One map a row out of whole maps, and columns that give one entry each.

    Where a key is given twice, the first value that is not empty is taken, whole maps first. Keys that ``same`` makes equal are
    spellings of one key, which of several maps and columns one gives; of one map both stay. ``coded`` keeps codes of the text.
    """
    there = [array for array in wholes if array.null_count < rows]
    keys = [key for key, values in columns if values.null_count < rows]
    if not there and len(set(keys)) == len(keys):
        return Gathered(to_map(columns, rows, coded))
    if len(there) == 1 and not keys and not has_repeats(there[0]):
        return Gathered(there[0] if there[0].type == map_type(coded) else _recoded(there[0], coded))
    parts = [*there, *(to_map([(key, values)], rows, coded) for key, values in columns if values.null_count < rows)]
    return _together(parts, rows, coded, same)


def to_map(columns: Sequence[tuple[str, pa.Array]], rows: int, coded: bool = False) -> pa.Array:
    """One map a row with an entry for every column that has a value there; null where none has. Keys are distinct.

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


def json_maps(column: pa.Array, coded: bool = False) -> JsonMaps:
    """Texts that hold labels as maps; a map stays one. Nothing, or an object without entries, is null.

    A value that is no text keeps its JSON spelling: ``true``, ``1.50``, ``{"a": 1}``. ``coded`` keeps codes of the text.
    """
    nothing = pa.nulls(len(column), pa.string())
    if pa.types.is_map(column.type):
        return JsonMaps(_recoded(column, coded), nothing, nothing)
    if column.null_count == len(column):
        return JsonMaps(pa.nulls(len(column), map_type(coded)), nothing, nothing)
    encoded = _coded(column)
    texts = encoded.dictionary.to_pylist()
    labels = [_labels(text) for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(label.pairs) for label in labels], out=offsets[1:])
    flat = [pair for label in labels for pair in label.pairs]
    keys = pa.array([key for key, _ in flat], pa.string()).dictionary_encode()
    values = pa.array([value for _, value in flat], pa.string())
    maps = _map(offsets, keys, _coded(values) if coded else values)
    told = list(zip(texts, labels, strict=True))
    unread = pa.array([None if item.whole and not item.rest else text for text, item in told], pa.string())
    wrong = pa.array([None if item.whole else text for text, item in told], pa.string())
    return JsonMaps(maps.take(encoded.indices), unread.take(encoded.indices), wrong.take(encoded.indices))


def entries_of(maps: pa.Array, prefix: str, renamed: Callable[[str], str], coded: bool = False) -> pa.Array:
    """Of each map the entries whose key begins with ``prefix``, under a name that is made of the rest of the key."""
    row, keys, items = _entries(maps)
    names = keys.dictionary.to_pylist()
    wanted = np.array([name is not None and len(name) > len(prefix) and name.startswith(prefix) for name in names], bool)
    chosen = np.flatnonzero(wanted[keys.indices.to_numpy()]) if len(names) else np.zeros(0, np.int64)
    others = pa.array(
        [renamed(name[len(prefix) :]) if use else "" for name, use in zip(names, wanted, strict=True)], pa.string()
    )
    indices = keys.indices.take(pa.array(chosen))
    taken = others.take(indices).dictionary_encode()
    return _map(_offsets(row[chosen], len(maps)), taken, _items(items.take(pa.array(chosen)), coded))


def _labels(text: str | None) -> Labels:
    labels = read_labels(text) if text is not None else Labels([])
    return Labels([], whole=False) if labels is None else without_repeats(labels)


def _together(parts: Sequence[pa.Array], rows: int, coded: bool, same: Callable[[str], str] | None) -> Gathered:
    """The entries of all parts: of each key that a row has, the first with a value stays."""
    found = [_entries(part) for part in parts]
    row = np.concatenate([entry[0] for entry in found])
    keys = pa.concat_arrays([entry[1].dictionary_decode() for entry in found]).dictionary_encode()
    items = pa.concat_arrays([_plain(entry[2]) for entry in found])
    part = np.repeat(np.arange(len(parts)), [len(entry[0]) for entry in found])
    names = keys.dictionary.to_pylist()
    code = keys.indices.to_numpy().astype(np.int64)
    texts = pc.fill_null(items, "")
    empty = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    value = texts.dictionary_encode().indices.to_numpy()

    entries, leader = _led(np.arange(len(row)), (row, code), (empty, part))
    kept = np.sort(entries[entries == leader])
    lost = entries[~empty[entries] & (value[entries] != value[leader])]
    beside = np.zeros(0, np.int64)
    if same is not None and len(parts) > 1:
        spelled: dict[str, int] = {}
        meant = np.array([spelled.setdefault(same(name), len(spelled)) for name in names], np.int64)[code]
        entries, leader = _led(kept, (row, meant), (part,))
        again = part[entries] != part[leader]  # two spellings in one part are two keys: only what the part tells apart
        equal = empty[entries] | (value[entries] == value[leader])
        kept = np.sort(entries[~(again & equal)])
        beside = entries[again & ~equal]
    kept = kept[np.argsort(row[kept], kind="stable")]
    chosen = pa.array(kept)
    maps = _map(_offsets(row[kept], rows), keys.take(chosen), _items(items.take(chosen), coded))
    return Gathered(maps, _by_key(np.concatenate((lost, beside)), row, code, names, items, rows))


def _led(
    entries: np.ndarray, group: tuple[np.ndarray, np.ndarray], rank: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Entries by their group, in it by rank and then as they stand, and beside each one the first of its group."""
    order = entries[
        np.lexsort((entries, *(item[entries] for item in reversed(rank)), *(item[entries] for item in reversed(group))))
    ]
    first = np.ones(len(order), bool)
    first[1:] = np.logical_or.reduce([item[order][1:] != item[order][:-1] for item in group])
    return order, order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]


def _by_key(
    told: np.ndarray, row: np.ndarray, code: np.ndarray, names: list[str], items: pa.Array, rows: int
) -> dict[str, pa.Array]:
    """Values by their key, a text a row."""
    repeats: dict[str, pa.Array] = {}
    for item in np.unique(code[told]).tolist():
        texts: list[str | None] = [None] * rows
        for entry in told[code[told] == item].tolist():
            said, place = items[entry].as_py(), int(row[entry])
            texts[place] = said if texts[place] in (None, said) else f"{texts[place]}, {said}"
        repeats[names[item]] = pa.array(texts, pa.string())
    return repeats


def has_repeats(maps: pa.Array) -> bool:
    """Whether a row has a key twice. Counted by bits, a key each: sorting all entries would cost what a load cannot spare."""
    offsets = maps.offsets.to_numpy()
    keys = _distinct_keys(maps)
    if len(keys) < 2:
        return False
    codes = keys.indices.to_numpy(zero_copy_only=False)
    starts = offsets[:-1][np.diff(offsets) > 0] - offsets[0]
    rises = codes[1:] > codes[:-1]
    rises[starts[1:] - 1] = True
    if rises.all():  # in one order in every row, as one writer lists them
        return False
    codes = codes.astype(np.int64)
    for low in range(0, len(keys.dictionary), _BITS):
        inside = (codes >= low) & (codes < low + _BITS)
        bits = np.where(inside, np.int64(1) << np.where(inside, codes - low, 0), 0)
        if (np.add.reduceat(bits, starts) != np.bitwise_or.reduceat(bits, starts)).any():
            return True
    return False


def _entries(maps: pa.Array) -> tuple[np.ndarray, pa.DictionaryArray, pa.Array]:
    """Each entry's row, its key as a code of distinct texts, and its value."""
    offsets = maps.offsets.to_numpy()
    row = np.repeat(np.arange(len(maps)), np.diff(offsets))
    return row, _distinct_keys(maps), maps.items.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def _distinct_keys(maps: pa.Array) -> pa.DictionaryArray:
    """The keys of all entries as codes of texts, each text once."""
    offsets = maps.offsets
    start = offsets[0].as_py()
    keys = maps.keys.slice(start, offsets[len(offsets) - 1].as_py() - start)
    coded = _coded(keys)
    if pc.count_distinct(coded.dictionary).as_py() < len(coded.dictionary):
        return keys.cast(pa.string()).dictionary_encode()
    return coded


def _offsets(row: np.ndarray, rows: int) -> np.ndarray:
    """Where each row's entries begin, of entries in the rows' order."""
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=rows), out=offsets[1:])
    return offsets


def _recoded(maps: pa.Array, coded: bool) -> pa.Array:
    return _map(maps.offsets.to_numpy(), _coded(maps.keys), _items(maps.items, coded))


def _items(items: pa.Array, coded: bool) -> pa.Array:
    return _coded(items) if coded else _plain(items)


def _plain(text: pa.Array) -> pa.Array:
    return text if pa.types.is_string(text.type) else text.cast(pa.string())


def _coded(text: pa.Array) -> pa.Array:
    """Text as codes, which it may be already."""
    return text if text.type == CODED_TEXT else text.dictionary_encode()


def _map(offsets: np.ndarray, keys: pa.Array, items: pa.Array) -> pa.Array:
    """A map array whose rows without entries are null (a null offset marks one: Arrow's convention for list-like arrays)."""
    nothing = np.diff(offsets) == 0
    marked = pa.array(offsets, mask=np.append(nothing, False)) if nothing.any() else pa.array(offsets)
    return pa.MapArray.from_arrays(marked, keys, items)
