"""Koku's organisational units: ``/organizations/aws/`` and the lists of their ids, out of the accounts' names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.reading import reading, tables_of_moment
from cost_lakehouse.ask.request import Range
from cost_lakehouse.ask.statement import Statement
from cost_lakehouse.ask.tags import tag_values
from cost_lakehouse.lake.tables import ACCOUNT_NAMES
from cost_lakehouse.serve.koku.lists import answering, known_only, page, truth
from cost_lakehouse.serve.served import Handler, Served

KNOWN = ("key_only", "limit", "offset")
LISTED = ("search", "limit", "offset")
MOST_VALUES = 20_000


@dataclass
class Unit:
    """A unit as it is now: the ids and names of itself and those above, from the root down, and what is right below it."""

    ids: tuple[str, ...]
    name: str
    accounts: set[str] = field(default_factory=set)
    units: set[str] = field(default_factory=set)

    @property
    def row(self) -> dict[str, Any]:
        """As Koku tells of one; the root is level 0."""
        return {
            "org_unit_id": self.ids[-1],
            "org_unit_name": self.name,
            "org_unit_path": "&".join(self.ids),
            "level": len(self.ids) - 1,
            "accounts": sorted(self.accounts),
            "sub_orgs": sorted(self.units),
        }


def units_of(rows: Iterable[Sequence[Any]]) -> list[Unit]:
    """Rows of ids and names of units, parted by ``/``, and an account's name -> all units, from the root down. Pure."""
    found: dict[str, Unit] = {}
    for id_path, name_path, account in rows:
        ids, names = tuple(id_path.split("/")), (name_path or "").split("/")
        for depth, unit_id in enumerate(ids):
            name = names[depth] if len(names) == len(ids) else unit_id
            unit = found.setdefault(unit_id, Unit(ids[: depth + 1], name))
            if depth + 1 < len(ids):
                unit.units.add(ids[depth + 1])
            else:
                unit.accounts.add(account)
    return sorted(found.values(), key=lambda unit: (len(unit.ids), unit.ids))


def organizations(served: Served, request: Request) -> Response:
    """``/organizations/aws/``."""
    pairs = request.query_params.multi_items()
    given = known_only(pairs, KNOWN)
    rows = [unit.row for unit in _read(served)]
    if truth("key_only", given.get("key_only", "false")):
        return page(request, pairs, [row["org_unit_id"] for row in rows])
    return page(request, pairs, rows)


def unit_ids(served: Served, request: Request) -> Response:
    """``/resource-types/aws-organizational-units/``."""
    return _listed(request, (unit.ids[-1] for unit in _read(served)))


def categories(served: Served, request: Request) -> Response:
    """``/resource-types/aws-categories/``: the keys of cost categories of the newest month."""
    month = served.newest_month()
    days = Range(month, plus_months(month, 1))
    return _listed(request, tag_values(served.lake, "aws", days, served.viewer.accounts, served.limits, "cost_categories"))


def _listed(request: Request, values: Iterable[str]) -> Response:
    pairs = request.query_params.multi_items()
    part = known_only(pairs, LISTED).get("search", "").lower()
    rows = [{"value": value} for value in sorted(values) if part in value.lower()]
    return page(request, pairs, rows, most=MOST_VALUES)


def accounts_in(served: Served, part: str) -> list[str]:
    """The accounts that are shown and were ever in a unit whose id holds a text, or in one below it."""
    return sorted({account for account, ids, *_ in _accounts(served, False) if part.lower() in ids.lower()})


def _read(served: Served) -> list[Unit]:
    """The units of accounts that are shown, as they are now; none where no account names are published."""
    return units_of((ids, names, name) for _, ids, names, name in _accounts(served, True))


def _accounts(served: Served, is_current: bool) -> list[tuple[Any, ...]]:
    """Accounts that are shown: each with the ids and names of its units, and its name; as they are, or ever were."""
    if ACCOUNT_NAMES not in served.lake.table_names():
        return []
    made = Statement()
    with reading(served.lake, tables_of_moment(served.lake, [ACCOUNT_NAMES]), served.limits) as (fetch, dialect):
        kept = ["organizational_unit_id_path is not null", *(["is_current"] if is_current else [])]
        if (seen := served.viewer.accounts) is not None:
            kept.append(f"account_id in ({', '.join(made.bind(account) for account in seen)})" if seen else "1 = 0")
        made.sql = f"""
select account_id, organizational_unit_id_path, organizational_unit_path, coalesce(account_name, account_id)
from {dialect.table(ACCOUNT_NAMES.removeprefix("marts."))}
where {" and ".join(kept)}
"""
        return fetch(made)


ROUTES: dict[str, Handler] = {
    "/organizations/aws/": answering(organizations),
    "/resource-types/aws-organizational-units/": answering(unit_ids),
    "/resource-types/aws-categories/": answering(categories),
}
