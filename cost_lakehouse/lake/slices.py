"""A slice: the rows of one (source, billing period) in one table; the unit of replacement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, order=True)
class Slice:
    """One source's month. ``billing_period`` is the first of the month."""

    source: str
    billing_period: date

    @property
    def month(self) -> str:
        """The month as ``YYYY-MM``."""
        return self.billing_period.strftime("%Y-%m")

    @property
    def folder(self) -> str:
        """The slice's folder below a table's ``data`` folder; its spelling lets DuckDB skip other slices' files."""
        return f"source={self.source}/billing_period={self.billing_period.isoformat()}"

    @property
    def condition(self) -> str:
        """The slice as an SQL condition. Literals, not parameters: only these let DuckDB skip other slices' files."""
        return f"source = '{self.source}' and billing_period = date '{self.billing_period.isoformat()}'"

    def __str__(self) -> str:
        return f"{self.source} {self.month}"
