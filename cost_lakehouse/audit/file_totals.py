"""Control totals of one delivered file, as ``raw.files`` keeps them: what a file says need not be read again to be added up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.formats.control_totals import ControlTotals, Group


@dataclass
class FileTotals:
    """The delivered side of one file's proof; ``rounded`` counts its values that were rounded."""

    totals: ControlTotals = field(default_factory=ControlTotals)
    rounded: int = 0

    def add(self, totals: ControlTotals, rounded: int) -> None:
        """Add some of the file's rows."""
        self.totals.merge(totals)
        self.rounded += rounded


def as_text(found: FileTotals) -> str:
    """JSON, sorted; every number exact: per group its rows, and per metric how many values, their sum and its rounding."""
    metrics: dict[Group, dict[str, list[int | str]]] = {}
    for group, metric in sorted(found.totals.totals):
        total = found.totals.totals[group, metric]
        metrics.setdefault(group, {})[metric] = [total.line_items, plain(total.delivered), plain(total.rounding)]
    groups = [[*group, rows, metrics.get(group, {})] for group, rows in sorted(found.totals.rows.items())]
    return json.dumps({"rounded": found.rounded, "groups": groups}, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> FileTotals:
    """What ``as_text`` wrote. Raises ValueError where it is something else."""
    try:
        said = json.loads(text)
        found = FileTotals(rounded=int(said["rounded"]))
        for payer, currency, kind, invoice, rows, metrics in said["groups"]:
            group = Group(payer, currency, kind, invoice)
            found.totals.rows[group] = int(rows)
            for metric, (count, delivered, rounding) in metrics.items():
                found.totals.total(group, metric).add(int(count), Decimal(delivered), Decimal(rounding))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"these are no control totals of a file: {text[:80]}") from error
    return found
