"""Rewrites one table's Iceberg metadata for another place. Iceberg names every file by its absolute location: metadata that was
copied still means the files of the original.

Data files hold no locations and stay as they are; manifests, manifest lists, metadata and position deletes are written anew,
beside the copied ones.
"""

from __future__ import annotations

import gzip
import json
import secrets
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.avro.file import AvroFile, AvroOutputFile
from pyiceberg.io import FileIO
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record
from pyiceberg.types import StructType

from cost_lakehouse.errors import LakeError

_FILE_PATH_ID = 2147483546  # of the column file_path of position deletes, as the Iceberg specification gives it
_DATA, _POSITION_DELETES = 0, 1  # contents of a manifest's entry
_DELETED = 2  # its status
_LOCATION_PROPERTIES = ("write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path")


@dataclass(frozen=True)
class Relocation:
    """From where to where. ``present`` are the locations of all files that lie at the new place."""

    old: str
    new: str
    present: Collection[str]

    def moved(self, location: str) -> str:
        """A file's location at the new place.

        Raises LakeError where the file is not of the old place.
        """
        if not location.startswith(f"{self.old}/"):
            raise LakeError(
                f"{location} is not below {self.old}: this lake has files elsewhere.",
                "Such a lake cannot be moved by this command.",
            )
        return self.new + location.removeprefix(self.old)

    def found(self, location: str) -> str:
        """As ``moved``. Raises LakeError where it does not lie there."""
        moved = self.moved(location)
        if moved not in self.present:
            raise LakeError(f"{moved} is not there.", f"Copy everything from {self.old} again, then repeat this.")
        return moved


def read_metadata(io: FileIO, location: str) -> dict[str, Any]:
    """A table's (or view's) metadata file as it is written."""
    with io.new_input(location).open() as stream:
        content = stream.read()
    document: dict[str, Any] = json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
    return document


def relocate_table(io: FileIO, location: str, relocation: Relocation) -> str:
    """Write the metadata of the table (or view) that lies at ``location`` for its new place; its location there.

    Nothing that is there is changed: killed, it leaves files that nothing refers to. Raises LakeError where a file is missing.
    """
    document = read_metadata(io, location)
    folder = relocation.moved(document["location"]) + "/metadata"
    name = f"{version_of(location) + 1:05d}-{uuid.uuid4()}.metadata.json"  # the form by which writers tell the next number
    rewritten = _Rewriter(io, relocation, folder).metadata(document)
    with io.new_output(f"{folder}/{name}").create() as stream:
        stream.write(json.dumps(rewritten).encode())
    return f"{folder}/{name}"


def version_of(location: str) -> int:
    """The number that a metadata file's name begins with."""
    return int(location.rsplit("/", 1)[-1].partition("-")[0])


class _Rewriter:
    """Writes what one table's metadata refers to; what snapshots share is written once."""

    def __init__(self, io: FileIO, relocation: Relocation, folder: str) -> None:
        self._io = io
        self._relocation = relocation
        self._folder = folder
        self._manifests: dict[str, tuple[str, int]] = {}
        self._deletes: dict[str, tuple[str, int]] = {}

    def metadata(self, document: dict[str, Any]) -> dict[str, Any]:
        moved = self._relocation.moved
        changed = {**document, "location": moved(document["location"])}
        if "snapshots" in document:
            changed["snapshots"] = [self._snapshot(item) for item in document["snapshots"]]
        if "metadata-log" in document:
            changed["metadata-log"] = []  # earlier versions of the metadata are those of the original
        for name in ("statistics", "partition-statistics"):
            if name in document:
                kept = [{**item, "statistics-path": moved(item["statistics-path"])} for item in document[name]]
                changed[name] = [item for item in kept if item["statistics-path"] in self._relocation.present]
        if "properties" in document:
            changed["properties"] = {
                name: moved(value) if name in _LOCATION_PROPERTIES else value for name, value in document["properties"].items()
            }
        return changed

    def _snapshot(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        if "manifest-list" not in snapshot:
            raise LakeError("A snapshot of the first Iceberg version has no manifest list.", "Rewrite the table first.")
        schema, records, meta = self._read(snapshot["manifest-list"])
        path, length = _position(schema, "manifest_path"), _position(schema, "manifest_length")
        for record in records:
            record[path], record[length] = self._manifest(record[path])
        return {**snapshot, "manifest-list": self._write(snapshot["manifest-list"], "manifest_file", schema, records, meta)[0]}

    def _manifest(self, location: str) -> tuple[str, int]:
        """The new manifest's location and size."""
        if location not in self._manifests:
            schema, records, meta = self._read(location)
            status, file = _position(schema, "status"), _position(schema, "data_file")
            inner = schema.fields[file].field_type
            assert isinstance(inner, StructType)  # noqa: S101  # so says the Iceberg specification
            names = {field.name: index for index, field in enumerate(inner.fields)}
            for record in records:
                self._entry(record[file], names, live=record[status] != _DELETED)
            self._manifests[location] = self._write(location, "manifest_entry", schema, records, meta)
        return self._manifests[location]

    def _entry(self, file: Record, names: dict[str, int], *, live: bool) -> None:
        content = file[names["content"]] if "content" in names else _DATA
        path = str(file[names["file_path"]])
        place = self._relocation.found if live else self._relocation.moved
        if content == _POSITION_DELETES and live:
            if str(file[names["file_format"]]).upper() != "PARQUET":
                raise LakeError(
                    f"{path} notes deleted rows in a form that cannot be moved.",
                    "Run `cost-lakehouse maintain` at the old place, and copy the files again.",
                )
            file[names["file_path"]], file[names["file_size_in_bytes"]] = self._position_deletes(path)
        else:
            file[names["file_path"]] = place(path)
        referenced = names.get("referenced_data_file")
        if referenced is not None and file[referenced] is not None:
            file[referenced] = self._relocation.moved(str(file[referenced]))
        for name in ("lower_bounds", "upper_bounds"):
            bounds = file[names[name]] if name in names else None
            if content == _POSITION_DELETES and bounds and _FILE_PATH_ID in bounds:
                old = self._relocation.old.encode()
                if bounds[_FILE_PATH_ID].startswith(old):
                    bounds[_FILE_PATH_ID] = self._relocation.new.encode() + bounds[_FILE_PATH_ID].removeprefix(old)

    def _position_deletes(self, location: str) -> tuple[str, int]:
        """The new file's location and size."""
        if location not in self._deletes:
            with self._io.new_input(self._relocation.found(location)).open() as stream:
                table = pq.read_table(pa.BufferReader(stream.read()))
            column = table.schema.get_field_index("file_path")
            paths = pa.array([self._relocation.moved(row) for row in table.column(column).to_pylist()], pa.string())
            sink = pa.BufferOutputStream()
            pq.write_table(table.set_column(column, table.schema.field(column), paths), sink)
            content = sink.getvalue().to_pybytes()
            target = f"{self._relocation.moved(location).rsplit('/', 1)[0]}/moved-{secrets.token_hex(8)}-deletes.parquet"
            with self._io.new_output(target).create() as stream:
                stream.write(content)
            self._deletes[location] = target, len(content)
        return self._deletes[location]

    def _read(self, location: str) -> tuple[Schema, list[Record], dict[str, str]]:
        """An Avro file at the new place as it is written: nothing is inherited or left out."""
        with AvroFile[Record](self._io.new_input(self._relocation.found(location))) as file:
            records = list(file)
            return file.schema, records, {name: value for name, value in file.header.meta.items() if name != "avro.schema"}

    def _write(
        self, old: str, record_name: str, schema: Schema, records: Iterable[Record], meta: dict[str, str]
    ) -> tuple[str, int]:
        output = self._io.new_output(f"{self._folder}/moved-{secrets.token_hex(8)}-{old.rsplit('/', 1)[-1][-100:]}")
        with AvroOutputFile[Record](output, schema, record_name, metadata=meta) as file:
            file.write_block(list(records))
        return output.location, len(output)


def _position(schema: Schema, name: str) -> int:
    return next(index for index, field in enumerate(schema.fields) if field.name == name)
