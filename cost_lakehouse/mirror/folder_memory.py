"""What a mirror in a folder notes beside its files: of what each is a copy, and which parts of a large one are there."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cost_lakehouse.sources.oci.store import ListedObject

_COPIES = "copies.jsonl"
_PARTIAL = "partial"


@dataclass(frozen=True)
class Note:
    """A file, as it was when it was copied (``{size}-{mtime}``), and its original's etag and checksum."""

    file: str
    etag: str
    checksum: str


class FolderMemory:
    """A line of JSON for each copy. A line that a kill has cut is as none: then the file's checksum is computed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._notes: dict[str, Note] | None = None

    def recall(self, key: str) -> Note | None:
        """What was noted last."""
        with self._lock:
            return self._load().get(key)

    def note(self, key: str, file: str, original: ListedObject) -> None:
        """Note a copy."""
        made = Note(file, original.stored.etag, original.checksum)
        with self._lock:
            self._load()[key] = made
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / _COPIES).open("a", encoding="utf-8") as lines:
                lines.write(_line(key, made))

    def finish(self) -> None:
        """Keep the last line of each copy alone; remove partial files."""
        with self._lock:
            if not self._folder.is_dir():
                return
            aside = self._folder / f"{_COPIES}.new"
            aside.write_text("".join(_line(key, item) for key, item in sorted(self._load().items())), encoding="utf-8")
            aside.replace(self._folder / _COPIES)
            for path in (self._folder / _PARTIAL).glob("*"):
                path.unlink()

    def _load(self) -> dict[str, Note]:
        if self._notes is None:
            self._notes = {}
            file = self._folder / _COPIES
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else ():
                try:
                    key, *noted = json.loads(line)
                    self._notes[key] = Note(*noted)
                except (ValueError, TypeError):
                    continue
        return self._notes


def _line(key: str, note: Note) -> str:
    # A line break first: what a kill has cut must not swallow the next line.
    return f"\n{json.dumps([key, note.file, note.etag, note.checksum])}"


class PartialFile:
    """The file that an object is written into before it has its own name, and a list of the parts that are in it."""

    def __init__(self, folder: Path, listed: ListedObject, part_size: int) -> None:
        name = sha256(listed.stored.key.encode()).hexdigest()[:32]
        self.path = folder / _PARTIAL / name
        self._list = folder / _PARTIAL / f"{name}.parts"
        self._head = json.dumps([listed.stored.key, listed.stored.etag, listed.stored.size, part_size])
        self._size = listed.stored.size
        self.done: set[int] = set()

    def open(self) -> int:
        """A descriptor to write with; what an earlier run wrote of the same object is in ``done``."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self._list.read_text(encoding="ascii", errors="replace") if self._list.exists() else ""
        # A kill may have cut the last line: what has no end does not count.
        head, *numbers = text[: text.rfind("\n") + 1].splitlines() or [""]
        if head == self._head and self.path.exists():
            self.done = {int(number) for number in numbers}
        else:
            self.path.unlink(missing_ok=True)
        self._list.write_text("".join(f"{line}\n" for line in [self._head, *sorted(self.done)]), encoding="ascii")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        os.truncate(descriptor, self._size)
        return descriptor

    def note(self, part: int) -> None:
        """A part is written."""
        with self._list.open("a", encoding="ascii") as lines:
            lines.write(f"{part}\n")

    def remove(self) -> None:
        """Neither file is needed any more."""
        self.path.unlink(missing_ok=True)
        self._list.unlink(missing_ok=True)
