"""Puts right what does not belong together: a catalog with a warehouse (``adopt``), a lake with its place (``move``).

Both write new files first, then all of the catalog in one transaction, then the marker. Killed anywhere, they can be run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pyiceberg.catalog.sql import IcebergNamespaceProperties, IcebergTables
from sqlalchemy import Connection, delete, insert, select, update

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.found_tables import Candidate, FoundFiles, missing_file, newest_first, scan_warehouse
from cost_lakehouse.lake.identity import ADOPT, MOVE, Marker, Record, WrongLake, ensure_known_format, new_marker
from cost_lakehouse.lake.relocate import Relocation, relocate_table, version_of

_BUILDS = "build_"
"""Namespaces of builds, which end with their run."""
_TABLE, _VIEW = "TABLE", "VIEW"


@dataclass(frozen=True)
class Repaired:
    """What was done: with each table, and to which lake all belong now."""

    tables: Mapping[str, str]
    lake_id: str
    location: str
    catalog: str
    was_at: str | None = None  # of a lake that was moved


@dataclass(frozen=True)
class _Entry:
    """A table or view as the catalog has it, or is to have it."""

    location: str
    is_view: bool


def adopt(settings: Settings) -> Repaired:
    """Make the configured catalog the one of the configured warehouse, with the newest state of every table in it.

    Catalogs that the warehouse had before are refused from then on. Raises LakeError where a table cannot be read whole,
    WrongLake where the warehouse, or what the catalog knows, lies elsewhere.
    """
    with Lake.to_repair(settings) as lake:
        record, marker = _said(lake)
        place = lake.identity.place
        known = _known(lake)
        found = scan_warehouse(lake.warehouse)
        _ensure_known_lie_here(lake, known)
        # A catalog that went through all that the warehouse did knows best which commits came to their end.
        is_old = (
            record is not None
            and marker is not None
            and (record.generation < marker.generation or marker.catalog != place.catalog)
        )
        wanted: dict[str, _Entry] = {}
        tables: dict[str, str] = {}
        for name in sorted({*found.tables, *known}):
            chosen = _whole(lake, name, found, None if is_old else known.get(name))
            if chosen is None:
                tables[name] = "left out: its files are gone; the next run makes it anew"
                continue
            wanted[name] = _Entry(chosen.version.location, chosen.is_view)
            tables[name] = _change(known.get(name), wanted[name])
        adopted = replace(new_marker(place), generation=_generation(record, marker) + 1)
        _commit(lake, known, wanted, adopted.record)
        lake.identity.write_marker(adopted)
        return Repaired(tables, adopted.id, place.location, place.catalog)


def move(settings: Settings) -> Repaired:
    """Make of the files that were copied or moved to the configured warehouse a lake of its own, in the configured catalog.

    The place where they were before is not touched. Raises LakeError where files are missing, WrongLake where there is nothing
    to move, or the catalog is another lake's.
    """
    with Lake.to_repair(settings) as lake:
        record, marker = _said(lake)
        place = lake.identity.place
        known = _known(lake)
        found = scan_warehouse(lake.warehouse)
        if record is not None and record.location == place.location:
            return _finish(lake, record, marker, known, found)
        if record is not None and marker is not None and record.id != marker.id:
            raise WrongLake(
                f"The catalog {place.catalog} is that of the lake {record.id} at {record.location}, but the files at "
                f"{place.location} are those of the lake {marker.id} at {marker.location}.",
                "Copy that lake's catalog too, or name a new, empty one as `lake.catalog`.",
            )
        old = _old_place(lake, record, marker, found)
        relocation = Relocation(old, place.location, found.locations)
        wanted, tables = {}, {}
        for name in sorted({*found.tables, *known}):
            chosen = _newest_of(lake, name, old, found, known.get(name), relocation)
            location = relocate_table(lake.warehouse.file_io, chosen.version.location, relocation)
            wanted[name] = _Entry(location, chosen.is_view)
            tables[name] = "moved"
        moved = new_marker(place)
        _commit(lake, known, wanted, moved.record, relocation)
        lake.identity.write_marker(moved)
        return Repaired(tables, moved.id, place.location, place.catalog, old)


def _said(lake: Lake) -> tuple[Record | None, Marker | None]:
    """What catalog and warehouse say; nothing where it is damaged. Raises WrongLake where another version wrote it."""
    record, marker = None, None
    with suppress(WrongLake):
        record = lake.identity.record()
    with suppress(WrongLake):
        marker = lake.identity.marker()
    for item in (record, marker):
        if item is not None:
            ensure_known_format(item.format_version, lake.identity.place)
    return record, marker


def _generation(*said: Record | None) -> int:
    return max((item.generation for item in said if item is not None), default=0)


def _known(lake: Lake) -> dict[str, _Entry]:
    """Every table and view of the catalog, but for those of builds."""
    columns = [IcebergTables.table_namespace, IcebergTables.table_name, IcebergTables.metadata_location]
    with lake.catalog.engine.connect() as connection:
        rows = connection.execute(
            select(*columns, IcebergTables.iceberg_type).where(IcebergTables.catalog_name == lake.catalog.name)
        ).fetchall()
    entries = {f"{row[0]}.{row[1]}": _Entry(row[2] or "", row[3] == _VIEW) for row in rows}
    return {name: entry for name, entry in entries.items() if not name.startswith(_BUILDS)}


def _ensure_known_lie_here(lake: Lake, known: Mapping[str, _Entry]) -> None:
    place = lake.identity.place
    for name, entry in known.items():
        if not entry.location.startswith(f"{place.location}/"):
            raise WrongLake(
                f"The catalog {place.catalog} knows {name} at {entry.location}, which is not in the warehouse "
                f"{place.location}.",
                "Correct `lake.warehouse`, or name a new, empty catalog as `lake.catalog`. If the lake was moved or copied "
                f"from there to here, run {MOVE}.",
            )


def _whole(lake: Lake, name: str, found: FoundFiles, known: _Entry | None) -> Candidate | None:
    """A table's present state, with all its files; None of a summary of which files are missing.

    Raises LakeError where files of a raw table are, WrongLake where it was written for another place.
    """
    location = None if known is None else known.location
    newest = _preferred(newest_first(lake.warehouse.file_io, found.tables.get(name, ()), location), known)[:1]
    missing = location
    for item in newest:
        root = item.root(lake.warehouse.location)
        if root != lake.warehouse.location:
            raise WrongLake(
                f"The files at {lake.warehouse.location} were copied or moved: {name} says that it lies at {root}.",
                f"Run {MOVE}.",
            )
        missing = missing_file(lake.warehouse.file_io, item.document, found.locations)
        if missing is None:
            return item
    # An older state would be taken for the present one by everybody.
    if name.startswith("raw."):
        newest_said = f" Without it, remove {newest[0].version.location}: the state before is taken then." if newest else ""
        raise LakeError(
            f"{name} cannot be taken over: {missing} is not there.",
            f"Put it back, from a backup or the bucket's older versions, and run this again.{newest_said}",
        )
    return None


def _preferred(candidates: Sequence[Candidate], known: _Entry | None) -> list[Candidate]:
    """The candidates in the order to try them: what a catalog knows comes first, unless the table went on without it.

    One later version is what a commit leaves that was killed before its end.
    """
    if known is None:
        return list(candidates)
    ahead = {candidate.version.number for candidate in candidates if candidate.version.number > version_of(known.location)}
    first = [candidate for candidate in candidates if candidate.version.location == known.location and len(ahead) < 2]
    return [*first, *(candidate for candidate in candidates if candidate not in first)]


def _change(known: _Entry | None, wanted: _Entry) -> str:
    if known is None:
        return f"taken from the warehouse (version {version_of(wanted.location)})"
    if known.location == wanted.location:
        return "as it was"
    return f"brought from version {version_of(known.location)} to {version_of(wanted.location)}"


def _finish(lake: Lake, record: Record, marker: Marker | None, known: Mapping[str, _Entry], found: FoundFiles) -> Repaired:
    """The catalog names this place already: what is left is the marker, where a move was killed before it."""
    place = lake.identity.place
    absent = next((element.location for element in known.values() if element.location not in found.locations), None)
    if absent is not None or (marker is not None and marker.location == place.location and marker.id != record.id):
        raise WrongLake(
            f"The catalog {place.catalog} is that of the lake {record.id} at {place.location}, but what lies there is another "
            f"one{'' if absent is None else f': {absent} is missing'}.",
            f"Correct `lake.catalog` or `lake.warehouse`; {ADOPT} takes a warehouse's tables into an empty catalog.",
        )
    lake.identity.write_marker(Marker(record.id, record.format_version, place.location, record.generation, place.catalog))
    return Repaired(dict.fromkeys(sorted(known), "is here"), record.id, place.location, place.catalog)


def _old_place(lake: Lake, record: Record | None, marker: Marker | None, found: FoundFiles) -> str:
    """Where the files were before."""
    place = lake.identity.place
    said = record or marker
    if said is not None and said.location != place.location:
        return said.location
    roots = {
        newest_first(lake.warehouse.file_io, versions)[0].root(place.location) for versions in found.tables.values() if versions
    } - {place.location}
    if len(roots) != 1:
        raise WrongLake(
            f"The files at {place.location} were not copied or moved there"
            + (f": they belong to {', '.join(sorted(roots))}." if roots else ", or there are none."),
            f"Copy all files of the lake first. Where only the catalog is missing, run {ADOPT}.",
        )
    return roots.pop()


def _newest_of(lake: Lake, name: str, old: str, found: FoundFiles, known: _Entry | None, relocation: Relocation) -> Candidate:
    """The table's newest version of the old place, as it lies here. Raises LakeError where there is none."""
    here = None if known is None else _Entry(relocation.found(known.location), known.is_view)
    # A move that was killed has left versions that are of this place already.
    of_old = newest_first(
        lake.warehouse.file_io,
        found.tables.get(name, ()),
        here.location if here is not None else None,
        lambda one: one.root(lake.warehouse.location) == old,
    )
    preferred = _preferred(of_old, here)
    if not preferred:
        raise LakeError(f"No state of {name} was copied from {old}.", "Copy everything from there again, then repeat this.")
    return preferred[0]


def _commit(
    lake: Lake,
    known: Mapping[str, _Entry],
    wanted: Mapping[str, _Entry],
    record: Record,
    relocation: Relocation | None = None,
) -> None:
    """Make the catalog know exactly the wanted, and whose lake it is, in one transaction.

    Raises LakeError where others changed it meanwhile.
    """
    with lake.catalog.engine.begin() as connection:
        ours = IcebergTables.catalog_name == lake.catalog.name
        connection.execute(
            delete(IcebergTables).where(ours, IcebergTables.table_namespace.startswith(_BUILDS, autoescape=True))
        )
        for name in sorted({*known, *wanted}):
            if not _set_entry(connection, lake, name, known.get(name), wanted.get(name)):
                raise LakeError(
                    f"{name} was changed by others meanwhile.", "End whatever works with this catalog, then run this again."
                )
        _set_namespaces(connection, lake, {name.partition(".")[0] for name in wanted}, relocation)
        lake.identity.write_record(connection, record)


def _set_entry(connection: Connection, lake: Lake, name: str, old: _Entry | None, new: _Entry | None) -> bool:
    """Whether the row was as it had been read."""
    namespace, _, table = name.partition(".")
    row = (
        IcebergTables.catalog_name == lake.catalog.name,
        IcebergTables.table_namespace == namespace,
        IcebergTables.table_name == table,
    )
    if old is None and new is not None:
        kind = _VIEW if new.is_view else _TABLE
        values = {"catalog_name": lake.catalog.name, "table_namespace": namespace, "table_name": table}
        connection.execute(insert(IcebergTables).values(**values, metadata_location=new.location, iceberg_type=kind))
        return True
    assert old is not None  # noqa: S101  # a name is in one of the two
    same = (*row, IcebergTables.metadata_location == old.location)
    if new is None:
        return connection.execute(delete(IcebergTables).where(*same)).rowcount == 1
    changed = update(IcebergTables).where(*same).values(metadata_location=new.location, previous_metadata_location=None)
    return connection.execute(changed).rowcount == 1


def _set_namespaces(connection: Connection, lake: Lake, wanted: set[str], relocation: Relocation | None) -> None:
    """Namespaces of builds go, those of tables are there, and none names the old place."""
    table = IcebergNamespaceProperties
    ours = table.catalog_name == lake.catalog.name
    connection.execute(delete(table).where(ours, table.namespace.startswith(_BUILDS, autoescape=True)))
    there = connection.execute(select(table.namespace, table.property_key, table.property_value).where(ours)).fetchall()
    for namespace in sorted(wanted - {row[0] for row in there}):
        connection.execute(
            insert(table).values(
                catalog_name=lake.catalog.name, namespace=namespace, property_key="exists", property_value="true"
            )
        )
    for namespace, key, value in there:
        if relocation is not None and key == "location" and value.startswith(f"{relocation.old}/"):
            connection.execute(
                update(table)
                .where(ours, table.namespace == namespace, table.property_key == key)
                .values(property_value=relocation.moved(value))
            )
