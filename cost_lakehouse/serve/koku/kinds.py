"""Which lines each of Koku's reports is of, and the unit that its usage is told in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.request import Condition


@dataclass(frozen=True)
class ReportKind:
    """A report of costs, or with ``unit``, the usual one, of usage beside them.

    ``innermost`` is a group that it always has, inside those that are asked for.
    """

    filters: tuple[Condition, ...] = ()
    excludes: tuple[Condition, ...] = ()
    unit: str | None = None
    innermost: str | None = None

    @property
    def is_usage(self) -> bool:
        """Whether it tells usage."""
        return self.unit is not None


COSTS = ReportKind()
KINDS: Mapping[tuple[str, str], ReportKind] = {
    ("aws", "costs"): COSTS,
    ("aws", "instance-types"): ReportKind(excludes=(Condition("instance_type", ("",)),), unit="Hrs", innermost="instance_type"),
    ("aws", "storage"): ReportKind(
        filters=(Condition("product_family", ("Storage",), contains=True), Condition("usage_unit", ("GB-Mo",))), unit="GB-Mo"
    ),
    ("oci", "costs"): COSTS,
    # Oracle writes units in words of its own, such as OCPU Hours; its products of compute are what comes nearest to types.
    ("oci", "instance-types"): ReportKind(
        filters=(Condition("service", ("COMPUTE",)), Condition("usage_unit", ("hour",), contains=True)),
        excludes=(Condition("usage_type", ("",)),),
        unit="Hrs",
        innermost="instance_type",
    ),
    ("oci", "storage"): ReportKind(
        filters=(Condition("service", ("STORAGE",), contains=True), Condition("usage_unit", ("month",), contains=True)),
        unit="GB-Mo",
    ),
}
"""By provider and the report's name in its path."""


@dataclass(frozen=True)
class Usage:
    """Rows of the one unit that a report is told in; ``left_out`` are the other units that its lines have."""

    unit: str
    rows: tuple[Row, ...] = ()
    left_out: tuple[str, ...] = field(default=())


def usage_of(kind: ReportKind, rows: Iterable[Row]) -> Usage:
    """The usage that a report tells, in its usual unit, or where no line has that, in the one that most lines have. Pure.

    Units are never added together.
    """
    found = list(rows)
    lines: Counter[str] = Counter()
    for row in found:
        if row.currency_code is not None:
            lines[row.currency_code] += row.line_item_count
    usual = kind.unit or ""
    unit = usual if usual in lines or not lines else min(lines, key=lambda name: (-lines[name], name))
    left_out = tuple(sorted({*lines} - {unit}))
    return Usage(unit, tuple(row for row in found if row.currency_code == unit), left_out)
