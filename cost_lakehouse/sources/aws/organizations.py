"""Reads an organisation out of AWS Organizations: its accounts with their names, organisational units and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_causes import S3_FAILURES, S3Cause, S3Failure, cause_of, error_code
from cost_lakehouse.storage.s3_errors import S3Errors

PLACE = "AWS Organizations"
# AWS lets few requests a second pass, of all who ask about an organisation: the client slows down by itself.
ATTEMPTS = 10
FEW_ATTEMPTS = 3
PAGE_SIZE = 20  # AWS's own limit
READS = 3  # an organisation that changes while it is read is read again

_RIGHTS = (
    "Only the organisation's management account, or a member that it has delegated this to, may ask. Its policy must allow "
    "organizations:DescribeOrganization, ListRoots, ListAccounts, ListAccountsForParent, ListOrganizationalUnitsForParent and "
    "ListTagsForResource (not with `tags: false`): `cost-lakehouse policy aws --organizations` prints it."
)
_WORDS = {
    S3Cause.DENIED: ("{place} refuses: access is denied.", _RIGHTS),
    S3Cause.BAD_KEY: (
        "AWS does not know the access key that was sent to {place}.",
        "Correct `access_key` and `secret_key`, or `profile`, or the environment's AWS credentials.",
    ),
    S3Cause.BUSY: ("{place} is overloaded or failing.", "Nothing was changed: the next run tries again."),
    S3Cause.INVALID: ("{place} cannot be asked: the region is not valid.", "Correct `region`."),
}


@dataclass(frozen=True)
class Account:
    """One account as its organisation knows it. ``joined_at`` is UTC without zone; ``tags`` is None where they are not read.

    ``unit_path`` has the names from the root down, ``unit_id_path`` the ids, both parted by ``/``.
    """

    account_id: str
    account_name: str
    account_state: str  # ACTIVE, SUSPENDED, PENDING_CLOSURE ...
    joined_at: datetime | None
    unit_id: str
    unit_name: str
    unit_path: str
    unit_id_path: str
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Organization:
    """A whole organisation: every account that it has, sorted by id."""

    organization_id: str
    management_account_id: str
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class _Unit:
    id: str
    name: str
    names: tuple[str, ...] = field(default=())
    ids: tuple[str, ...] = field(default=())

    def child(self, given: Mapping[str, Any]) -> _Unit:
        return _Unit(given["Id"], given["Name"], (*self.names, given["Name"]), (*self.ids, given["Id"]))


def read_organization(access: AwsAccess, *, tags: bool = True) -> Organization:
    """Read all of it, page by page; what cannot be read whole is an error, and no part of an answer.

    Raises SourceError where AWS refuses or does not answer, or the organisation changes each time that it is read.
    """
    # Secrets are cut out of what is told; no bucket is asked.
    errors = S3Errors.of(access, "", "", _WORDS)
    try:
        client = _client(access, ATTEMPTS)
        described = client.describe_organization()["Organization"]
        accounts = _accounts(client)
        tagged = [(account, _tags(client, account.account_id) if tags else None) for account in accounts]
    except S3_FAILURES as error:
        raise _told(errors, error) from None
    management = str(described["MasterAccountId"])
    if management not in {account.account_id for account in accounts}:
        raise SourceError(
            f"{PLACE} lists {len(accounts)} accounts of {described['Id']}, and its management account {management} is not one.",
            "Nothing was changed: such an answer is not whole. Run it again.",
        )
    whole = (Account(**{**item.__dict__, "tags": found}) for item, found in tagged)
    return Organization(str(described["Id"]), management, tuple(sorted(whole, key=lambda one: one.account_id)))


def try_rights(access: AwsAccess, *, tags: bool = True) -> tuple[str, list[str]]:
    """The organisation's id ("" where even that is refused), and which of the actions that reading takes are refused.

    One small request each. Raises SourceError where AWS cannot be asked at all.
    """
    refused: list[str] = []
    try:
        client = _client(access, FEW_ATTEMPTS)

        def ask(action: str, key: str, **parameters: Any) -> Any:
            try:
                return getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(**parameters)[key]
            except ClientError as error:
                if cause_of(error) is not S3Cause.DENIED:
                    raise
                refused.append(f"organizations:{action}")
                return None

        organization = ask("DescribeOrganization", "Organization")
        roots = ask("ListRoots", "Roots")
        accounts = ask("ListAccounts", "Accounts", MaxResults=1)
        if roots:
            ask("ListAccountsForParent", "Accounts", ParentId=roots[0]["Id"], MaxResults=1)
            ask("ListOrganizationalUnitsForParent", "OrganizationalUnits", ParentId=roots[0]["Id"], MaxResults=1)
        if tags and accounts:
            ask("ListTagsForResource", "Tags", ResourceId=accounts[0]["Id"])
    except S3_FAILURES as error:
        raise _told(S3Errors.of(access, "", "", _WORDS), error) from None
    return str(organization["Id"]) if organization else "", refused


def _client(access: AwsAccess, attempts: int) -> Any:
    session, region = session_of(access)
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    return session.client("organizations", region_name=region, endpoint_url=access.endpoint, config=config)


def _accounts(client: Any) -> list[Account]:
    """Every account below its unit. An account that moves meanwhile may be seen twice, or never: the plain list tells."""
    for _ in range(READS):
        placed = [
            _account(given, unit)
            for unit in _units(client)
            for given in _pages(client, "list_accounts_for_parent", "Accounts", ParentId=unit.id)
        ]
        listed = [str(page["Id"]) for page in _pages(client, "list_accounts", "Accounts")]
        if sorted(item.account_id for item in placed) == sorted(listed):
            return placed
    raise SourceError(
        f"{PLACE}: accounts were moved, added or removed each of the {READS} times that the organisation was read.",
        "Nothing was changed. Run it again when nobody works on the organisation.",
    )


def _units(client: Any) -> Iterator[_Unit]:
    """The root and every organisational unit below it."""
    waiting = [_Unit("", "").child(page) for page in _pages(client, "list_roots", "Roots")]
    while waiting:
        unit = waiting.pop()
        yield unit
        children = _pages(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=unit.id)
        waiting += [unit.child(candidate) for candidate in children]


def _account(given: Mapping[str, Any], unit: _Unit) -> Account:
    joined: datetime | None = given.get("JoinedTimestamp")
    return Account(
        account_id=str(given["Id"]),
        account_name=str(given["Name"]),
        # AWS retired Status in September 2026; what plays AWS may not know State yet.
        account_state=str(given.get("State") or given.get("Status") or ""),
        joined_at=joined.astimezone(UTC).replace(tzinfo=None) if joined else None,
        unit_id=unit.id,
        unit_name=unit.name,
        unit_path="/".join(unit.names),
        unit_id_path="/".join(unit.ids),
    )


def _tags(client: Any, account_id: str) -> dict[str, str]:
    found = _pages(client, "list_tags_for_resource", "Tags", page_size=None, ResourceId=account_id)
    return {str(entry["Key"]): str(entry["Value"]) for entry in found}


def _pages(client: Any, operation: str, key: str, page_size: int | None = PAGE_SIZE, **parameters: Any) -> Iterator[Any]:
    paging = {"PageSize": page_size} if page_size else {}
    for page in client.get_paginator(operation).paginate(**parameters, PaginationConfig=paging):
        yield from page[key]


def _told(errors: S3Errors, error: S3Failure) -> SourceError:
    code = error_code(error) if isinstance(error, ClientError) else ""
    if code == "AWSOrganizationsNotInUseException":
        return SourceError(
            f"{PLACE}: the account that asks is in no organisation.",
            "Ask with the credentials of the management account; accounts without an organisation can be named in the seed.",
        )
    if code == "TooManyRequestsException":
        return SourceError(
            f"{PLACE}: too many requests, after {ATTEMPTS} attempts.",
            "Nothing was changed. Run it again later, or at another hour (`schedule`).",
        )
    return errors.explain(error, PLACE)
