"""Which tags lines have: every key with its values, out of the sets of tags that a daily summary has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from cost_lakehouse.ask.dimensions import SUMMARIES
from cost_lakehouse.ask.reading import Limits, reading, tables_of_moment
from cost_lakehouse.ask.request import Range
from cost_lakehouse.ask.statement import ACCOUNT_COLUMNS, Statement, value_sql
from cost_lakehouse.lake.catalog import Lake

_MOST_SETS = 200_000


def tag_values(
    lake: Lake, summary: str, days: Range, accounts: Collection[str] | None, limits: Limits, column: str = "tags"
) -> Mapping[str, frozenset[str]]:
    """The tags of lines of these days, of these accounts (None: all); ``summary`` is aws, oci or focus, ``column`` what has
    them, or what else is an object of texts.

    Raises LakeError, TooMuchAsked where there are more sets of tags than can be taken apart.
    """
    name = SUMMARIES[summary]
    tables = tables_of_moment(lake, [f"marts.{name}"])
    made = Statement()
    if not tables:
        return {}
    with reading(lake, tables, Limits(limits.seconds, _MOST_SETS)) as (fetch, dialect):
        where = [f"usage_date >= {made.bind(days.begin)}", f"usage_date < {made.bind(days.end)}", f"{column} is not null"]
        if accounts is not None:
            places = ", ".join(made.bind(account) for account in accounts)
            where.append(f"{value_sql(ACCOUNT_COLUMNS[summary])} in ({places})" if places else "1 = 0")
        made.sql = f"select distinct {column} from {dialect.table(name)} as mart where {' and '.join(where)}"
        return added_up(text for (text,) in fetch(made))


def added_up(sets: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Sets of tags as JSON objects -> every key with its values; an empty value is none. Pure."""
    found: dict[str, set[str]] = {}
    for text in sets:
        for key, value in json.loads(text).items():
            if value:
                found.setdefault(key, set()).add(str(value))
    return {key: frozenset(values) for key, values in found.items()}
