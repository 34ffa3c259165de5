"""Budgets of ``lakehouse.yaml``: an amount for a scope and a period."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator

from cost_lakehouse.config.yaml_file import Strict


class BudgetSettings(Strict):
    """What may be spent: in one currency, in each calendar month, quarter or year, of what ``where`` and ``exclude`` leave.

    Conditions are written as ``costs`` takes them, such as ``service=AmazonEC2`` or ``tag:team=web``.
    """

    name: str
    amount: Decimal = Field(gt=0)
    currency: str
    period: Literal["month", "quarter", "year"] = "month"
    where: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    basis: str = "billed"
    severity: Literal["warn", "error"] = "warn"  # of the check `budgets_hold` where it is over

    @field_validator("amount", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        """YAML reads 0.1 as a double: its shortest text is what was written."""
        return repr(value) if isinstance(value, float) else value
