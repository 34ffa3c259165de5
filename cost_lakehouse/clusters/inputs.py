"""What clusters say: files of OpenCost and Container Insights in a folder or bucket, and APIs' answers, kept there by day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import requests

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.clusters.added_up import added_up
from cost_lakehouse.clusters.opencost import allocation_usage, csv_usage, parquet_usage
from cost_lakehouse.clusters.prometheus import KEPT, prometheus_usage
from cost_lakehouse.clusters.prometheus_api import day_of_prometheus
from cost_lakehouse.clusters.usage import Usage
from cost_lakehouse.config import Settings
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

_READERS = {".csv": csv_usage, ".parquet": parquet_usage, ".json": allocation_usage}
_EVENTS = ".gz"
_SECONDS = 60
_LONGEST_DAYS = 100
_AGGREGATE = "cluster,node,namespace,controllerKind,controller,pod"


def usage_of(settings: Settings, cluster: ClusterSettings, month: date) -> Iterator[Usage]:
    """Everything that a cluster's files say of the days of a month's bill, and of the days around it.

    Raises SourceError where they cannot be read, or one is none of those that clusters write; DeliveryFailed.
    """
    if not cluster.location:
        return
    store, _ = _opened(settings, cluster)
    first, end = month - timedelta(days=1), plus_months(month, 1) + timedelta(days=1)

    def wanted(day: date) -> bool:
        return first <= day < end

    exports: list[StoredObject] = []
    for found in sorted(files_of(settings, cluster)):
        reader = prometheus_usage if found.key.endswith(KEPT) else _READERS.get(_ending(found))
        if reader is not None:
            with store.open(found) as content:
                whole = content.read()
            yield from reader(whole, store.describe(found.key), cluster.name, wanted, cluster.labels)
        # An export that was written before the month has nothing of it.
        elif found.last_modified.date() >= first:
            exports.append(found)
    yield from added_up(settings, cluster, store, exports).usages(wanted)


def files_of(settings: Settings, cluster: ClusterSettings) -> Iterator[StoredObject]:
    """The files of its location that say what ran, by their endings. Raises SourceError."""
    store, prefix = _opened(settings, cluster)
    return (found for found in store.list(prefix) if found.size and _ending(found) in (*_READERS, _EVENTS))


def fetch_days(settings: Settings, cluster: ClusterSettings, today: date, days: int) -> list[date]:
    """Ask the API for each of the last closed UTC days that is not kept yet, and keep what it says; the days that came.

    Prometheus may lack older days, not the last one. Raises SourceError where it does not answer: days that came before stay.
    """
    ending = ".json" if cluster.url is not None else KEPT
    if cluster.url is None and cluster.prometheus is None:
        return []
    folder = settings.path(cluster.location)
    folder.mkdir(parents=True, exist_ok=True)
    came = []
    for number in range(min(days, _LONGEST_DAYS), 0, -1):
        day = today - timedelta(days=number)
        file = folder / f"{day}{ending}"
        if not file.exists():
            text = ask_day(cluster, day)
            if text is None and number > 1:
                continue
            if text is None:
                raise SourceError(
                    f"{cluster.name}: Prometheus has no kube_node_info of {day}.", "Correct `match`, or what it scrapes."
                )
            aside = file.with_suffix(".part")
            aside.write_bytes(text)
            aside.replace(file)
            came.append(day)
    return came


def closed_day(now: datetime | None = None) -> date:
    """The UTC day that is not over yet: those before it are."""
    return (now or datetime.now(UTC)).date()


def _ending(found: StoredObject) -> str:
    return Path(found.key).suffix.lower()


def ask_day(cluster: ClusterSettings, day: date) -> bytes | None:
    """What the cluster's API says of one UTC day; None where it has nothing of it. Raises SourceError."""
    if cluster.prometheus is not None:
        text = day_of_prometheus(cluster.prometheus, day, cluster.labels)
        if text is not None:
            list(prometheus_usage(text, f"{cluster.prometheus.url}, {day}", cluster.name, lambda _: True, cluster.labels))
        return text
    url = cluster.url or ""
    text = _asked(url, day)
    list(allocation_usage(text, f"{url}/allocation of {day}", cluster.name, lambda _: True, ()))
    return text


def _asked(url: str, day: date) -> bytes:
    """What ``/allocation`` says of one UTC day. Raises SourceError."""
    window = f"{day}T00:00:00Z,{day + timedelta(days=1)}T00:00:00Z"
    parameters = {"window": window, "aggregate": _AGGREGATE, "step": "1d", "includeIdle": "true", "idleByNode": "true"}
    try:
        answer = requests.get(f"{url}/allocation", params=parameters, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise SourceError(
            f"{url} does not answer: {type(error).__name__}.",
            "Correct `url` of the cluster, or start OpenCost; then run again.",
        ) from None
    if answer.status_code != 200:
        raise SourceError(f"{url}/allocation of {day} answers HTTP {answer.status_code}.", "Look at OpenCost's log.")
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict) or document.get("code", 200) != 200 or not document.get("data"):
        raise SourceError(f"{url}/allocation says nothing of {day}.", "Ask again once OpenCost has that day, or leave it out.")
    return json.dumps(document, sort_keys=True).encode()


def _opened(settings: Settings, cluster: ClusterSettings) -> tuple[ObjectStore, str]:
    if cluster.is_s3:
        from cost_lakehouse.storage.s3_store import S3Store, split_location

        prefix = split_location(cluster.location)[1]
        return S3Store.of(cluster), f"{prefix}/" if prefix else ""
    folder = settings.path(cluster.location)
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}.", f"Correct the location of the cluster {cluster.name}.")
    return LocalFolder(folder), ""
