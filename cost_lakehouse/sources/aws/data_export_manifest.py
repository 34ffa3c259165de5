"""What a manifest of an AWS Data Export says, read tolerantly: AWS documents where it lies, not what stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cost_lakehouse.sources.aws.manifest import ManifestError
from cost_lakehouse.sources.delivery import FileFormat

_LISTS = ("dataFiles", "reportKeys")
_IDS = ("executionId", "assemblyId")
_ADDRESS = re.compile(r"s3[an]?://([^/]+)/(.+)", re.IGNORECASE | re.DOTALL)
_CSV_NAMES = (".csv", ".gz", ".zip")


@dataclass(frozen=True)
class ListedFile:
    """One file of the manifest. ``bucket`` is None where only the key is given."""

    bucket: str | None
    key: str


@dataclass(frozen=True)
class ExportManifest:
    """One delivery as AWS announces it; each file once. ``execution_id`` is "" where the manifest names none."""

    execution_id: str
    files: tuple[ListedFile, ...]
    file_format: FileFormat


def parse_export_manifest(content: bytes) -> ExportManifest:
    """Read ``<export>-Manifest.json``.

    Files stand in ``dataFiles`` as addresses, keys, or objects with a ``path`` or ``key``; the legacy ``reportKeys`` and
    ``assemblyId`` are taken as well. Other fields are ignored: the month is told by the folder, the columns by the files.
    Raises ManifestError.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise ManifestError("it is not a JSON object")
    # A file that is listed twice is one file: reading it twice would double its cost.
    files = tuple(dict.fromkeys(_files(document)))
    return ExportManifest(_execution_id(document), files, _file_format(document, files))


def _execution_id(document: dict[str, Any]) -> str:
    for name in _IDS:
        value = document.get(name)
        if value is not None and not isinstance(value, str):
            raise ManifestError(f"its {name} is no text")
        if value:
            return value
    return ""


def _files(document: dict[str, Any]) -> Iterator[ListedFile]:
    name = next((item for item in _LISTS if document.get(item) is not None), None)
    if name is None:
        raise ManifestError(f"it has no {' and no '.join(_LISTS)}")
    entries = document[name]
    if not isinstance(entries, list):
        raise ManifestError(f"its {name} is no list")
    for entry in entries:
        value = entry
        if isinstance(entry, dict):
            value = next((entry[text] for text in ("path", "key") if entry.get(text)), None)
        if not isinstance(value, str) or not value or value.endswith("/"):
            raise ManifestError(f"its {name} hold {entry!r}, which is no file")
        address = _ADDRESS.fullmatch(value)
        bucket, key = address.groups() if address else (None, value)
        if ".." in re.split(r"[/\\]", key) or "\0" in key or (address is None and "://" in value):
            raise ManifestError(f"its {name} hold {value!r}, which leads out of the export")
        yield ListedFile(bucket, key)


def _file_format(document: dict[str, Any], files: tuple[ListedFile, ...]) -> FileFormat:
    """By the files' names, else by the manifest's fields of the format."""
    names = [listed_file.key.lower() for listed_file in files]
    if names and all(name.endswith(".parquet") for name in names):
        return FileFormat.PARQUET
    if all(name.endswith((*_CSV_NAMES, ".parquet")) for name in names):
        return FileFormat.CSV  # a Parquet file among others is told by its name when it is read
    said = " ".join(str(document.get(text)) for text in ("format", "compression", "contentType", "fileFormat")).lower()
    if "parquet" in said:
        return FileFormat.PARQUET
    if "csv" in said or "gzip" in said:
        return FileFormat.CSV
    raise ManifestError("neither its fields nor its files' names tell CSV from Parquet")
