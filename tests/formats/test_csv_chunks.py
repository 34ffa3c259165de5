"""Records are cut and counted exactly, whatever stands inside quotes."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile

import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.csv_chunks import read_chunks, unpacked


def records_by_chunk(data: bytes, chunk_bytes: int) -> list[tuple[int, list[list[str]]]]:
    _, chunks = read_chunks(io.BytesIO(data), "f.csv", chunk_bytes)
    result = []
    for chunk in chunks:
        records = [item for item in csv.reader(io.StringIO(bytes(chunk.data).decode(), newline="")) if item]
        assert len(records) == chunk.records
        result.append((chunk.first_record, records))
    return result


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 64, 1000, 100_000])
def test_chunks_hold_whole_records_of_any_content(chunk_bytes: int, line_end: str) -> None:
    chance = random.Random(5)
    pieces = ["plain", "", "a,b", 'say "hi"', "two\nlines", "crlf\r\nline", "Zürich ☁", '"', '""', "\n", ","]
    expected = [[chance.choice(pieces) for _ in range(3)] for _ in range(200)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(["h1", "h2", "h3"])
    writer.writerows(expected)

    chunks = records_by_chunk(text.getvalue().encode(), chunk_bytes)

    assert [record for _, records in chunks for record in records] == expected
    assert [first for first, _ in chunks] == [1 + sum(len(r) for _, r in chunks[:n]) for n in range(len(chunks))]


def test_a_last_line_without_line_end_and_blank_lines_are_counted_right() -> None:
    assert records_by_chunk(b"a,b\n1,2\n\n\r\n3,4", 4) == [(1, [["1", "2"]]), (2, [["3", "4"]])]


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert read_chunks(io.BytesIO(b"\xef\xbb\xbfa,b\n1,2\n"), "f", 100)[0] == "a,b"


def test_a_header_without_line_end_has_no_records() -> None:
    header, chunks = read_chunks(io.BytesIO(b"a,b"), "f", 100)
    assert (header, list(chunks)) == ("a,b", [])


def test_a_quoted_header_may_hold_a_newline() -> None:
    header, chunks = read_chunks(io.BytesIO(b'a,"b\nc"\n1,2\n'), "f", 100)
    assert header == 'a,"b\nc"'
    assert [chunk.records for chunk in chunks] == [1]


def test_a_line_longer_than_any_chunk_is_one_record() -> None:
    long = "x" * 100_000
    chunks = records_by_chunk(f"a\n{long}\nb\n".encode(), 1000)
    assert [record for _, records in chunks for record in records] == [[long], ["b"]]


@pytest.mark.parametrize("data", [b'a,b\n1,2\n5" disk,3\n', b'a,b\n1,2\n"5"x,3\n'])
def test_a_quote_that_is_not_doubled_fails_with_its_record(data: bytes) -> None:
    with pytest.raises(DeliveryFailed, match="f.csv, about record 2: a quote stands inside a value"):
        records_by_chunk(data + b'"x",1\n', 1000)


def test_a_quote_that_is_never_closed_fails() -> None:
    with pytest.raises(DeliveryFailed, match="f.csv, record 2: a quoted value is never closed"):
        records_by_chunk(b'a,b\n1,2\n"x,3\n4,5\n', 1000)


def packed_zip(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "a\n1\n", zipfile.ZIP_DEFLATED)
    return stream.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        b"a\n1\n",
        gzip.compress(b"a\n1\n", mtime=0),
        gzip.compress(b"a\n", mtime=0) + gzip.compress(b"1\n", mtime=0),
        packed_zip("x.csv"),
    ],
)
def test_the_first_bytes_tell_how_a_file_is_packed(packed: bytes) -> None:
    with unpacked(io.BytesIO(packed), "f") as plain:
        assert plain.read() == b"a\n1\n"


@pytest.mark.parametrize(
    "packed", [gzip.compress(b"a\n1\n" * 9999, mtime=0)[:-9], packed_zip("x.csv")[:-30], packed_zip("x.csv", "y.csv")]
)
def test_a_damaged_pack_fails_with_its_name(packed: bytes) -> None:
    with pytest.raises(DeliveryFailed, match="^f "):
        read_all(packed)


def read_all(packed: bytes) -> bytes:
    with unpacked(io.BytesIO(packed), "f") as plain:
        return b"".join(iter(lambda: plain.read(1000), b""))
