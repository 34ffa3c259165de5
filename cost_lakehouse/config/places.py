"""Where a folder or bucket prefix of lakehouse.yaml really is, so that two spellings of one place are known for one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A folder, links followed, or a prefix of a bucket in the store at ``store`` (its endpoint; '' is AWS's own)."""

    store: str | None  # None: this machine's folders
    parts: tuple[str, ...]

    @classmethod
    def of(cls, value: str, base: Path, endpoint: str | None = None) -> Place:
        """What ``s3://bucket/prefix``, or a folder relative to ``base``, names."""
        if value.startswith("s3://"):
            bucket, *prefix = [part for part in value.removeprefix("s3://").split("/") if part]
            return cls((endpoint or "").rstrip("/").lower(), (bucket.lower(), *prefix))
        return cls(None, (base / Path(value).expanduser()).resolve().parts)

    def below(self, folder: str) -> Place:
        """The place of a folder in it."""
        return Place(self.store, (*self.parts, *(part for part in folder.split("/") if part)))

    def holds(self, other: Place) -> bool:
        """Whether the other place is this one or lies inside it."""
        if self.store != other.store:
            return False
        if self.parts == other.parts[: len(self.parts)]:
            return True
        if self.store is not None:
            return False
        # Another name for it: a mount, or capitals where the file system knows none.
        mine, theirs = Path(*self.parts), Path(*other.parts)
        return mine.exists() and any(path.exists() and path.samefile(mine) for path in (theirs, *theirs.parents))

    def overlaps(self, other: Place) -> bool:
        """Whether one of the two holds the other."""
        return self.holds(other) or other.holds(self)
