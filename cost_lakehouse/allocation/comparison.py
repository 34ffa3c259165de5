"""What another set of rules, or another version of it, would change: team by team, before anything is written. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from cost_lakehouse.allocation.allocate import Allocated
from cost_lakehouse.allocation.share_out import Shared
from cost_lakehouse.formats.decimals import EXACT


@dataclass(frozen=True)
class TeamChange:
    """What a team bears of the months by either set of rules, in one currency; changes add up to 0."""

    team: str
    currency_code: str | None
    now: Decimal
    then: Decimal

    @property
    def change(self) -> Decimal:
        """By how much more it would bear."""
        return EXACT.subtract(self.then, self.now)


def team_changes(now: Iterable[Shared], then: Iterable[Shared], basis: str) -> list[TeamChange]:
    """Every team's, the largest change first; ``basis`` is billed or effective."""
    before, after = _borne(now, basis), _borne(then, basis)
    found = [
        TeamChange(team, currency, before.get((team, currency), Decimal(0)), after.get((team, currency), Decimal(0)))
        for team, currency in {**before, **after}
    ]
    return sorted(found, key=lambda one: (one.currency_code or "", -abs(one.change), one.team))


def _borne(shared: Iterable[Shared], basis: str) -> dict[tuple[str, str | None], Decimal]:
    found: dict[tuple[str, str | None], Decimal] = {}
    for row in (row for one in shared for row in one.rows):
        key = (row.team, row.place.currency_code)
        found[key] = EXACT.add(found.get(key, Decimal(0)), _amount(row, basis))
    return found


def _amount(row: Allocated, basis: str) -> Decimal:
    return row.amounts.effective_cost if basis == "effective" else row.amounts.billed_cost
