"""Whom a place that many lakehouses push to was heard of, and when: the ledgers tell each writer's own rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.tables import FILES

Heard = tuple[datetime, datetime]
"""When it was pushed, and when it was loaded (UTC, aware)."""
_COLUMNS = pa.schema([FILES.field(name) for name in ("load_id", "key", "etag")])
_BELOW_WRITER = 3  # source, month, file


def writers_heard(lake: Lake, source: str, known: Sequence[Receipt]) -> dict[str, list[Heard]]:
    """Each writer's pushes, as one source has loaded them."""
    loads = {
        item.load_id: (item.delivered_at, item.loaded_at) for item in known if item.source == source and item.state == ACCEPTED
    }
    return pushes_of(ledger_rows(lake, "raw.files", _COLUMNS, source=source), loads)


def pushes_of(files: Iterable[tuple[str, str, str]], loads: Mapping[str, Heard]) -> dict[str, list[Heard]]:
    """Pushes by writer, of files (load, key, digest) and loads (when they were pushed and loaded). Pure.

    A load has all writers' files of a month; who has one there that no load before had, has pushed. Of several who did, the
    newest push's moment is all that is known.
    """
    by_load: dict[str, list[tuple[str, str]]] = {}
    for load, key, digest in files:
        by_load.setdefault(load, []).append((key, digest))
    seen: set[tuple[str, str]] = set()
    heard: dict[str, list[Heard]] = {}
    for load, moments in sorted(loads.items(), key=lambda item: item[1][1]):
        new = [file for file in by_load.get(load, ()) if file not in seen]
        seen.update(new)
        for writer in sorted({writer_of_key(key) for key, _ in new} - {""}):
            heard.setdefault(writer, []).append(moments)
    return heard


def writer_of_key(key: str) -> str:
    """The writer's folder that a pushed file lies in; "" where the location is that folder."""
    parts = key.split("/")
    return parts[-_BELOW_WRITER - 1] if len(parts) > _BELOW_WRITER else ""
