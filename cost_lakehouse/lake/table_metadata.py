"""A table's metadata file as JSON: read once a process, and shown to pyiceberg without its history.

A table of thousands of snapshots has a metadata file of megabytes. pyiceberg makes an object of every snapshot whenever it
loads a table; to read the current snapshot, or to commit the next one, none of the others is needed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataUtil
from sqlalchemy import text

from cost_lakehouse.lake.remembered import Remembered

Document = Mapping[str, Any]
"""A metadata file's content. It is shared: nobody changes one, who needs another makes another."""

_documents: Remembered[Document] = Remembered(24)  # a lake has some twenty tables, and of each one version is current
_CURRENT = text(
    "select metadata_location from iceberg_tables "
    "where catalog_name = :catalog and table_namespace = :namespace and table_name = :name"
)


def current_table(catalog: SqlCatalog, name: str) -> Table:
    """The table ``namespace.name`` as it is now; of its snapshots it knows the current one and those with a name (tags).

    Raises NoSuchTableError.
    """
    namespace, _, table_name = name.rpartition(".")
    with catalog.engine.connect() as connection:
        asked = {"catalog": catalog.name, "namespace": namespace, "name": table_name}
        location = connection.execute(_CURRENT, asked).scalar()
    if location is None:
        raise NoSuchTableError(f"Table does not exist: {name}")
    io = load_file_io(dict(catalog.properties), location)
    metadata = TableMetadataUtil.parse_obj(_without_history(read_document(io, location)))
    return Table((namespace, table_name), metadata, location, io, catalog)


def read_document(io: FileIO, location: str) -> Document:
    """The content of the metadata file at a location."""

    def read() -> Document:
        with io.new_input(location).open() as stream:
            content = stream.read()
        document: Document = json.loads(gzip.decompress(content) if location.endswith(".gz.metadata.json") else content)
        return document

    return _documents.get(location, read)


def write_document(io: FileIO, location: str, document: Document) -> None:
    """Write a new version of a table's metadata."""
    content = json.dumps(document, separators=(",", ":")).encode()
    with io.new_output(location).create() as stream:
        stream.write(content)
    _documents.put(location, document)


def _without_history(document: Document) -> dict[str, Any]:
    named = {ref["snapshot-id"] for ref in document.get("refs", {}).values()} | {document.get("current-snapshot-id")}
    snapshots = [snapshot for snapshot in document.get("snapshots", ()) if snapshot["snapshot-id"] in named]
    return {**document, "snapshots": snapshots, "snapshot-log": []}
