"""What workers are told and what they answer: some files of a large delivery, and what reading them gave, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse import errors
from cost_lakehouse.audit.file_totals import FileTotals, as_text, from_text
from cost_lakehouse.audit.stored_totals import StoredTotals
from cost_lakehouse.errors import CostLakehouseError, RejectedValue
from cost_lakehouse.formats.control_totals import Group
from cost_lakehouse.loading.read import LoadedFiles
from cost_lakehouse.sources.delivery import Delivery, FileFormat
from cost_lakehouse.storage.object_store import StoredObject

# Of one attempt at one shard: as many data files may it write, so that no two attempts ever write the same one.
FILES_OF_AN_ATTEMPT = 100
ATTEMPTS = 3
ROUNDS = 2  # what is left once it is known which objects say again what others say is read once more
MOST_SHARDS = 100_000 // (FILES_OF_AN_ATTEMPT * ATTEMPTS * ROUNDS) - 1  # files of a load are numbered with five digits


@dataclass(frozen=True)
class Task:
    """Some objects of a delivery, for one worker. ``number`` tells its attempt from all others of the load; 1 is the first.

    ``month`` is None where each row tells its own.
    """

    source: str
    table: str
    delivery_id: str
    month: date | None
    file_format: FileFormat
    load_id: str
    number: int
    objects: tuple[StoredObject, ...]

    @property
    def name(self) -> str:
        """Its place in the warehouse, without an ending."""
        return f"{work_folder(self.table, self.source)}/{self.load_id}/{self.number:05d}"

    @property
    def first_file(self) -> int:
        """The number of its first data file."""
        return self.number * FILES_OF_AN_ATTEMPT

    def again(self, number: int) -> Task:
        """The next attempt."""
        return replace(self, number=number)

    def as_text(self) -> str:
        """JSON, read by ``task_of``."""
        return json.dumps(asdict(self), default=lambda moment: moment.isoformat())


def task_of(text: str) -> Task:
    """What ``as_text`` wrote."""
    said = json.loads(text)
    objects = tuple(
        StoredObject(one["key"], one["etag"], one["size"], datetime.fromisoformat(one["last_modified"]))
        for one in said["objects"]
    )
    month = date.fromisoformat(said["month"]) if said["month"] else None
    kind = FileFormat(said["file_format"])
    return Task(**{**said, "month": month, "file_format": kind, "objects": objects})


def work_folder(table: str, source: str) -> str:
    """Where tasks of a source's load are in the warehouse, and what workers answer."""
    return f"{table.replace('.', '/')}/tasks/source={source}"


def tasks_of(
    delivery: Delivery, objects: Sequence[StoredObject], load_id: str, count: int, after: Sequence[Task] = ()
) -> list[Task]:
    """The objects of a delivery in at most ``count`` shards of like size, one task each. Pure.

    ``after`` are all first attempts of the load so far, no attempt of which ever writes the same files.

    The largest object comes first, each to the shard that has least; objects of a shard stay in the delivery's order.
    """
    shards: list[list[StoredObject]] = [[] for _ in range(min(count, len(objects), MOST_SHARDS))]
    for found in sorted(objects, key=lambda one: (-one.size, one.key)):
        min(shards, key=lambda shard: sum(one.size for one in shard)).append(found)
    place = {found.key: index for index, found in enumerate(objects)}
    return [
        Task(
            delivery.source,
            delivery.table,
            delivery.delivery_id,
            delivery.billing_period,
            delivery.file_format,
            load_id,
            number,
            tuple(sorted(shard, key=lambda one: place[one.key])),
        )
        for number, shard in enumerate(shards, 1 + len(after) * ATTEMPTS)
    ]


@dataclass
class Answer:
    """What a worker's reading gave: what was delivered, and by month what it stored and where that is (location -> rows)."""

    loaded: LoadedFiles
    stored: dict[date, StoredTotals]
    files: dict[date, dict[str, int]]

    @property
    def locations(self) -> list[str]:
        """The data files of all months."""
        return [location for files in self.files.values() for location in files]

    def as_text(self) -> str:
        """JSON, read by ``answer_of``."""
        loaded = self.loaded
        return json.dumps(
            {
                "months": {month.isoformat(): self._said_of(month) for month in loaded.slices},
                "records": loaded.records,
                "contents": loaded.contents,
                "totals": {key: as_text(found) for key, found in loaded.files.items()},
                "rows_digests": loaded.rows_digests,
                "rejected": [asdict(value) for value in loaded.rejected],
                "rejected_count": loaded.rejected_count,
                "rejected_by_object": loaded.rejected_by_object,
            }
        )

    def _said_of(self, month: date) -> dict[str, Any]:
        part, stored = self.loaded.slices[month], self.stored[month]
        return {
            "files": self.files[month],
            "rows": part.records,
            "totals": as_text(FileTotals(part.totals, part.rounded)),
            "stored_rows": [[*group, rows] for group, rows in stored.rows.items()],
            "stored_sums": [[*group, metric, count, str(amount)] for (group, metric), (count, amount) in stored.sums.items()],
            "services": [[service, currency, str(amount)] for service, currency, amount in stored.top_services],
            "accounts": sorted(stored.accounts),
            "unreadable": stored.unreadable,
        }


def failure_text(error: CostLakehouseError) -> str:
    """What a worker answers that failed in a way that another attempt would not change."""
    said = {"class": type(error).__name__, "problem": error.problem, "fix": error.fix, "key": error.key}
    return json.dumps({"failure": said})


def answer_of(text: str) -> Answer:
    """What a worker answered; raises its CostLakehouseError where it failed."""
    said = json.loads(text)
    if "failure" in said:
        raise _failure(said["failure"])
    loaded = LoadedFiles()
    months = {date.fromisoformat(month): its for month, its in said["months"].items()}
    for month, its in months.items():
        part, totals = loaded.month(month), from_text(its["totals"])
        part.totals, part.rounded = totals.totals, totals.rounded
        part.records.update(its["rows"])
    loaded.files = {key: from_text(totals) for key, totals in said["totals"].items()}
    loaded.records = said["records"]
    loaded.contents, loaded.rows_digests = said["contents"], said["rows_digests"]
    loaded.rejected = [RejectedValue(**value) for value in said["rejected"]]
    loaded.rejected_count = said["rejected_count"]
    loaded.rejected_by_object.update(said["rejected_by_object"])
    stored = {month: _stored(its) for month, its in months.items()}
    return Answer(loaded, stored, {month: its["files"] for month, its in months.items()})


def _stored(said: dict[str, Any]) -> StoredTotals:
    return StoredTotals(
        rows={Group(*group): rows for *group, rows in said["stored_rows"]},
        sums={(Group(*group), metric): (count, Decimal(text_)) for *group, metric, count, text_ in said["stored_sums"]},
        top_services=[(service, currency, Decimal(text_)) for service, currency, text_ in said["services"]],
        accounts={(payer, account) for payer, account in said["accounts"]},
        unreadable=said["unreadable"],
    )


def _failure(said: dict[str, Any]) -> CostLakehouseError:
    kind = getattr(errors, said["class"], errors.DeliveryFailed)
    error: CostLakehouseError = kind(said["problem"], said["fix"])
    error.key = said["key"]
    return error
