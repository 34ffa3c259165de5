"""Where a legacy AWS Cost and Usage Report keeps what: names of folders and manifests below a location. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.sources.aws.manifest import ManifestError, first_of_month
from cost_lakehouse.sources.aws.manifest_resolver import MANIFEST_SUFFIX

STATUS_FOLDER = "cost_and_usage_data_status"
_PERIOD_FOLDER = re.compile(r"(\d{4})(\d{2})(\d{2})-\d{8}")
_YEAR_FOLDER = re.compile(r"year=(\d{4})", re.IGNORECASE)
_MONTH_FOLDER = re.compile(r"month=(\d{1,2})", re.IGNORECASE)


def period_of(folder_name: str) -> date | None:
    """The month of ``20261001-20261101``; None for any other name.

    Only the first date counts: AWS's own documents end the folder with the month's last day or the next month's first.
    """
    match = _PERIOD_FOLDER.fullmatch(folder_name)
    return first_of_month(*match.groups()) if match else None


def year_of(folder_name: str) -> int | None:
    """The year of Athena's ``year=2026`` folder."""
    match = _YEAR_FOLDER.fullmatch(folder_name)
    return int(match.group(1)) if match else None


def month_of(folder_name: str) -> int | None:
    """The month of Athena's ``month=5`` folder, which has no leading zero (some copies add one)."""
    match = _MONTH_FOLDER.fullmatch(folder_name)
    return int(match.group(1)) if match and 1 <= int(match.group(1)) <= 12 else None


def last_part(key: str) -> str:
    """The last name of a key, be it a file's or a folder's."""
    return key.rstrip("/").rsplit("/", 1)[-1]


def parts(key: str) -> list[str]:
    """The names of a key; a slash at its start or a doubled one counts for nothing."""
    return [part for part in key.split("/") if part]


@dataclass(frozen=True)
class ReportLocation:
    """One report's place in its bucket: ``prefix/report``, without a slash at its end ("" is the bucket itself)."""

    prefix: str

    @property
    def folder(self) -> str:
        """The location as a folder key. With its slash, ``cur/hourly`` never takes in ``cur/hourly-2``."""
        return f"{self.prefix}/" if self.prefix else ""

    @property
    def report(self) -> str:
        """The report's name: the location's last part."""
        return last_part(self.prefix)

    @property
    def manifest_name(self) -> str:
        """The name of each of this report's manifests."""
        return f"{self.report}{MANIFEST_SUFFIX}"

    @property
    def athena_folder(self) -> str:
        """Where the Athena integration writes Parquet: the report's name a second time."""
        return f"{self.folder}{self.report}/"

    def resolve(self, key: str, billing_period: date) -> str:
        """A manifest's key as it is in this store.

        The bucket in the manifest is not looked at (a replicated bucket has another name), and slashes are forgiven: AWS starts
        keys with one where the prefix is empty. Raises ManifestError for a key outside of the location or of another month.
        """
        own, given = parts(self.prefix), parts(key)
        below = given[len(own) :]
        if given[: len(own)] != own or not below:
            raise ManifestError(f"it lists {key!r}, which is outside of this location")
        month = period_of(below[0])
        if month is not None and month != billing_period:
            raise ManifestError(f"it is of {billing_period:%Y-%m} and lists {key!r}, which is of another month")
        return key if key.startswith(self.folder) else self.folder + "/".join(below)
