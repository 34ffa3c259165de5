"""One look at an organisation -> what is new in ``raw.aws_accounts``; the one place where AWS's answer and the lake meet.

The table is a log: who is new, who is another than before, who is gone. Nothing in it is ever changed, and what was asked in
vain adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cost_lakehouse.accounts.log import append_rows, last_rows
from cost_lakehouse.config import Settings
from cost_lakehouse.config.organizations import OrganizationSettings
from cost_lakehouse.errors import LakeError, SourceError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.sources.aws.organizations import Account, Organization, read_organization

KINDS = NEW, CHANGED, GONE = "new", "changed", "gone"
_WAIT_SECONDS = 600.0
# Column of the table -> how people call it.
_SAID = {
    "account_name": "name",
    "account_state": "state",
    "joined_at": "joined",
    "unit_id": "organisational unit",
    "unit_name": "name of the unit",
    "unit_path": "path",
    "unit_id_path": "path",
    "tags": "tags",
}


@dataclass(frozen=True)
class AccountChange:
    """What became of one account since the last look; ``detail`` says what differs of a changed one."""

    account_id: str
    account_name: str
    what: str  # new, changed or gone
    detail: str = ""


@dataclass(frozen=True)
class AccountsRead:
    """What one look at an organisation found, and what it added to the lake."""

    name: str
    organization_id: str
    accounts: int
    changes: tuple[AccountChange, ...]


def read_accounts(lake: Lake, settings: Settings, organization: OrganizationSettings) -> AccountsRead:
    """Ask the organisation for all of its accounts, and put on record what differs from the last time.

    Raises SourceError where it cannot be read whole, or is another one than before under this name; LakeError where the lake
    cannot be written, or another process is at it. Nothing is added then.
    """
    with lake.lock(f"accounts-{organization.name}", f"Reading the accounts of {organization.name}", _WAIT_SECONDS) as lock:
        # Taken before the first question: what changes during the read is seen by the next one.
        moment = datetime.now(UTC).replace(tzinfo=None)
        answer = read_organization(settings.access_to(organization), tags=organization.tags)
        known = last_rows(lake)
        check_same_organization(organization.name, answer, known, [entry.name for entry in settings.organizations])
        held = {row["account_id"]: row for row in known if row["organization_id"] == answer.organization_id}
        newest = max((value["seen_at"] for value in held.values()), default=moment)
        if newest > moment:
            raise LakeError(
                f"{organization.name}: its accounts were last read at {newest:%Y-%m-%d %H:%M:%S} UTC, which is still to come.",
                "Set this machine's clock (NTP), or wait until then. Nothing was changed.",
            )
        changes, rows = changes_of(answer, held)
        slice_ = Slice(organization.name, moment.date().replace(day=1))
        shared = {
            "source": slice_.source,
            "billing_period": slice_.billing_period,
            "delivery_id": digest_of(answer),
            "organization_id": answer.organization_id,
            "management_account_id": answer.management_account_id,
            "seen_at": moment,
        }
        append_rows(lake, slice_, [{**row, **shared} for row in rows], lock.ensure_held)
    return AccountsRead(organization.name, answer.organization_id, len(answer.accounts), changes)


def changes_of(
    answer: Organization, held: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[AccountChange, ...], list[dict[str, Any]]]:
    """What differs between an organisation's answer and its accounts' last rows (``held``), and the rows that say so.

    ``held`` has this organisation's accounts alone: no answer says anything of another's.
    """
    changes: list[AccountChange] = []
    rows: list[dict[str, Any]] = []
    there = {candidate.account_id for candidate in answer.accounts}
    for account in answer.accounts:
        row = _row(account)
        last = held.get(account.account_id)
        if last is None or last["is_gone"]:
            changes.append(AccountChange(account.account_id, account.account_name, NEW))
        else:
            differing = [name for name in _SAID if row[name] != last[name]]
            if not differing:
                continue
            detail = ", ".join(dict.fromkeys(_SAID[name] for name in differing))
            if "account_name" in differing:
                detail += f"; it was {last['account_name']}"
            changes.append(AccountChange(account.account_id, account.account_name, CHANGED, detail))
        rows.append(row)
    for account_id, last in sorted(held.items()):
        if account_id not in there and not last["is_gone"]:
            changes.append(AccountChange(account_id, str(last["account_name"]), GONE))
            rows.append({name: last[name] for name in ("account_id", *_SAID)} | {"is_gone": True})
    return tuple(changes), rows


def check_same_organization(
    name: str, answer: Organization, known: Sequence[Mapping[str, Any]], configured: Sequence[str]
) -> None:
    """One organisation has one name, and one name is of one organisation: else a wrong credential would close accounts.

    Raises SourceError where the answer is another organisation's, or of one that is read under another configured name.
    """
    before = sorted({row["organization_id"] for row in known if row["source"] == name} - {answer.organization_id})
    if before:
        raise SourceError(
            f"{name}: these credentials are of the organisation {answer.organization_id}, and the name is that of {before[0]}.",
            "Correct the credentials, or give the new organisation a name of its own. Nothing was changed.",
        )
    own = [row for row in known if row["organization_id"] == answer.organization_id]
    newest = max(own, key=lambda one: one["seen_at"], default=None)
    if newest is not None and newest["source"] != name and newest["source"] in configured:
        raise SourceError(
            f"{name}: the organisation {answer.organization_id} is read as {newest['source']} already.",
            "Remove one of the two from `organizations`. Nothing was changed.",
        )


def digest_of(answer: Organization) -> str:
    """A digest of an answer: the same organisation, unchanged, has the same one."""
    rows = [sorted(account.items()) for account in map(_row, answer.accounts)]
    told = repr((answer.organization_id, answer.management_account_id, rows))
    return sha256(told.encode()).hexdigest()[:32]


def _row(account: Account) -> dict[str, Any]:
    tags = None if account.tags is None else dict(sorted(account.tags.items()))
    return {**account.__dict__, "tags": tags, "is_gone": False}
