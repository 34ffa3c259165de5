"""Where an AWS Data Export keeps what: names of folders and manifests below a location. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.sources.aws.cur_layout import last_part, parts
from cost_lakehouse.sources.aws.data_export_manifest import ListedFile
from cost_lakehouse.sources.aws.manifest import ManifestError, first_of_month
from cost_lakehouse.sources.aws.manifest_resolver import MANIFEST_SUFFIX

# AWS writes BILLING_PERIOD=2026-10; exports that were copied by other tools have it in lower case.
_PERIOD_FOLDER = re.compile(r"billing_period=(\d{4})-(\d{2})", re.IGNORECASE)


def billing_period_of(folder_name: str) -> date | None:
    """The month of ``BILLING_PERIOD=2026-10`` in any case; None for any other name."""
    match = _PERIOD_FOLDER.fullmatch(folder_name)
    return first_of_month(*match.groups()) if match else None


def is_manifest(name: str) -> bool:
    """Whether a file of this name announces a delivery."""
    return name.lower().endswith(MANIFEST_SUFFIX.lower())


@dataclass(frozen=True)
class ExportLocation:
    """One export's place: ``prefix/export`` without a slash at its end, and the bucket that its manifests name.

    ``bucket`` is None where nobody knows it: a folder that was copied from some bucket.
    """

    prefix: str
    bucket: str | None = None

    @property
    def folder(self) -> str:
        """The location as a folder key."""
        return f"{self.prefix}/" if self.prefix else ""

    @property
    def export(self) -> str:
        """The export's name: the location's last part."""
        return last_part(self.prefix)

    @property
    def data(self) -> str:
        """The folder of the data files."""
        return f"{self.folder}data/"

    @property
    def metadata(self) -> str:
        """The folder of the manifests."""
        return f"{self.folder}metadata/"

    def resolve(self, files: Sequence[ListedFile], billing_period: date) -> tuple[str, ...]:
        """The listed files' keys in this store.

        Raises ManifestError for a file outside of the bucket or the location, or of another month.
        """
        buckets = {listed_file.bucket for listed_file in files if listed_file.bucket is not None}
        if self.bucket is None and len(buckets) > 1:
            raise ManifestError(f"it lists files of several buckets ({', '.join(sorted(buckets))})")
        return tuple(dict.fromkeys(self._resolve(listed_file, billing_period) for listed_file in files))

    def _resolve(self, file: ListedFile, billing_period: date) -> str:
        if self.bucket is not None and file.bucket not in (None, self.bucket):
            raise ManifestError(
                f"it lists s3://{file.bucket}/{file.key}, which is outside of the bucket {self.bucket} (where this is a "
                f"replica of that bucket, set `replica_of: {file.bucket}` on the source)"
            )
        own, given = parts(self.prefix), parts(file.key)
        below = given[len(own) :]
        if given[: len(own)] != own or not below:
            raise ManifestError(f"it lists {file.key!r}, which is outside of this location")
        for name in below[:-1]:
            month = billing_period_of(name)
            if month is not None and month != billing_period:
                raise ManifestError(f"it is of {billing_period:%Y-%m} and lists {file.key!r}, which is of another month")
        return file.key if file.key.startswith(self.folder) else self.folder + "/".join(below)
