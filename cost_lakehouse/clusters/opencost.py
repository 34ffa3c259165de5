"""OpenCost's exports as weights: its CSV, the Parquet exporter's files, and answers of ``/allocation``. Pure.

OpenCost's dollars come from list prices: they are used as weights alone. Text of a double is its shortest.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.clusters.usage import Said, Usage, Workload, labels_of, namespace_of, resource_of
from cost_lakehouse.errors import SourceError, shortened
from cost_lakehouse.formats.decimals import EXACT, exact_number

NODE_COSTS = ("cpuCost", "ramCost", "gpuCost")
_CSV_COSTS = ("CPUCost", "RAMCost", "GPUCost")
_LABEL_COLUMN, _LABEL_PARQUET = "Label_", "properties.labels."


def csv_usage(
    content: bytes, place: str, cluster: str, wanted: Callable[[date], bool], labels: Sequence[str]
) -> Iterator[Usage]:
    """Rows of OpenCost's CSV export on the wanted days. It names no node: weights are of the whole cluster.

    Raises SourceError with file and line where it is none.
    """
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    _check_columns(place, rows.fieldnames or (), ("Date", "Namespace", *_CSV_COSTS))
    for row in rows:
        where = f"{place}, line {rows.line_num}"
        day = _day(where, row["Date"])
        if wanted(day):
            given = json.loads(row.get("Labels") or "{}")
            given |= {
                name.removeprefix(_LABEL_COLUMN): value
                for name, value in row.items()
                if name and name.startswith(_LABEL_COLUMN)
            }
            workload = Workload(
                cluster,
                namespace_of(row["Namespace"]),
                row.get("ControllerKind") or None,
                row.get("ControllerName") or None,
                row.get("Pod") or None,
                labels_of(given, labels),
            )
            yield Usage(day, None, workload, _sum(where, [row[name] for name in _CSV_COSTS]), Said.CSV)


def parquet_usage(
    content: bytes, place: str, cluster: str, wanted: Callable[[date], bool], labels: Sequence[str]
) -> Iterator[Usage]:
    """Rows of the Parquet exporter's file on the wanted days. Raises SourceError where it is none."""
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{place} is no Parquet file: {error}.", "Export it again.") from None
    _check_columns(place, table.column_names, ("properties.namespace", *NODE_COSTS))
    start = next((name for name in ("window.start", "running_start_time", "start") if name in table.column_names), None)
    if start is None:
        raise SourceError(f"{place} has no column window.start.", "Export it with opencost-parquet-exporter.")
    for number, row in enumerate(table.to_pylist(), start=1):
        where = f"{place}, row {number}"
        day = _day(where, row[start])
        if wanted(day):
            given = {name.removeprefix(_LABEL_PARQUET): value for name, value in row.items() if name.startswith(_LABEL_PARQUET)}
            given |= {name.removeprefix("label."): value for name, value in row.items() if name.startswith("label.")}
            workload = Workload(
                row.get("properties.cluster") or cluster,
                namespace_of(row["properties.namespace"]),
                row.get("properties.controllerKind"),
                row.get("properties.controller"),
                row.get("properties.pod"),
                labels_of(given, labels),
            )
            resource = resource_of(row.get("properties.providerID"))
            yield Usage(day, resource, workload, _sum(where, [row[name] for name in NODE_COSTS]), Said.PARQUET)


def allocation_usage(
    content: bytes, place: str, cluster: str, wanted: Callable[[date], bool], labels: Sequence[str]
) -> Iterator[Usage]:
    """Allocations of ``/allocation``'s answer on the wanted days: of nodes, and of the volumes that they mounted.

    Raises SourceError where it is none.
    """
    try:
        document = json.loads(content)
        sets = document["data"] if isinstance(document, dict) else document
        allocations = [one for of_step in sets for one in (of_step or {}).values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{place} is no answer of /allocation.", "It is JSON with `data`: a list of maps.") from None
    for number, one in enumerate(allocations, start=1):
        where = f"{place}, allocation {number}"
        properties = one.get("properties") or {}
        day = _day(where, (one.get("window") or {}).get("start") or one.get("start"))
        if not wanted(day):
            continue
        name = one.get("name") or ""
        special = next((part for part in name.split("/") if part.startswith("__")), None)
        workload = Workload(
            properties.get("cluster") or cluster,
            namespace_of(properties.get("namespace") or special),
            properties.get("controllerKind") or None,
            properties.get("controller") or None,
            properties.get("pod") or None,
            labels_of(properties.get("labels") or {}, labels),
        )
        resource = resource_of(properties.get("providerID"))
        yield Usage(day, resource, workload, _sum(where, [one.get(cost) for cost in NODE_COSTS]), Said.ALLOCATION)
        for volume in (one.get("pvs") or {}).values():
            if volume_id := resource_of(volume.get("providerID")):
                yield Usage(day, volume_id, workload, _sum(where, [volume.get("cost")]), Said.ALLOCATION)


def _check_columns(place: str, there: Sequence[str], needed: Sequence[str]) -> None:
    if missing := [name for name in needed if name not in there]:
        raise SourceError(f"{place} has no column {missing[0]}.", "Put OpenCost's exports alone there.")


def _day(where: str, value: Any) -> date:
    """The UTC day of a moment."""
    if isinstance(value, datetime):
        return value.date()
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise SourceError(f"{where}: {shortened(str(value))!r} is no day.", "Export it again.") from None


def _sum(where: str, values: Sequence[Any]) -> Decimal:
    """What they come to; a weight below 0 is none. Raises SourceError where one is no number."""
    total = Decimal(0)
    for value in values:
        text = repr(value) if isinstance(value, float) else str(value) if value not in (None, "") else "0"
        try:
            number = exact_number(text)
        except OverflowError:
            number = None
        if number is None:
            raise SourceError(f"{where}: {shortened(text)!r} is no cost.", "Export it again.")
        total = EXACT.add(total, number)
    return max(total, Decimal(0))
