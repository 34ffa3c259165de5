"""The rows behind a number of the page: ``explain``, of what values and days pick out of ``daily_costs``."""

from __future__ import annotations

from datetime import date

from cost_lakehouse.ask.request import Range
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, Explanation, explain
from cost_lakehouse.serve.page.view import EXPLAINED
from cost_lakehouse.serve.parameters import Parameters, range_of
from cost_lakehouse.serve.served import Served

MART = "daily_costs"
_SHOWN = 50
_COLUMNS = {"account": "account_id"}
_BASES = {"billed": "billed_cost", "effective": "effective_cost"}


def lines_asked(parameters: Parameters) -> Cell:
    """The cell that an address means. Raises ConfigurationError where it makes no sense."""
    if parameters.text("from") is None or parameters.text("to") is None:
        raise ConfigurationError("There are no days.", "Give from and to: two months for bills, or two days.")
    basis = parameters.text("basis") or "billed"
    if basis not in _BASES:
        raise ConfigurationError(f"Lines are told of {', '.join(_BASES)} costs.", "Use one of these as basis.")
    conditions = [_days(range_of(parameters, date.min))]
    for name in EXPLAINED:
        value = parameters.text(name)
        if value is not None:
            conditions.append(f"coalesce({_COLUMNS.get(name, name)}, '') = {literal(value)}")
    return Cell(MART, " and ".join(conditions), _BASES[basis])


def explained(served: Served, cell: Cell) -> Explanation:
    """What is behind it. Raises LakeError, NotForRole."""
    served.for_all_alone("The lines behind a number")
    with engine_of(served.lake, cell.mart) as engine:
        return explain(served.lake, cell, engine, _SHOWN)


def literal(text: str) -> str:
    """A text as SQL has it, on both engines. Raises ConfigurationError where it holds what no bill's value does."""
    if "\0" in text:
        raise ConfigurationError("A value holds a character that none can hold.", "Leave it out.")
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _days(asked: Range) -> str:
    column = "billing_period" if asked.of_bills else "usage_date"
    return f"{column} >= date '{asked.begin}' and {column} < date '{asked.end}'"
