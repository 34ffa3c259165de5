"""The buckets of Oracle Cloud's local server: objects with the checksums and listings that Object Storage gives."""

from __future__ import annotations

import base64
import bisect
import hashlib
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

MOST_KEYS = 1000
FIELDS = ("name", "size", "etag", "md5", "timeCreated", "timeModified", "storageTier", "archivalState")
CHUNK = 1024 * 1024


class InvalidParameter(Exception):
    """A query asks for what there is not."""


@dataclass(frozen=True)
class CloudObject:
    """One object. Its content is in memory, or in ``file``."""

    name: str
    size: int
    etag: str
    md5: str  # base64; of a multipart object the MD5 of its parts' MD5s, with their number
    modified: datetime
    content: bytes | None = None
    file: Path | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def is_multipart(self) -> bool:
        """Whether it was uploaded in parts: then nobody knows the MD5 of the whole."""
        return "-" in self.md5

    def summary(self, fields: list[str]) -> dict[str, object]:
        """As a listing shows it."""
        moment = self.modified.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        everything: dict[str, object] = {
            "name": self.name,
            "size": self.size,
            "etag": self.etag,
            "md5": self.md5,
            "timeCreated": moment,
            "timeModified": moment,
            "storageTier": "Standard",
            "archivalState": None,
        }
        return {name: everything[name] for name in FIELDS if name in fields}


class Bucket:
    """One bucket of a namespace, which one tenancy may read."""

    def __init__(self, namespace: str, name: str, tenancy: str) -> None:
        self.namespace = namespace
        self.name = name
        self.tenancy = tenancy
        self._objects: dict[str, CloudObject] = {}
        self._names: list[str] = []
        self._lock = threading.Lock()

    def put(
        self,
        name: str,
        content: bytes | Path,
        *,
        part_size: int | None = None,
        modified: datetime | None = None,
        metadata: dict[str, str] | None = None,
    ) -> CloudObject:
        """Add or replace an object; ``part_size`` says that it was uploaded in parts of that size."""
        made = CloudObject(
            name=name,
            size=content.stat().st_size if isinstance(content, Path) else len(content),
            etag=str(uuid.uuid4()),
            md5=_md5(content, part_size),
            modified=modified or datetime.now(UTC),
            content=None if isinstance(content, Path) else content,
            file=content if isinstance(content, Path) else None,
            metadata=metadata or {},
        )
        with self._lock:
            if name not in self._objects:
                bisect.insort(self._names, name)
            self._objects[name] = made
        return made

    def remove(self, name: str) -> None:
        """As Oracle does after a year."""
        with self._lock:
            del self._objects[name]
            self._names.remove(name)

    def get(self, name: str) -> CloudObject | None:
        """The object of that name."""
        return self._objects.get(name)

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        with self._lock:
            return list(self._names)

    def page(self, query: dict[str, str]) -> dict[str, object]:
        """ListObjects. ``start`` is the first name that may come; the answer's ``nextStartWith`` is the next page's.

        Raises InvalidParameter for a page that is too long, or an unknown field or delimiter.
        """
        prefix, delimiter, end = query.get("prefix", ""), query.get("delimiter", ""), query.get("end")
        fields = ["name", *query["fields"].split(",")] if query.get("fields") else ["name"]
        if not set(fields) <= set(FIELDS):
            raise InvalidParameter(f"Unsupported fields: {query['fields']}")
        if delimiter not in ("", "/"):
            raise InvalidParameter("Invalid delimiter, only '/' is supported")
        limit = int(query.get("limit", MOST_KEYS))
        if not 1 <= limit <= MOST_KEYS:
            raise InvalidParameter(f"The limit must be between 1 and {MOST_KEYS}")
        names = self.names
        after = query.get("startAfter")
        first = bisect.bisect_right(names, after) if after else bisect.bisect_left(names, max(prefix, query.get("start", "")))
        objects: list[dict[str, object]] = []
        prefixes: list[str] = []
        for name in names[first:]:
            if not name.startswith(prefix):
                if name > prefix:
                    break
                continue
            if end is not None and name >= end:
                break
            if delimiter and delimiter in name[len(prefix) :]:
                folder = prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter
                if prefixes and prefixes[-1] == folder:
                    continue
                if len(objects) + len(prefixes) == limit:
                    return _page(objects, prefixes, delimiter, name)
                prefixes.append(folder)
                continue
            if len(objects) + len(prefixes) == limit:
                return _page(objects, prefixes, delimiter, name)
            found = self._objects.get(name)
            if found is not None:
                objects.append(found.summary(fields))
        return _page(objects, prefixes, delimiter, None)


def _page(objects: list[dict[str, object]], prefixes: list[str], delimiter: str, more: str | None) -> dict[str, object]:
    return {"objects": objects, "prefixes": prefixes if delimiter else None, "nextStartWith": more}


def _md5(content: bytes | Path, part_size: int | None) -> str:
    parts = []
    for start, size in _ranges(content, part_size):
        part = hashlib.md5(usedforsecurity=False)
        if isinstance(content, Path):
            with content.open("rb") as file:
                file.seek(start)
                left = size
                while left and (chunk := file.read(min(CHUNK, left))):
                    part.update(chunk)
                    left -= len(chunk)
        else:
            part.update(memoryview(content)[start : start + size])
        parts.append(part.digest())
    if part_size is None:
        return base64.b64encode(parts[0]).decode()
    whole = hashlib.md5(b"".join(parts), usedforsecurity=False).digest()
    return f"{base64.b64encode(whole).decode()}-{len(parts)}"


def _ranges(content: bytes | Path, part_size: int | None) -> list[tuple[int, int]]:
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if part_size is None:
        return [(0, size)]
    return [(start, min(part_size, size - start)) for start in range(0, max(size, 1), part_size)]
