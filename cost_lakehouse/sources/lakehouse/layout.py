"""What a lakehouse pushes: the names of its files and the words of its manifests, for whoever writes and reads them. Pure.

A writer has a folder of its own below the target. Its ``manifest.json`` says which files count now, and is written last: files
have names with their own digest and are never changed, so a reader sees a month as it was or as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from cost_lakehouse.errors import DeliveryFailed

MANIFEST = "manifest.json"
FORMAT = "cost-lakehouse push"
VERSION = 1
DAILY_COSTS = "daily_costs"
SUFFIXES = {"parquet": "parquet", "csv": "csv.gz"}
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_FIX = "Let the writer push again; what is loaded stays until then."

Account = tuple[str, str]
"""The payer (tenancy, billing account) and the usage account."""


@dataclass(frozen=True)
class PushedFile:
    """One file, below the writer's folder."""

    path: str
    rows: int
    bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """As a manifest has it."""
        return {"path": self.path, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Self:
        """What a manifest says. Raises ValueError where the path leads elsewhere."""
        path = str(said["path"])
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path below the writer's folder")
        return cls(path, int(said["rows"]), int(said["bytes"]), str(said["sha256"]))


@dataclass(frozen=True)
class CurrencyTotals:
    """The exact sums of one kind of rows in one currency ("" where they have none): amounts by column."""

    currency: str
    rows: int
    amounts: Mapping[str, Decimal]

    def to_json(self) -> dict[str, Any]:
        """As a manifest has it: decimals as text."""
        return {"currency": self.currency, "rows": self.rows, **{name: f"{item:f}" for name, item in self.amounts.items()}}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Self:
        """What a manifest says."""
        amounts = {name: Decimal(item) for name, item in said.items() if name not in ("currency", "rows")}
        return cls(str(said["currency"]), int(said["rows"]), amounts)


@dataclass(frozen=True)
class PushedMonth:
    """One source's month as its writer holds it: the load that its numbers are of, and its files by what they hold.

    ``id`` is a digest of the contents: the same month pushed twice has the same. Moments are UTC and aware.
    """

    source: str
    month: date
    id: str
    pushed_at: datetime
    delivery_id: str
    load_id: str
    receipt_digest: str
    state: str
    manifest: PushedFile
    files: Mapping[str, tuple[PushedFile, ...]]
    totals: Mapping[str, tuple[CurrencyTotals, ...]]
    accounts: tuple[Account, ...] = ()

    @property
    def label(self) -> str:
        """Source and month for people."""
        return f"{self.source} {self.month:%Y-%m}"

    def to_json(self) -> dict[str, Any]:
        """As a manifest has it, the accounts by the digest that they are listed under."""
        return {
            "source": self.source,
            "month": f"{self.month:%Y-%m}",
            "id": self.id,
            "pushed_at": self.pushed_at.isoformat(),
            "delivery_id": self.delivery_id,
            "load_id": self.load_id,
            "receipt_digest": self.receipt_digest,
            "state": self.state,
            "manifest": self.manifest.to_json(),
            "files": {what: [file.to_json() for file in files] for what, files in self.files.items()},
            "totals": {what: [entry.to_json() for entry in totals] for what, totals in self.totals.items()},
            "accounts": digest_of_accounts(self.accounts),
        }

    @classmethod
    def of_json(cls, said: Mapping[str, Any], accounts: Mapping[str, Sequence[Sequence[str]]]) -> Self:
        """What a manifest says. Raises KeyError, TypeError, ValueError, InvalidOperation where it is none."""
        return cls(
            str(said["source"]),
            date.fromisoformat(f"{said['month']}-01"),
            str(said["id"]),
            datetime.fromisoformat(said["pushed_at"]).astimezone(UTC),
            str(said["delivery_id"]),
            str(said["load_id"]),
            str(said["receipt_digest"]),
            str(said["state"]),
            PushedFile.of_json(said["manifest"]),
            {what: tuple(PushedFile.of_json(file) for file in files) for what, files in said["files"].items()},
            {what: tuple(CurrencyTotals.of_json(entry) for entry in totals) for what, totals in said["totals"].items()},
            tuple((str(payer), str(account)) for payer, account in accounts[said["accounts"]]),
        )


@dataclass(frozen=True)
class Manifest:
    """What a writer says counts now. ``lake_id`` tells lakehouses apart that were given one name."""

    writer: str
    lake_id: str
    written_at: datetime
    months: tuple[PushedMonth, ...] = field(default=())

    def to_bytes(self) -> bytes:
        """As it is stored. Sets of accounts are listed once, however many months share them."""
        accounts = {digest_of_accounts(month.accounts): [list(pair) for pair in month.accounts] for month in self.months}
        document = {
            "format": FORMAT,
            "version": VERSION,
            "writer": self.writer,
            "lake_id": self.lake_id,
            "written_at": self.written_at.isoformat(),
            "months": [month.to_json() for month in sorted(self.months, key=lambda one: (one.source, one.month))],
            "accounts": accounts,
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def of_bytes(cls, content: bytes, where: str) -> Self:
        """What was stored; ``where`` says the place for people. Raises DeliveryFailed where it cannot be understood."""
        try:
            said = json.loads(content)
            if not isinstance(said, dict) or said.get("format") != FORMAT:
                raise ValueError("it is not what a lakehouse pushes")
            if said["version"] != VERSION:
                raise ValueError(f"it is of version {said['version']}, and this lakehouse reads {VERSION}")
            months = tuple(PushedMonth.of_json(month, said["accounts"]) for month in said["months"])
            written_at = datetime.fromisoformat(said["written_at"]).astimezone(UTC)
            return cls(str(said["writer"]), str(said["lake_id"]), written_at, months)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise DeliveryFailed(f"{where} cannot be understood: {error}.", _FIX) from None


def digest_of_accounts(accounts: Sequence[Account]) -> str:
    """What a set of accounts is listed under."""
    return hashlib.sha256(json.dumps(sorted(accounts)).encode()).hexdigest()[:16]


def month_folder(source: str, month: date) -> str:
    """Where the files of a source's month are, below the writer's folder."""
    return f"{source}/{month:%Y-%m}"


def month_id(lake_id: str, source: str, month: date, files: Mapping[str, Sequence[PushedFile]], state: str) -> str:
    """What a month is known by: the same contents of the same lake have the same id, whoever asks and whenever."""
    said = {what: [[file.rows, file.sha256] for file in entries] for what, entries in sorted(files.items())}
    text = json.dumps([lake_id, source, f"{month:%Y-%m}", state, said])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
