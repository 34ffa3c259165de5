"""What a file is that is no CSV file as bills have them, by its first bytes: another encoding, pack or separator. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

SNIFFED = 4096
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_PACKS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
}
_READ = ("gzip", "zip")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# What AWS writes beside bills: columns that nothing else has -> what it is. Names without case and punctuation.
_NO_BILLS = {
    "recommendationid": "recommendations of Cost Optimization Hub",
    "totalmbmemissionsvalue": "AWS's carbon emissions",
    "totallbmemissionsvalue": "AWS's carbon emissions",
    "rateid": "AWS's old Detailed Billing Report",
    "offertermcode": "a price list",
}


def no_bill(header: Sequence[str]) -> tuple[str, str] | None:
    """What a file with these columns is, where it is none that is read as a bill, and what to do."""
    names = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in header}
    for column, what in _NO_BILLS.items():
        if column in names:
            return what, "It is no bill: let `location` name an export of CUR 2.0 or FOCUS, or a Cost and Usage Report."
    return None


def wrong_content(data: bytes) -> tuple[str, str] | None:
    """What is wrong with unpacked content that begins so, and what to do; None where it may be CSV."""
    start = data[:SNIFFED]
    for magic, pack in _PACKS.items():
        if start.startswith(magic):
            if pack in _READ:
                return (
                    f"is packed twice: unpacked once, it is a {pack} file still",
                    "Unpack it once, and keep whatever packs it from doing so a second time.",
                )
            return f"is packed with {pack}", "Unpack it, or pack it with gzip or zip: these are read."
    if start.startswith(b"PAR1"):
        return "is a Parquet file, though its name or its manifest says CSV", "Give it a name that ends with .parquet."
    if start.startswith(_UTF16) or _has_wide_characters(start):
        return (
            "is UTF-16 or UTF-32 text, and not UTF-8",
            "Write it as UTF-8: `iconv -f UTF-16 -t UTF-8 OLD > NEW`; Excel's `CSV UTF-8` does, its `Unicode text` does not.",
        )
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        return "holds HTML or XML, such as a page of an error", "Copy the report itself; look at how this one was fetched."
    if text.startswith((b"{", b"[")):
        return "holds JSON", "Let the source's location hold the bill's own files; JSON is not read."
    return None


def wrong_separator(header: str) -> tuple[str, str] | None:
    """What parts the columns where commas do not, and what to do; None where commas do, or there is one column."""
    if len(next(csv.reader([header]), [])) > 1:
        return None
    for mark, name in _SEPARATORS.items():
        if len(next(csv.reader([header], delimiter=mark), [])) > 1:
            return (
                f"parts its columns by {name}, not by commas",
                "Write it with commas: a spreadsheet that saved it anew took its own country's separator, and may have "
                "changed numbers and dates too. Better copy the report as it was delivered.",
            )
    return None


def _has_wide_characters(start: bytes) -> bool:
    """Whether every second byte of what begins so is nothing: text in UTF-16 without a mark."""
    even, odd = start[0:64:2], start[1:64:2]
    return len(start) >= 4 and any(half and not any(half) for half in (even, odd))
