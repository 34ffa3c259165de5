"""Takes row groups out of data files into new ones without decoding them: only what each row says of its delivery is new.

A month that is delivered again is mostly the files of the delivery before. Their rows are stored, proven, and in row groups of
their own; here the bytes of these are copied, and ``delivery_id`` and ``file_name``, each one value in all rows of a group, are
written anew. A digest of the bytes tells that they are those that were proven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO, InputStream

from cost_lakehouse.lake.data_files import file_name
from cost_lakehouse.lake.parquet_footer import (
    BINARY,
    I16,
    I64,
    LIST,
    MAGIC,
    STRUCT,
    TRUE,
    Struct,
    read_footer,
    without_collector,
    write_footer,
)
from cost_lakehouse.lake.slice_writer import ROWS_PER_FILE

_STAMPED = ("delivery_id", "file_name")
_TAIL_BYTES = 1 << 20  # mostly the whole footer
# Fields of parquet.thrift: FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, Statistics, SchemaElement.
_SCHEMA, _ROWS, _GROUPS, _CREATED_BY = 2, 3, 4, 6
_COLUMNS, _GROUP_BYTES, _GROUP_ROWS, _GROUP_OFFSET, _GROUP_PACKED, _GROUP_ORDINAL = 1, 2, 3, 5, 6, 7
_CHUNK_OFFSET, _META = 2, 3
_CHUNK_INDEXES, _CHUNK_SECRETS = (4, 5, 6, 7), (8, 9)
_PATH, _UNPACKED, _PACKED, _DATA_PAGE, _INDEX_PAGE, _CODES_PAGE, _STATISTICS = 3, 6, 7, 9, 10, 11, 12
_BLOOM_FILTER = (14, 15)
_GREATEST, _LEAST, _EXACT_BOUNDS = 5, 6, (7, 8)
_KIND, _REPETITION, _NAME = 1, 3, 4
_REQUIRED, _BYTE_ARRAY = 0, 6


class NotSpliceable(Exception):
    """A file's row groups cannot be taken over as they are."""


@dataclass(frozen=True)
class StoredGroup:
    """A row group of a data file. ``file_name`` is that of all its rows, or None where it has rows of several files."""

    number: int
    rows: int
    file_name: str | None


class StoredFile:
    """A data file whose row groups can be taken over."""

    def __init__(self, name: str, size: int, open_: Callable[[], BinaryIO | InputStream]) -> None:
        """Reads the footer.

        Raises NotSpliceable where that is not as we write it, OSError or LakeError where it cannot be read.
        """
        self.name = name
        self._open = open_
        with open_() as stream:
            tail = _read(stream, max(0, size - _TAIL_BYTES), size)
            length = int.from_bytes(tail[-8:-4], "little")
            if tail[-4:] != MAGIC or length + 8 > size:
                raise NotSpliceable(f"{name} is no Parquet file")
            if length + 8 > len(tail):
                tail = _read(stream, size - 8 - length, size)
        try:
            self.footer = read_footer(tail[-8 - length : -8])
            self.groups = [StoredGroup(number, *_rows_and_name(group)) for number, group in enumerate(self._groups)]
        except (ValueError, KeyError) as error:
            raise NotSpliceable(f"{name}: {error}") from error

    @classmethod
    def at(cls, io: FileIO, location: str) -> StoredFile:
        """A file of the lake."""
        found = io.new_input(location)
        return cls(location, len(found), found.open)

    @classmethod
    def of_path(cls, path: Path) -> StoredFile:
        """A file of this machine."""
        return cls(str(path), path.stat().st_size, lambda: path.open("rb"))

    @property
    def signature(self) -> bytes:
        """What files have in common whose row groups can be in one file: schema and writer."""
        return write_footer({number: self.footer[number] for number in (_SCHEMA, _CREATED_BY) if number in self.footer})

    @property
    def _groups(self) -> list[Struct]:
        found: list[Struct] = self.footer[_GROUPS][1][1]
        return found

    def digest(self, number: int) -> str:
        """SHA-256 of a row group's bytes, but for the columns that are written anew for each delivery."""
        return self._pages(number)[1]

    def _pages(self, number: int) -> tuple[list[memoryview], str]:
        """The bytes of each column of a row group, and their digest."""
        spans = [_span(chunk) for chunk in self._chunks(number)]
        first = min(begin for begin, _ in spans)
        with self._open() as stream:
            content = memoryview(_read(stream, first, max(end for _, end in spans)))
        pages, digest = [content[begin - first : end - first] for begin, end in spans], hashlib.sha256()
        for chunk, page in zip(self._chunks(number), pages, strict=True):
            if _path(chunk) not in _STAMPED:
                digest.update(page)
        return pages, digest.hexdigest()

    def _chunks(self, number: int) -> list[Struct]:
        found: list[Struct] = self._groups[number][_COLUMNS][1][1]
        return found

    def copy(self, number: int, stamps: Mapping[str, tuple[Struct, bytes]], out: BinaryIO, ordinal: int) -> tuple[Struct, str]:
        """Append a row group to ``out``, the columns of ``stamps`` in the place of its own.

        What the footer says of it, and the digest of what was copied.
        """
        pages, digest = self._pages(number)
        start, copied = out.tell(), []
        for chunk, page in zip(self._chunks(number), pages, strict=True):
            now, content = stamps.get(_path(chunk), (chunk, page))
            copied.append(_moved(now, out.tell() - _span(now)[0]))
            out.write(content)
        sizes = {field: sum(chunk[_META][1][field][1] for chunk in copied) for field in (_UNPACKED, _PACKED)}
        result: Struct = {
            **self._groups[number],
            _COLUMNS: (LIST, (STRUCT, copied)),
            _GROUP_BYTES: (I64, sizes[_UNPACKED]),
            _GROUP_OFFSET: (I64, start),
            _GROUP_PACKED: (I64, sizes[_PACKED]),
        }
        if _GROUP_ORDINAL in result:
            result[_GROUP_ORDINAL] = (I16, ordinal)
        return result, digest


@dataclass(frozen=True)
class Kept:
    """Row groups of one file that are taken over: their number -> the file name that their rows get."""

    file: StoredFile
    names: Mapping[int, str]

    @property
    def rows(self) -> int:
        """How many rows they have."""
        return sum(group.rows for group in self.file.groups if group.number in self.names)


@dataclass
class Spliced:
    """New files, and by the file name of their rows the digest of what was copied (``digests_of``)."""

    paths: list[Path]
    digests: Mapping[str, str]


def splice(kept: Sequence[Kept], delivery_id: str, folder: Path, load_id: str) -> Spliced:
    """Write the row groups into new files of a load, numbered from 0, every row with the delivery's id.

    Raises NotSpliceable, OSError or LakeError, and leaves nothing then.
    """
    paths: list[Path] = []
    found: dict[str, list[str]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for number, part in enumerate(_together(kept)):
            paths.append(folder / file_name(load_id, number))
            _write(part, delivery_id, paths[-1], found)
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
    return Spliced(paths, {name: _together_as_one(digests) for name, digests in found.items()})


def digests_of(files: Sequence[StoredFile]) -> dict[str, str]:
    """By file name the digest of all its rows, of delivered files that have row groups of their own alone."""
    found: dict[str, list[str]] = {}
    for file in files:
        for group in file.groups:
            if group.file_name is not None:
                found.setdefault(group.file_name, []).append(file.digest(group.number))
    return {name: _together_as_one(digests) for name, digests in found.items()}


def _together_as_one(digests: Sequence[str]) -> str:
    """One digest of many row groups, whatever their order."""
    return hashlib.sha256(" ".join(sorted(digests)).encode()).hexdigest()


def _together(kept: Sequence[Kept]) -> Iterator[list[Kept]]:
    """What goes into one file: of one schema, and no more rows than other files have."""
    by_signature: dict[bytes, list[Kept]] = {}
    for part in kept:
        if part.names:
            by_signature.setdefault(part.file.signature, []).append(part)
    for parts in by_signature.values():
        waiting: list[Kept] = []
        for part in parts:
            if waiting and sum(one.rows for one in waiting) + part.rows > ROWS_PER_FILE:
                yield waiting
                waiting = []
            waiting.append(part)
        yield waiting


def _write(parts: Sequence[Kept], delivery_id: str, path: Path, digests: dict[str, list[str]]) -> None:
    wanted = [(part.file, number, name) for part in parts for number, name in sorted(part.names.items())]
    rows = [file.groups[number].rows for file, number, _ in wanted]
    stamps = _stamps(parts[0].file, rows, delivery_id, [name for *_, name in wanted])
    groups: list[Struct] = []
    with path.open("xb") as out, without_collector():
        out.write(MAGIC)
        for (file, number, name), stamp in zip(wanted, stamps, strict=True):
            group, digest = file.copy(number, stamp, out, len(groups))
            groups.append(group)
            digests.setdefault(name, []).append(digest)
        footer = write_footer({**parts[0].file.footer, _ROWS: (I64, sum(rows)), _GROUPS: (LIST, (STRUCT, groups))})
        out.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
    _check(path, rows, delivery_id, [name for *_, name in wanted])


def _stamps(
    file: StoredFile, rows: Sequence[int], delivery_id: str, names: Sequence[str]
) -> Iterator[dict[str, tuple[Struct, bytes]]]:
    """For each row group the columns that are one value in all its rows, written by pyarrow as all files are."""
    elements: list[Struct] = file.footer[_SCHEMA][1][1]
    for column in _STAMPED:
        like = [element for element in elements if element[_NAME][1].decode() == column]
        if len(like) != 1 or like[0][_KIND][1] != _BYTE_ARRAY or like[0][_REPETITION][1] != _REQUIRED:
            raise NotSpliceable(f"{file.name} has no column {column} of text that is always there")
    coded = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([pa.field(column, coded, nullable=False) for column in _STAMPED])
    written = BytesIO()
    with pq.ParquetWriter(written, schema, compression="zstd", store_schema=False) as writer:
        for count, name in zip(rows, names, strict=True):
            zeros = pa.repeat(pa.scalar(0, pa.int32()), count)
            columns = [pa.DictionaryArray.from_arrays(zeros, pa.array([value])) for value in (delivery_id, name)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=count)
    content = written.getvalue()
    length = int.from_bytes(content[-8:-4], "little")
    for group in read_footer(content[-8 - length : -8])[_GROUPS][1][1]:
        chunks: list[Struct] = group[_COLUMNS][1][1]
        yield {_path(chunk): (chunk, content[slice(*_span(chunk))]) for chunk in chunks}


def _check(path: Path, rows: Sequence[int], delivery_id: str, names: Sequence[str]) -> None:
    """Read the new footer, and the two columns that were written, by another reader than ours.

    Raises NotSpliceable.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=list(_STAMPED)) as file:
            found = [file.read_row_group(number, columns=list(_STAMPED)) for number in range(file.num_row_groups)]
    except pa.ArrowException as error:
        raise NotSpliceable(f"{path} cannot be read: {error}") from error
    values = [(part.num_rows, *(part.column(column).unique().to_pylist() for column in _STAMPED)) for part in found]
    if values != [(count, [delivery_id], [name]) for count, name in zip(rows, names, strict=True)]:
        raise NotSpliceable(f"{path} does not have the rows that were to be taken over")


def _read(stream: BinaryIO | InputStream, begin: int, end: int) -> bytes:
    """Raises NotSpliceable where the file ends before."""
    stream.seek(begin)
    parts, missing = [], end - begin
    while missing:
        data = stream.read(missing)
        if not data:
            raise NotSpliceable(f"{missing} bytes are missing at the end of a data file")
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def _rows_and_name(group: Struct) -> tuple[int, str | None]:
    rows: int = group[_GROUP_ROWS][1]
    for chunk in group[_COLUMNS][1][1]:
        if any(field in chunk for field in _CHUNK_SECRETS):
            raise ValueError("its columns are encrypted")
        if _path(chunk) == "file_name":
            statistics: Struct = chunk[_META][1].get(_STATISTICS, (STRUCT, {}))[1]
            least, greatest = statistics.get(_LEAST, (BINARY, b"")), statistics.get(_GREATEST, (BINARY, b""))
            is_exact = all(statistics.get(field, (TRUE, None))[0] == TRUE for field in _EXACT_BOUNDS)
            return rows, least[1].decode() if is_exact and least == greatest and least[1] else None
    return rows, None


def _path(chunk: Struct) -> str:
    return b".".join(chunk[_META][1][_PATH][1][1]).decode()


def _span(chunk: Struct) -> tuple[int, int]:
    """Where the pages of a column are: first byte and the one after the last."""
    meta: Struct = chunk[_META][1]
    begin: int = meta[_DATA_PAGE][1]
    if meta.get(_CODES_PAGE, (I64, 0))[1]:
        begin = min(begin, meta[_CODES_PAGE][1])
    return begin, begin + meta[_PACKED][1]


def _moved(chunk: Struct, by: int) -> Struct:
    """A column's entry for its pages elsewhere; what lies outside of row groups (indexes, filters) stays behind."""
    meta = {number: field for number, field in chunk[_META][1].items() if number not in _BLOOM_FILTER}
    for field in (_DATA_PAGE, _INDEX_PAGE, _CODES_PAGE):
        if meta.get(field, (I64, 0))[1]:
            meta[field] = (I64, meta[field][1] + by)
    moved = {number: field for number, field in chunk.items() if number not in _CHUNK_INDEXES}
    moved[_META] = (STRUCT, meta)
    if moved.get(_CHUNK_OFFSET, (I64, 0))[1]:
        moved[_CHUNK_OFFSET] = (I64, moved[_CHUNK_OFFSET][1] + by)
    return moved
