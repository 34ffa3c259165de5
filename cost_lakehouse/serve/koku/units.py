"""A group by an organisational unit: the accounts in it, and the units right below it with all that they hold. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cost_lakehouse.ask.clauses import Clause, Compared, Either, Match

UNIT = "org_unit_id"
BESIDE = ("account", "account_name", "unit_path")
"""The dimensions that are asked for beside the ids of a line's units."""


@dataclass(frozen=True)
class Entity:
    """An account or a unit: its id, which of both, and its name where it is known."""

    id: str
    type: str
    alias: str


def inside(unit: str) -> Clause:
    """The line's account is in the unit, or in one below it."""
    matches = ((unit, Match.EQUAL), (f"{unit}/", Match.START), (f"/{unit}", Match.END), (f"/{unit}/", Match.PART))
    return Either(tuple(Compared("unit_ids", text, match) for text, match in matches))


def entity_of(unit: str, ids: str, account: str | None, account_name: str | None, names: str | None) -> Entity:
    """What a line of an account ``inside`` the unit counts for; ``ids`` and ``names`` are of its units from the root down."""
    above = ids.split("/")
    below = above.index(unit) + 1
    if below == len(above):
        return Entity(account or "No-account", "account", account_name or account or "No-account")
    known = (names or "").split("/")
    # A name may hold a slash itself: then which is whose is not known.
    alias = known[below] if len(known) == len(above) else above[below]
    return Entity(above[below], "organizational_unit", alias)
