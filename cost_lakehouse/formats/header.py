"""Where each delivered column of an AWS bill goes: a column of ``raw.aws_cur``, a key of one of its maps, or ``other``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.aws_cur_schema import aws_cur_columns

# Without these a file is no Cost and Usage Report.
REQUIRED = (
    "bill_payer_account_id",
    "line_item_line_item_type",
    "line_item_usage_start_date",
    "line_item_currency_code",
    "line_item_unblended_cost",
)
_MAP_CATEGORIES = {
    "product": "product",
    "resource_tags": "resource_tags",
    "cost_category": "cost_category",
    "discount": "discount",
}
# In these maps a key is kept as it was delivered: it is the customer's own text. The others take CUR 2.0's snake form.
_KEYS_AS_DELIVERED = ("resource_tags", "cost_category")


@dataclass(frozen=True)
class Target:
    """Where one delivered column goes. ``key`` is set where ``column`` is a map."""

    delivered: str
    column: str
    kind: str  # text, decimal, timestamp or map
    key: str | None = None


def snake(name: str) -> str:
    """AWS's name transformation for Athena and Parquet: ``UsageAmount`` -> ``usage_amount`` (CUR guide, cur-ate-manual)."""
    parts = re.sub(r"([A-Z])", r"_\1", name).lower()
    return re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", parts)).strip("_")


def targets_of(header: Sequence[str], file: str) -> list[Target]:
    """One target a delivered column, in the header's order; no column is left out, no two share a place.

    Raises DeliveryFailed when the file is no Cost and Usage Report.
    """
    known = aws_cur_columns()
    # ARN is spelled `_a_r_n` and `_arn`, SKU `sku` and `s_k_u`: without underscores they are the same name.
    by_letters = {name.replace("_", ""): name for name in known}
    taken: set[tuple[str, str | None]] = set()
    targets = []
    for delivered in header:
        target = _target(delivered, known, by_letters)
        if (target.column, target.key) in taken:
            target = Target(delivered, "other", "map", delivered)
        copies = 2
        while (target.column, target.key) in taken:
            target = Target(delivered, "other", "map", f"{delivered}#{copies}")
            copies += 1
        taken.add((target.column, target.key))
        targets.append(target)
    missing = [name for name in REQUIRED if (name, None) not in taken]
    if missing:
        raise DeliveryFailed(
            f"{file} is no Cost and Usage Report: its header lacks {', '.join(missing)}.",
            "Check that the source's location and kind fit what AWS delivers there.",
        )
    return targets


def _target(delivered: str, known: dict[str, str], by_letters: dict[str, str]) -> Target:
    if "/" in delivered:
        category, name = delivered.split("/", 1)
        category = snake(category)
    else:
        category, name = _snake_category(delivered)
    column = by_letters.get(f"{category}_{snake(name)}".replace("_", ""))
    if column is not None and known[column] != "map" and category not in _KEYS_AS_DELIVERED:
        return Target(delivered, column, known[column])
    if category in _MAP_CATEGORIES and name:
        key = name if category in _KEYS_AS_DELIVERED else snake(name)
        return Target(delivered, _MAP_CATEGORIES[category], "map", key)
    return Target(delivered, "other", "map", delivered)


def _snake_category(delivered: str) -> tuple[str, str]:
    """The category and the rest of a snake_case header (``resource_tags_user_env`` -> resource_tags, user_env)."""
    for category in (
        *_MAP_CATEGORIES,
        "identity",
        "bill",
        "line_item",
        "pricing",
        "reservation",
        "savings_plan",
        "split_line_item",
    ):
        if delivered.startswith(f"{category}_"):
            return category, delivered.removeprefix(f"{category}_")
    return "", delivered
