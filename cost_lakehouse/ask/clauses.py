"""Conditions of any shape: a dimension's value beside a text, and what and, or and not make of such.

``Condition`` is what people write; clauses are what programs need beyond it: other tools' filters, and what a role may see.
Comparisons keep case. A value that is missing is an empty text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Match(StrEnum):
    """How a value is compared with a text."""

    EQUAL = "equal"
    PART = "part"
    START = "start"
    END = "end"

    def holds(self, value: str, text: str) -> bool:
        """Whether the value is the text, or has it in it, at its start or at its end."""
        if self is Match.EQUAL:
            return value == text
        if self is Match.PART:
            return text in value
        return value.startswith(text) if self is Match.START else value.endswith(text)


@dataclass(frozen=True)
class Compared:
    """The value of a dimension is the text, or has it in it, at its start or at its end."""

    name: str
    text: str
    match: Match = Match.EQUAL


@dataclass(frozen=True)
class Not:
    """The clause does not hold."""

    clause: Clause


@dataclass(frozen=True)
class All:
    """All of them hold; of none: always."""

    clauses: tuple[Clause, ...] = ()


@dataclass(frozen=True)
class Either:
    """One of them holds; of none: never."""

    clauses: tuple[Clause, ...] = ()


Clause: TypeAlias = Compared | Not | All | Either
ALWAYS, NEVER = All(), Either()


def names_of(clause: Clause) -> tuple[str, ...]:
    """The dimensions that decide it, in the order in which they are written."""
    if isinstance(clause, Compared):
        return (clause.name,)
    if isinstance(clause, Not):
        return names_of(clause.clause)
    return tuple(name for inner in clause.clauses for name in names_of(inner))


def one_of(name: str, values: tuple[str, ...]) -> Clause:
    """The dimension has one of these values."""
    return Either(tuple(Compared(name, value) for value in values))
