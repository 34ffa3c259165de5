"""Koku's query strings: ``filter[exact:service]=AmazonEC2&group_by[account]=*``; strict, and never guessed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from cost_lakehouse.ask.request import Condition
from cost_lakehouse.serve.koku.kinds import COSTS, ReportKind
from cost_lakehouse.serve.koku.units import UNIT
from cost_lakehouse.serve.koku.windows import Window, window_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.parameters import MOST_PARAMETERS, Pairs

AWS: Mapping[str, str] = {
    "account": "account",
    "service": "service",
    "region": "region",
    "az": "zone",
    "product_family": "product_family",
    "instance_type": "instance_type",
    "tag": "tag",
    "aws_category": "cost_category",
    UNIT: "unit_ids",
}
"""What Koku calls the dimensions of AWS's bills; ``tag`` and ``aws_category`` are families (``tag:team``)."""

OCI: Mapping[str, str] = {
    "payer_tenant_id": "account",
    "product_service": "service",
    "region": "region",
    "instance_type": "usage_type",
    "tag": "tag",
}
"""The same of Oracle's."""

PROVIDERS: Mapping[str, Mapping[str, str]] = {"aws": AWS, "oci": OCI}
LISTED: Mapping[str, Mapping[str, str]] = {
    "aws": {"aws-accounts": "account", "aws-services": "service", "aws-regions": "region"},
    "oci": {"oci-payer-tenant-ids": "account", "oci-services": "service", "oci-regions": "region"},
}
"""What ``resource-types/…/`` there are, and the dimension whose values each lists."""

FAMILIES = ("tag", "aws_category")
BASES: Mapping[str, str] = {
    "unblended_cost": "billed",
    "blended_cost": "blended",
    "calculated_amortized_cost": "amortized",
    "savingsplan_effective_cost": "amortized",
}
MOST_GROUPS = 3
MOST_BUCKETS = 1_000
_SCOPE = ("resolution", "time_scope_units", "time_scope_value")
_PLAIN = ("start_date", "end_date", "delta", "cost_type", "currency", "limit", "offset")
ORDERS = ("cost", "infrastructure", "supplementary", "usage", "delta")
_KEY = re.compile(r"(\w+)(?:\[([^\[\]]+)\])?")
Nested = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Query:
    """A report that is asked for. ``groups`` are Koku's names in order; ``given`` is what ``meta`` repeats.

    ``unit`` is the organisational unit that it is grouped by the accounts and units of.
    """

    window: Window
    groups: tuple[str, ...]
    dimensions: tuple[str, ...]
    filters: tuple[Condition, ...]
    excludes: tuple[Condition, ...]
    order: tuple[str, bool]
    ranked: int | None
    skipped: int | None
    has_delta: bool
    cost_type: str
    currency: str | None
    kind: ReportKind
    unit: str | None
    limit: int
    offset: int
    given: Nested


def query_of(pairs: Pairs, names: Mapping[str, str], today: date, first: date, kind: ReportKind = COSTS) -> Query:
    """What is asked. ``names`` are the provider's dimensions. Raises WrongParameter."""
    if kind.is_usage:
        names = {name: known for name, known in names.items() if name != UNIT}
    plain, nested = _parsed(pairs)
    filters, groups, orders = nested["filter"], nested["group_by"], nested["order_by"]
    scope = {name: _one(name, filters[name]) for name in _SCOPE if name in filters}
    window = window_of(scope, plain.get("start_date"), plain.get("end_date"), today, first)
    delta = plain.get("delta")
    if delta not in ((None, "usage") if kind.is_usage else (None, "cost", "cost_total")):
        raise WrongParameter("delta", f'"{delta}" is not a valid choice.')
    if delta and "start_date" in plain:
        raise WrongParameter("error", "The parameters [start_date, end_date] may not be used with delta.")
    bare = [_bare(key, names) for key in groups]
    if len(set(bare)) > MOST_GROUPS:
        raise WrongParameter("group_by", f"A maximum of {MOST_GROUPS} groups is supported.")
    if ("limit" in filters or "offset" in filters) and not groups:
        raise WrongParameter("error", "filter[limit] and filter[offset] requires a valid group_by param.")
    unit = _unit_of(groups)
    narrowed = {key: [value for value in values if value != "*"] for key, values in groups.items() if key != UNIT}
    scopes = (*_SCOPE, "limit", "offset")
    wanted = {key: values for key, values in filters.items() if key not in scopes}
    cost_type = plain.get("cost_type", "unblended_cost")
    if cost_type not in BASES:
        raise WrongParameter("cost_type", f'"{cost_type}" is not a valid choice.')
    currency = plain.get("currency")
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        raise WrongParameter("currency", f'"{currency}" is not a valid choice.')
    innermost = [] if kind.innermost is None else [kind.innermost]
    shown_groups = tuple(dict.fromkeys([*(name for name in bare if name not in innermost), *innermost]))
    offset = filters.get("offset")
    ranked = filters.get("limit") or (["5"] if offset else None)
    return Query(
        window=window,
        groups=shown_groups,
        dimensions=tuple(_dimension(name, names) for name in shown_groups),
        filters=(*_conditions(wanted, names), *_conditions({k: v for k, v in narrowed.items() if v}, names)),
        excludes=tuple(_conditions(nested["exclude"], names)),
        order=_order(orders, shown_groups, bool(delta), "usage" if kind.is_usage else "cost"),
        ranked=None if ranked is None else _number("limit", _one("limit", ranked)),
        skipped=None if offset is None else _number("offset", _one("offset", offset)),
        has_delta=bool(delta),
        cost_type=cost_type,
        currency=currency,
        kind=kind,
        unit=unit,
        limit=_number("limit", plain.get("limit", "100"), MOST_BUCKETS) or MOST_BUCKETS,
        offset=_number("offset", plain.get("offset", "0")),
        given=nested,
    )


def _unit_of(groups: Mapping[str, Sequence[str]]) -> str | None:
    """The unit that is grouped by; a group of accounts beside it would be the same once more. Raises WrongParameter."""
    found = [key for key in groups if _prefixed(key)[1] == UNIT]
    if not found:
        return None
    (value, *more) = groups[found[0]]
    if found != [UNIT] or more or value in ("*", "") or any(_prefixed(key)[1] == "account" for key in groups):
        raise WrongParameter(UNIT)
    return value


def _parsed(pairs: Pairs) -> tuple[dict[str, str], dict[str, dict[str, list[str]]]]:
    """Plain parameters, and those with brackets. A comma in a value makes several, as a repeated key does."""
    plain: dict[str, str] = {}
    nested: dict[str, dict[str, list[str]]] = {name: {} for name in ("filter", "exclude", "group_by", "order_by")}
    if len(pairs) > MOST_PARAMETERS:
        raise WrongParameter("error", "Too many parameters.")
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        if found is None:
            raise WrongParameter("details", "Invalid query parameter format.")
        name, inner = found.groups()
        if inner is None and name in _PLAIN and name not in plain:
            plain[name] = value
        elif inner is not None and name in nested:
            nested[name].setdefault(inner, []).extend(value.split(","))
        else:
            raise WrongParameter(name)
    return plain, nested


def _conditions(wanted: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> Iterator[Condition]:
    """All of them hold. Of one field, plain and ``exact:`` values are alternatives; so are all fields with ``or:``."""
    fields: dict[str, list[Condition]] = {}
    alternatives: list[Condition] = []
    for key, values in wanted.items():
        prefix, name = _prefixed(key)
        if (prefix, name) == ("exact", UNIT):
            raise WrongParameter(key)
        if "*" in values:  # any value, and none
            _dimension(name, names)
            continue
        found = [item for value in values for item in _of_value(name, value, names, prefix == "exact")]
        if prefix == "and":
            yield from (_any(list(_of_value(name, value, names, False))) for value in values)
        elif prefix == "or":
            alternatives += found
        else:
            fields.setdefault(name, []).extend(found)
    yield from (_any(found) for found in chain(fields.values(), [alternatives] if alternatives else []))


def _of_value(name: str, value: str, names: Mapping[str, str], exact: bool) -> Iterator[Condition]:
    """A value of a field; an account is meant by its id or its name; ``No-service`` is none."""
    dimension = _dimension(name, names)
    if value == f"No-{name}":
        yield Condition(dimension, ("",))
        return
    yield Condition(dimension, (value,), contains=not exact)
    if dimension == "account":
        yield Condition("account_name", (value,), contains=not exact)


def _any(conditions: Sequence[Condition]) -> Condition:
    first, *others = conditions
    return Condition(first.name, first.values, first.contains, tuple(others))


def _order(orders: Mapping[str, Sequence[str]], groups: Sequence[str], has_delta: bool, usual: str) -> tuple[str, bool]:
    """The field that decides, and whether downwards."""
    if len(orders) > 1:
        raise WrongParameter("order_by", "Only one order_by parameter is supported.")
    for name, values in orders.items():
        value = _one(name, values)
        if name == "date":
            try:
                return date.fromisoformat(value).isoformat(), True
            except ValueError:
                raise WrongParameter("date", "Date has wrong format. Use YYYY-MM-DD.") from None
        if value not in ("asc", "desc"):
            raise WrongParameter(name, f'"{value}" is not a valid choice.')
        known = (*ORDERS, *groups, *(["account_alias"] if "account" in groups else []))
        if name not in known or (name == "delta" and not has_delta):
            raise WrongParameter(name, f'Order-by "{name}" requires matching Group-by.' if name != "delta" else "needs delta=")
        return name, value == "desc"
    return usual, True


def _bare(key: str, names: Mapping[str, str]) -> str:
    """A group's name without its prefix. Raises WrongParameter."""
    prefix, name = _prefixed(key)
    if prefix == "exact":
        raise WrongParameter(key)
    _dimension(name, names)
    return name


def _prefixed(key: str) -> tuple[str, str]:
    for prefix in ("and", "or", "exact"):
        if key.startswith(f"{prefix}:"):
            return prefix, key.removeprefix(f"{prefix}:")
    return "", key


def _dimension(name: str, names: Mapping[str, str]) -> str:
    family, _, key = name.partition(":")
    if family not in names or (family in FAMILIES) != bool(key):
        raise WrongParameter(name)
    return f"{names[family]}:{key}" if key else names[family]


def _one(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise WrongParameter(name)
    return values[0]


def _number(name: str, text: str, most: int = 1_000_000) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > most:
        raise WrongParameter(name, "A valid integer is required.")
    return int(text)
