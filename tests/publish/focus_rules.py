"""Rules of FOCUS 1.2 that rows can be checked against, as ``focus_rules.csv`` lists them: each a query for what breaks it.

Nulls never make a condition pass or fail unseen: what is not true breaks a rule, and ``when`` says with ``is distinct from``
what it means of nulls.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

FILE = Path(__file__).with_name("focus_rules.csv")
TEXTS = "VARCHAR"


@dataclass(frozen=True)
class Rule:
    """One rule: its id in the specification, and the kind of check with its argument."""

    id: str
    column: str
    check: str
    argument: str
    when: str

    def breaks(self, connection: duckdb.DuckDBPyConnection, table: str) -> int:
        """How many rows (of `one for each`: values) break it."""
        rows = f"(select * from {table} where {self.when or 'true'})"
        if self.check == "one for each":
            sql = f"select {self.column} from {rows} group by 1 having count(distinct {self.argument}) > 1"
        elif self.column == "*":
            texts = [name for name, type_, *_ in connection.execute(f"describe {table}").fetchall() if type_ == TEXTS]
            sql = f"select 1 from {rows} where " + " or ".join(f"\"{name}\" = ''" for name in texts)
        else:
            sql = f"select 1 from {rows} where not coalesce({self._holds()}, false)"
        (count,) = connection.execute(f"select count(*) from ({sql})").fetchall()[0]
        return int(count)

    def _holds(self) -> str:
        """SQL that is true of a row that keeps the rule."""
        column, argument = self.column, self.argument
        match self.check:
            case "filled":
                return f"{column} is not null"
            case "empty":
                return f"{column} is null"
            case "null with":
                return f"({column} is null) = ({argument} is null)"
            case "one of":
                listed = ", ".join(f"'{value}'" for value in argument.split("|"))
                return f"({column} is null or {column} in ({listed}))"
            case "matches":
                return f"regexp_full_match({column}, '{argument}')"
            case "holds":
                return f"({argument})"
            case "product":
                price, quantity = argument.split("*")
                off = f"abs({price} * cast({quantity} as double) - cast({column} as double))"
                near = f"{off} <= 1e-9 * greatest(abs(cast({column} as double)), 1)"
                return f"({price} is null or {quantity} is null or {near})"
            case "flat object":
                nested = f"regexp_matches({column}::json::varchar, ':[{{\\[]')"
                return f"({column} is null or (json_type({column}) = 'OBJECT' and not {nested}))"
        raise ValueError(f"there is no check {self.check!r}")


def rules() -> Iterator[Rule]:
    """Every rule of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Rule(row["rule"], row["column"], row["check"], row["argument"], row["when"])
