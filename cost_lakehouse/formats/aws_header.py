"""AWS's headers: slash names, snake_case ones and the columns that become maps."""

from __future__ import annotations

from collections.abc import Sequence

from cost_lakehouse.formats.header import OTHER, Place, Target, snake
from cost_lakehouse.formats.raw_schema import Column

_MAP_CATEGORIES = {
    "product": "product",
    "resource_tags": "resource_tags",
    "cost_category": "cost_category",
    "discount": "discount",
}
# CUR 2.0's newer column of all labels, whatever they hang on: AWS tells users to select it in place of the two maps above (user
# guide, "Tags column"). A resource tag stands there without the `user:` that it has everywhere else.
TAGS = "tags"
_LABEL_CATEGORIES = ("account_tag", "user_attribute", "iam_principal")
# In these maps a key is kept as it was delivered: it is the customer's own text. The others take CUR 2.0's snake form.
_KEYS_AS_DELIVERED = ("resource_tags", "cost_category")


def resource_tag_key(name: str) -> str:
    """The key in ``resource_tags`` of a resource tag in ``tags``: with the prefix of those who set it."""
    return name if name.startswith(("user:", "aws:")) else f"user:{name}"


def aws_place(columns: Sequence[Column]) -> Place:
    """The places of a Cost and Usage Report's columns."""
    known = {column.name: column.kind for column in columns}
    # ARN is spelled `_a_r_n` and `_arn`, SKU `sku` and `s_k_u`: without underscores they are the same name.
    by_letters = {name.replace("_", ""): name for name in known}
    return lambda delivered: (_target(delivered, known, by_letters), 0)


def _target(delivered: str, known: dict[str, str], by_letters: dict[str, str]) -> Target:
    if delivered in _MAP_CATEGORIES:
        return Target(delivered, _MAP_CATEGORIES[delivered], "map")  # CUR 2.0 has the whole map
    if delivered == TAGS:
        return Target(delivered, TAGS, "map")
    if "/" in delivered:
        category, name = delivered.split("/", 1)
        category = snake(category)
    else:
        category, name = _snake_category(delivered)
    if category in _LABEL_CATEGORIES and "/" in delivered:
        return Target(delivered, TAGS, "map", delivered)  # accountTag/<key>: as keys of the map are spelled
    column = by_letters.get(f"{category}_{snake(name)}".replace("_", ""))
    if column is not None and known[column] != "map" and category not in _KEYS_AS_DELIVERED:
        return Target(delivered, column, known[column])
    if category in _MAP_CATEGORIES and name:
        key = name if category in _KEYS_AS_DELIVERED else snake(name)
        return Target(delivered, _MAP_CATEGORIES[category], "map", key)
    return Target(delivered, OTHER, "map", delivered)


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
