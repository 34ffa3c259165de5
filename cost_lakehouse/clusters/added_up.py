"""Exports of events, added up once: what is kept of each is small, and is read instead as long as the export is the same.

An export has a line a minute for each pod; a month is split again with every delivery of its bill.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cost_lakehouse.clusters.container_insights import PerformanceEvents
from cost_lakehouse.config import Settings
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

FOLDER = "clusters"
_FORM = 1  # of what is kept: another one is read anew


def added_up(
    settings: Settings, cluster: ClusterSettings, store: ObjectStore, exports: Iterable[StoredObject]
) -> PerformanceEvents:
    """What these exports say together. A home that cannot be written keeps nobody from reading.

    Raises SourceError where one is no export; DeliveryFailed where it cannot be read.
    """
    folder = settings.dagster_home / FOLDER / cluster.name
    whole = PerformanceEvents(cluster.name, cluster.labels)
    for export in exports:
        file = folder / f"{_digest(cluster, store, export)}.json"
        try:
            kept = PerformanceEvents(cluster.name, cluster.labels)
            kept.add_document(json.loads(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            kept = PerformanceEvents(cluster.name, cluster.labels)
            with store.open(export) as content:
                kept.read(content, store.describe(export.key))
            _keep(file, kept)
        whole.add(kept)
    return whole


def _digest(cluster: ClusterSettings, store: ObjectStore, export: StoredObject) -> str:
    """Another export, or other labels that are wanted, is another one."""
    told = (_FORM, cluster.name, sorted(cluster.labels), store.describe(export.key), export.etag, export.size)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _keep(file: Path, events: PerformanceEvents) -> None:
    """Written aside and moved into place."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(".part")
        aside.write_text(json.dumps(events.document), encoding="utf-8")
        aside.replace(file)
