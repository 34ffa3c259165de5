"""Which lake a catalog and a warehouse belong to. Both say it; a pair that does not belong together is refused, as work in it
destroys files: what one catalog does not know, maintenance takes for rubbish.

The warehouse says it in an object of its own, the marker; the catalog in a property of the namespace ``raw``.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from cost_lakehouse.errors import LakeError

MARKER = ".cost-lakehouse/lake.json"
FORMAT_VERSION = 2  # each load of line items names itself in its table
"""Of how a lake is laid out; raised when a lake of before cannot be used any more."""
ADOPT, MOVE = "`cost-lakehouse lake adopt`", "`cost-lakehouse lake move`"


class WrongLake(LakeError):
    """Catalog and warehouse do not belong together, or to this version of the program; nothing was done."""


@dataclass(frozen=True)
class Place:
    """Where one looks: the warehouse's location, and what tells the catalog from every other one and from copies of it."""

    location: str
    catalog: str


@dataclass(frozen=True)
class Record:
    """What the catalog says: the lake's id, its format, where its warehouse is, and how often it was maintained."""

    id: str
    format_version: int
    location: str
    generation: int

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str, where: str) -> Self:
        """What was stored. Raises WrongLake where it is damaged."""
        return cls(**_checked(text, where, cls.__annotations__))


@dataclass(frozen=True)
class Marker(Record):
    """What the warehouse says: the same, and which catalog is its."""

    catalog: str

    def to_json(self) -> str:
        """As it is stored, with a word for those who come across it."""
        note = "Says which lake the files in this folder belong to. Do not copy, change or remove it by hand."
        return json.dumps({"note": note, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def of_json(cls, text: str, where: str) -> Self:
        """What was stored. Raises WrongLake where it is damaged."""
        return cls(**_checked(text, where, {**Record.__annotations__, **cls.__annotations__}))

    @property
    def record(self) -> Record:
        """What the catalog has to say."""
        return Record(self.id, self.format_version, self.location, self.generation)


def new_marker(place: Place, generation: int = 1) -> Marker:
    """A lake that nobody has seen before."""
    return Marker(secrets.token_hex(8), FORMAT_VERSION, place.location, generation, place.catalog)


def later(marker: Marker) -> Marker:
    """The same lake, after one more maintenance."""
    return replace(marker, generation=marker.generation + 1)


def ensure_same_lake(place: Place, record: Record, marker: Marker | None) -> None:
    """Raises WrongLake unless the catalog there and the warehouse there are those of one lake, each the only one."""
    if marker is None:
        raise _without_marker(place, record)
    for version in (record.format_version, marker.format_version):
        ensure_known_format(version, place)
    if record.id != marker.id:
        raise WrongLake(
            f"The catalog {place.catalog} is that of the lake {record.id} (warehouse {record.location}), but the warehouse "
            f"{place.location} belongs to the lake {marker.id} (catalog {marker.catalog}).",
            "Correct `lake.catalog` or `lake.warehouse` in lakehouse.yaml. Where `lake adopt` or `lake move` was stopped "
            "half-way, run it again.",
        )
    if marker.location != place.location:
        raise WrongLake(
            f"This lake was copied or moved: its files say that they lie at {marker.location}, and they are looked for at "
            f"{place.location}.",
            f"Run {MOVE}: it makes what lies here a lake of its own, and does not touch the other place.",
        )
    if marker.catalog != place.catalog:
        raise WrongLake(
            f"The warehouse {place.location} belongs to the catalog {marker.catalog}; {place.catalog} is a copy of it, or was "
            "moved or restored.",
            f"Use that catalog. Where this one takes its place, end whatever works with the other, and run {ADOPT}.",
        )
    if record.generation < marker.generation:
        raise WrongLake(
            f"The catalog {place.catalog} is older than its warehouse {place.location}: it was restored from a backup of "
            "before the last maintenance.",
            f"Run {ADOPT}: it takes the newest state of every table from the warehouse.",
        )


def ensure_new(place: Place, marker: Marker | None, has_tables: bool, found: str | None) -> None:
    """Raises WrongLake unless a catalog that says nothing, and this warehouse, may become a new lake.

    ``found`` is a file of a table in the warehouse, if there is one.
    """
    if has_tables:
        raise WrongLake(
            f"The lake (catalog {place.catalog}, warehouse {place.location}) is of before lakes carried a format version, or "
            "its catalog was emptied in part.",
            f"End whatever works with it, and run {ADOPT} once.",
        )
    if marker is not None:
        ensure_known_format(marker.format_version, place)
        if marker.location != place.location:
            raise WrongLake(
                f"The catalog {place.catalog} is new, but the warehouse {place.location} is a copy of the lake at "
                f"{marker.location}.",
                f"Run {MOVE}: it makes what lies here a lake of its own, and does not touch the other place.",
            )
        if marker.catalog != place.catalog or found is not None:
            raise WrongLake(
                f"The catalog {place.catalog} is new, but the warehouse {place.location} belongs to the lake {marker.id} with "
                f"the catalog {marker.catalog}.",
                f"{_LOST} {_OTHER}",
            )
    elif found is not None:
        raise WrongLake(
            f"The catalog {place.catalog} is new, but the warehouse {place.location} is not empty: {found} is there.",
            f"{_LOST} {_OTHER}",
        )


_LOST = f"If that catalog is lost, run {ADOPT}: it makes it anew from the warehouse's own files."
_OTHER = "Else give this lake a warehouse of its own (`lake.warehouse`): two catalogs would delete each other's files."


def _without_marker(place: Place, record: Record) -> WrongLake:
    if record.location == place.location:
        return WrongLake(
            f"The warehouse {place.location} has lost its {MARKER}, which says that it belongs to the lake {record.id}.",
            f"Put that file back, or run {ADOPT}, which writes a new one.",
        )
    return WrongLake(
        f"The catalog {place.catalog} is that of the lake {record.id} at {record.location}, but `lake.warehouse` names "
        f"{place.location}, where no lake is.",
        f"Correct `lake.warehouse` or `lake.catalog`. To move the lake there, copy its files first, then run {MOVE}.",
    )


def ensure_known_format(version: int, place: Place) -> None:
    """Raises WrongLake where another version of the program lays lakes out in another way."""
    if version > FORMAT_VERSION:
        raise WrongLake(
            f"The lake at {place.location} has format {version}; this version of cost-lakehouse knows formats up to "
            f"{FORMAT_VERSION}.",
            "Use the version of cost-lakehouse that wrote it last, or a newer one.",
        )
    if version < FORMAT_VERSION:
        raise WrongLake(
            f"The lake at {place.location} has format {version}; this version of cost-lakehouse needs format {FORMAT_VERSION}.",
            "Load its bills into a new lake: name an empty catalog and an empty warehouse.",
        )


def _checked(text: str, where: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(text)
        kept = {name: found[name] for name in fields}
        well = all(isinstance(kept[name], int if name in ("format_version", "generation") else str) for name in fields)
    except (ValueError, TypeError, KeyError):
        well, kept = False, {}
    if not well:
        raise WrongLake(f"{where} is damaged: it does not say which lake it belongs to.", f"Run {ADOPT}, which writes it anew.")
    return kept
