"""What one run of a mirror did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cost_lakehouse.errors import CostLakehouseError, MirrorFailed

NAMED_FAILURES = 10


@dataclass(frozen=True)
class Failure:
    """One object that could not be copied, and why."""

    key: str
    problem: str
    fix: str


@dataclass
class MirrorReport:
    """Counts of objects and bytes. In a dry run nothing was copied: ``copied`` is what would be."""

    name: str
    destination: str
    dry_run: bool
    listed: int = 0
    copied: int = 0
    copied_bytes: int = 0
    skipped: int = 0
    skipped_bytes: int = 0
    deleted: int = 0
    kept: int = 0  # at the destination only: Oracle deletes reports after a year
    keys: list[str] = field(default_factory=list)  # those that were, or would be, copied
    deleted_keys: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_tried: int = 0
    seconds: float = 0.0
    version: str = ""  # a digest of every object's name and etag

    @property
    def ok(self) -> bool:
        """Whether everything that was listed is at the destination."""
        return not self.failures and not self.not_tried

    def facts(self) -> dict[str, Any]:
        """The counts as plain values, for metadata and JSON."""
        return {
            "mirror": self.name,
            "destination": self.destination,
            "dry_run": self.dry_run,
            "objects": self.listed,
            "copied": self.copied,
            "bytes": self.copied_bytes,
            "skipped": self.skipped,
            "skipped_bytes": self.skipped_bytes,
            "kept": self.kept,
            "deleted": self.deleted,
            "failed": len(self.failures),
            "not_tried": self.not_tried,
            "seconds": round(self.seconds, 3),
        }

    def failure(self) -> MirrorFailed:
        """All failures as one error that names the objects."""
        named = "; ".join(f"{candidate.key}: {candidate.problem}" for candidate in self.failures[:NAMED_FAILURES])
        more = len(self.failures) - NAMED_FAILURES
        rest = f"; and {more} more" if more > 0 else ""
        stopped = f" {self.not_tried} were not tried any more." if self.not_tried else ""
        count = "1 object" if len(self.failures) == 1 else f"{len(self.failures)} objects"
        fixes = " ".join(dict.fromkeys(candidate.fix for candidate in self.failures if candidate.fix))
        return MirrorFailed(f"Mirror {self.name}: {count} could not be copied: {named}{rest}{stopped}", fixes)

    def note_failure(self, key: str, error: CostLakehouseError) -> None:
        """One more object that could not be copied."""
        self.failures.append(Failure(key, error.problem, error.fix))
