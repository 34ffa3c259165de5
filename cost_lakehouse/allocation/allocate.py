"""Lines of a month's bill shared out among teams: each cell goes whole to one, or in parts that add up to it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cost_lakehouse.allocation.rules import Rule, RuleSet, Values, holds
from cost_lakehouse.config.allocations import NO_RULE, UNALLOCATED
from cost_lakehouse.formats.decimals import EXACT, exact_sum
from cost_lakehouse.formats.proportions import counts_of, parts_of


@dataclass(frozen=True)
class Place:
    """Where a cost stands in the bill: the grain that allocation keeps."""

    usage_date: date
    provider: str
    account_id: str | None
    service: str | None
    region: str | None
    currency_code: str | None


@dataclass(frozen=True)
class Amounts:
    """What is shared out, each by itself: two bases and the number of lines."""

    billed_cost: Decimal = Decimal(0)
    effective_cost: Decimal = Decimal(0)
    line_item_count: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Both together, exact."""
        return Amounts(
            EXACT.add(self.billed_cost, other.billed_cost),
            EXACT.add(self.effective_cost, other.effective_cost),
            self.line_item_count + other.line_item_count,
        )


@dataclass(frozen=True)
class Line:
    """Costs of one place that have the same values of every dimension that rules name."""

    place: Place
    values: Values
    amounts: Amounts


@dataclass(frozen=True)
class Allocated:
    """What a rule gives a team of one place, and which share of it that is."""

    place: Place
    team: str
    product: str | None
    rule: str
    share: Decimal
    amounts: Amounts


Weights = Mapping[str, Decimal]
"""Team -> its weight."""


@dataclass
class _Pools:
    """Lines by what takes them: directly by a team, or by a rule that splits; and the costs that splits go by."""

    direct: dict[tuple[Place, str, str | None, str], Amounts] = field(default_factory=lambda: defaultdict(Amounts))
    split: dict[tuple[Place, str, str | None], Amounts] = field(default_factory=lambda: defaultdict(Amounts))
    weighed: dict[tuple[str, str | None], dict[str, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Decimal))
    )


def allocate(lines: Iterable[Line], rules: RuleSet, metrics: Mapping[str, Weights]) -> list[Allocated]:
    """Every line's amounts, shared out: they add up to the lines' in every place, to the last digit.

    ``metrics`` has the weights of each metric file for the month. What no rule takes, and a pool that has no weights, goes to
    ``UNALLOCATED``.
    """
    pools = _pooled(lines, rules)
    found = [
        Allocated(place, team, product, rule, Decimal(1), amounts)
        for (place, team, product, rule), amounts in pools.direct.items()
    ]
    by_name = {rule.settings.name: rule for rule in rules.rules}
    for (place, name, product), amounts in pools.split.items():
        weights = _weights(by_name[name], pools.weighed[name, place.currency_code], metrics)
        found += _split(place, name, product, amounts, weights)
    return sorted(found, key=_order)


def _pooled(lines: Iterable[Line], rules: RuleSet) -> _Pools:
    pools = _Pools()
    by_cost = [rule for rule in rules.rules if rule.settings.split is not None and rule.settings.split.cost is not None]
    for line in lines:
        taken = rules.taken(line.values)
        if taken.rule is not None and taken.team is None:
            key = (line.place, taken.rule.settings.name, taken.product)
            pools.split[key] = pools.split[key].plus(line.amounts)
            continue
        team, name = (
            (UNALLOCATED, NO_RULE) if taken.team is None or taken.rule is None else (taken.team, taken.rule.settings.name)
        )
        place = (line.place, team, taken.product, name)
        pools.direct[place] = pools.direct[place].plus(line.amounts)
        if taken.team is not None:
            for rule in by_cost:
                if all(holds(condition, line.values) for condition in rule.weighed):
                    weights = pools.weighed[rule.settings.name, line.place.currency_code]
                    weights[taken.team] = EXACT.add(weights[taken.team], line.amounts.effective_cost)
    return pools


def _weights(rule: Rule, costs: Weights, metrics: Mapping[str, Weights]) -> Weights:
    """A rule's weights, none of them 0 or less: a team whose costs are negative bears nothing."""
    split = rule.settings.split
    if split is None:
        return {}
    if split.evenly is not None:
        return dict.fromkeys(split.evenly, Decimal(1))
    given = split.shares if split.shares is not None else metrics.get(split.metric, {}) if split.metric is not None else costs
    return {team: weight for team, weight in sorted(given.items()) if weight > 0}


def _split(place: Place, rule: str, product: str | None, amounts: Amounts, weights: Weights) -> list[Allocated]:
    if not weights:
        return [Allocated(place, UNALLOCATED, product, rule, Decimal(1), amounts)]
    values = list(weights.values())
    whole = exact_sum(values)
    billed, effective = parts_of(amounts.billed_cost, values), parts_of(amounts.effective_cost, values)
    counts = counts_of(amounts.line_item_count, _whole_numbers(values))
    return [
        Allocated(place, team, product, rule, _share(weight, whole), Amounts(billed[index], effective[index], counts[index]))
        for index, (team, weight) in enumerate(weights.items())
    ]


def _whole_numbers(values: list[Decimal]) -> list[int]:
    places = max(max(-int(value.as_tuple().exponent), 0) for value in values)
    return [int(EXACT.scaleb(value, places)) for value in values]


def _share(weight: Decimal, whole: Decimal) -> Decimal:
    """For people, rounded at its 20th digit: the amounts' parts are not worked out from it."""
    if weight == whole:
        return Decimal(1)
    return parts_of(Decimal(1), [weight, EXACT.subtract(whole, weight)])[0]


def _order(row: Allocated) -> tuple[str, ...]:
    place = row.place
    named = (
        place.provider,
        place.account_id,
        place.service,
        place.region,
        place.currency_code,
        row.rule,
        row.team,
        row.product,
    )
    return (place.usage_date.isoformat(), *(value or "" for value in named))
