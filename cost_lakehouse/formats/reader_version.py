"""Tells by which rules a file was read: rows that other rules made are never taken for those that these would make."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import pyarrow as pa


@cache
def reader_version() -> str:
    """A digest of all code and tables that turn a bill's files into rows, and of the Arrow that they use."""
    digest = hashlib.sha256(pa.__version__.encode())
    for entry in sorted(files("cost_lakehouse.formats").iterdir(), key=lambda one: one.name):
        if entry.name.endswith((".py", ".csv")):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()[:32]
