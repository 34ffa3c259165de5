"""What maintenance did, or would do, with each table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Files:
    """A number of files and their bytes."""

    count: int = 0
    bytes: int = 0

    @staticmethod
    def of(sizes: Iterable[int]) -> Files:
        """As many files as sizes."""
        every = list(sizes)
        return Files(len(every), sum(every))

    def __add__(self, other: Files) -> Files:
        return Files(self.count + other.count, self.bytes + other.bytes)

    def __sub__(self, other: Files) -> Files:
        return Files(self.count - other.count, self.bytes - other.bytes)


@dataclass
class TableReport:
    """One table. ``before`` and ``after`` are all the files in its folder; a dry run cannot tell how large merged files are."""

    table: str
    snapshots: int = 0  # before
    expired: int = 0
    slices_merged: int = 0
    merged: Files = field(default_factory=Files)  # files of the current snapshot that were rewritten
    merged_into: Files = field(default_factory=Files)
    position_deletes: int = 0  # delete files of another engine that went
    removed_expired: Files = field(default_factory=Files)  # only expired snapshots referred to them
    removed_orphans: Files = field(default_factory=Files)  # nothing referred to them
    left_young: Files = field(default_factory=Files)  # nothing refers to them, but they may be being written
    before: Files = field(default_factory=Files)
    after: Files = field(default_factory=Files)
    skipped: list[str] = field(default_factory=list)
    failed: str = ""
    fix: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, done."""
        removed = self.removed_expired.count + self.removed_orphans.count
        return bool(self.expired or self.slices_merged or removed)

    def facts(self) -> dict[str, Any]:
        """Flat and plain, for JSON and tables."""
        found: dict[str, Any] = {}
        for name, value in self.__dict__.items():
            if isinstance(value, Files):
                found[f"{name}_files"], found[f"{name}_bytes"] = value.count, value.bytes
            else:
                found[name] = value
        return found


@dataclass(frozen=True)
class Report:
    """The whole lake."""

    dry_run: bool
    engine: str
    tables: Sequence[TableReport]

    @property
    def ok(self) -> bool:
        """Whether nothing failed. What was skipped comes next time."""
        return not any(table.failed for table in self.tables)
