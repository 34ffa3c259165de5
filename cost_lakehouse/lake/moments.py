"""The lake's tables as they were at a moment: Iceberg's snapshots of one moment, across all tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake

_MONTH_END = "month-end-"
_INVOICED = "invoiced-"
_INVOICED_TAG = re.compile(rf"{_INVOICED}(\d{{8}}T\d{{9}})Z")


@dataclass(frozen=True)
class KnownSnapshot:
    """What matters of a snapshot here; ``at`` is UTC without zone, ``sequence`` 1 of a table's first."""

    snapshot_id: int
    parent_id: int | None
    at: datetime
    sequence: int


class Expired(Exception):
    """Maintenance has removed the snapshot that is asked for; ``oldest`` is since when there is one."""

    def __init__(self, oldest: datetime) -> None:
        self.oldest = oldest
        super().__init__(oldest)


def snapshot_at(snapshots: Sequence[KnownSnapshot], current_id: int | None, moment: datetime) -> int | None:
    """The snapshot that was current at ``moment``; None where the table was empty then. Pure.

    Raises Expired where it is not kept any more.
    """
    by_id = {snapshot.snapshot_id: snapshot for snapshot in snapshots}
    oldest: KnownSnapshot | None = None
    found = by_id.get(current_id) if current_id is not None else None
    while found is not None:
        if found.at <= moment:
            return found.snapshot_id
        oldest = found
        found = by_id.get(found.parent_id) if found.parent_id is not None else None
    # What expires a snapshot may also take its id out of the next one: its number alone tells that it was not the first.
    if oldest is not None and oldest.sequence > 1:
        raise Expired(oldest.at)
    return None


def tables_at(lake: Lake, moment: datetime, needed: Callable[[str], bool] = lambda name: True) -> dict[str, Table]:
    """Every table as it was at ``moment`` (UTC, without zone): its snapshot, and the columns it had.

    A table of which then is not kept any more is left out, unless it is ``needed`` (``marts.daily_costs`` -> whether).
    Raises LakeError where one is.
    """
    found: dict[str, Table] = {}
    for name in lake.table_names():
        try:
            found[name] = table_at(lake.table(name), moment)
        except LakeError:
            if needed(name):
                raise
    return found


def table_at(table: Table, moment: datetime) -> Table:
    """One table as it was at ``moment`` (UTC, without zone). Raises LakeError where that is not kept any more."""
    tagged = {at: table.metadata.refs[tag].snapshot_id for tag, at in kept_moments(table).items()}
    if moment in tagged:
        return at_snapshot(table, tagged[moment])
    known = [
        KnownSnapshot(
            snapshot.snapshot_id, snapshot.parent_snapshot_id, moment_of_snapshot(snapshot), snapshot.sequence_number or 0
        )
        for snapshot in table.metadata.snapshots
    ]
    try:
        return at_snapshot(table, snapshot_at(known, table.metadata.current_snapshot_id, moment))
    except Expired as error:
        ends = month_end_tags(table).values()
        raise LakeError(
            f"{'.'.join(table.name())} of {moment:%Y-%m-%d %H:%M:%S} UTC is not kept any more: its oldest snapshot is of "
            f"{error.oldest:%Y-%m-%d %H:%M:%S} UTC.",
            f"Ask for a later moment{_or_kept(ends)}, or compare deliveries with `cost-lakehouse diff`, which needs no "
            "snapshots. `maintenance: {keep_days: …}` in lakehouse.yaml keeps more from now on.",
        ) from None


def month_end_tag(moment: datetime) -> str:
    """The name of the tag that keeps what was current when a month ended; ``moment`` is the beginning of the next one."""
    return f"{_MONTH_END}{moment.date() - timedelta(days=1):%Y-%m}"


def month_end_tags(table: Table) -> dict[str, datetime]:
    """The table's tags of ends of months, each with the moment (UTC without zone) at which its snapshot was current."""
    found = {}
    for name in table.metadata.refs:
        if name.startswith(_MONTH_END):
            try:
                last = date.fromisoformat(f"{name.removeprefix(_MONTH_END)}-28")
            except ValueError:
                continue  # somebody else's
            following = (last + timedelta(days=4)).replace(day=1)
            found[name] = datetime.combine(following, time())
    return found


def invoiced_tag(moment: datetime) -> str:
    """The name of the tag that keeps what was current when months were first invoiced; UTC without zone, to the millisecond."""
    return f"{_INVOICED}{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z"


def invoiced_tags(table: Table) -> dict[str, datetime]:
    """The table's tags of moments at which months were first invoiced, each with its moment (UTC without zone)."""
    found = {}
    for name in table.metadata.refs:
        if named := _INVOICED_TAG.fullmatch(name):
            found[name] = datetime.strptime(f"{named.group(1)}000+0000", "%Y%m%dT%H%M%S%f%z").replace(tzinfo=None)
    return found


def kept_moments(table: Table) -> dict[str, datetime]:
    """The table's tags of either kind, each with the moment (UTC without zone) at which its snapshot was current."""
    return month_end_tags(table) | invoiced_tags(table)


def moment_of_snapshot(snapshot: Snapshot) -> datetime:
    """When a snapshot was made: UTC without zone, to the millisecond."""
    return datetime.fromtimestamp(snapshot.timestamp_ms // 1000, UTC).replace(
        tzinfo=None, microsecond=snapshot.timestamp_ms % 1000 * 1000
    )


def _or_kept(moments: Iterable[datetime]) -> str:
    """Says which ends of months are kept."""
    days = ", ".join(f"{moment:%Y-%m-%d}" for moment in sorted(moments))
    return f", or for the end of a month, kept as {days}" if days else ""


def at_snapshot(table: Table, snapshot_id: int | None) -> Table:
    """The table as if that snapshot were the current one, with the columns of then; None: as if it had no rows."""
    snapshot = None if snapshot_id is None else table.metadata.snapshot_by_id(snapshot_id)
    changed: dict[str, int | None] = {"current_snapshot_id": snapshot_id}
    if snapshot is not None and snapshot.schema_id is not None:
        changed["current_schema_id"] = snapshot.schema_id
    return Table(table.name(), table.metadata.model_copy(update=changed), table.metadata_location, table.io, table.catalog)
