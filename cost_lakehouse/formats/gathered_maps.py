"""The maps of a raw table's rows, of all the delivered columns that belong into them; and what is odd about the rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.header import FINDINGS, OTHER, Target, snake
from cost_lakehouse.formats.maps import entries_of, gather, json_maps, to_map
from cost_lakehouse.formats.table_format import TableFormat

UNREAD = "labels that cannot be read"
GIVEN_TWICE = "label given twice with different values"


class Findings:
    """What is odd about rows without being wrong: a text a row under each finding's name."""

    def __init__(self, found: Mapping[str, pa.Array]) -> None:
        self._found = {name: texts for name, texts in found.items() if texts.null_count < len(texts)}

    def add(self, name: str, detail: str, concerned: pa.Array) -> None:
        """Add a finding about the rows where ``concerned`` has a value; a row may have several details."""
        texts = pc.if_else(concerned.is_valid(), detail, pa.scalar(None, pa.string()))
        earlier = self._found.get(name)
        if earlier is not None:
            both = pc.binary_join_element_wise(earlier, texts, ", ", null_handling="skip")
            texts = pc.if_else(pc.or_(earlier.is_valid(), texts.is_valid()), both, pa.scalar(None, pa.string()))
        self._found[name] = texts

    def columns(self) -> list[tuple[str, pa.Array]]:
        """The findings as entries of one map."""
        return list(self._found.items())


class GatheredMaps:
    """Takes the columns of some rows that belong into maps, and makes each map of the table."""

    def __init__(self, table: TableFormat, rows: int, coded: bool) -> None:
        """``coded`` keeps codes of the text."""
        self._table = table
        self._rows = rows
        self._coded = coded
        self._names = [name for name, kind in table.columns.items() if kind == "map" and name != FINDINGS]
        self._columns: dict[str, list[tuple[str, pa.Array]]] = {name: [] for name in self._names}
        self._wholes: dict[str, list[pa.Array]] = {name: [] for name in self._names}
        self._delivered: dict[tuple[str, str], str] = {}

    def add(self, target: Target, text: pa.Array) -> None:
        """Add a column that is one entry of a map."""
        if target.key is not None:
            self._columns[target.column].append((target.key, text))
            self._delivered[(target.column, target.key)] = target.delivered

    def add_whole(self, target: Target, column: pa.Array, findings: Findings) -> None:
        """Add a column of maps, or of texts that hold labels; texts that cannot be read are kept in ``other``."""
        read = json_maps(column, self._coded)
        self._wholes[target.column].append(read.maps)
        if read.unread.null_count < self._rows:
            self._columns[OTHER].append((f"{target.delivered} (no JSON object)", read.unread))
        if read.wrong.null_count < self._rows:
            findings.add(UNREAD, target.delivered, read.wrong)

    def arrays(self, findings: Findings) -> dict[str, pa.Array]:
        """Every map of the table by its name, the findings too."""
        result: dict[str, pa.Array] = {}
        sources = {entry.source for entry in self._table.spread}
        for name in sorted(self._names, key=lambda name: (name == OTHER, name not in sources)):
            result[name] = self._gathered(name, result, findings)
        result[FINDINGS] = to_map(findings.columns(), self._rows, self._coded)
        return result

    def _gathered(self, name: str, done: Mapping[str, pa.Array], findings: Findings) -> pa.Array:
        spread = [entry for entry in self._table.spread if entry.into == name and done[entry.source].null_count < self._rows]
        shares = [entries_of(done[column.source], column.prefix, column.key, self._coded) for column in spread]
        # A key that two columns give may be spelled in two ways: user_env and user:env are one tag.
        same = snake if shares else None
        gathered = gather([*self._wholes[name], *shares], self._columns[name], self._rows, self._coded, same)
        repeated = []
        for key, values in gathered.repeats.items():
            delivered = self._delivered.get((name, key), f"{name}/{key}")
            repeated.append((f"{delivered} (another value)", values))
            findings.add(GIVEN_TWICE, delivered, values)
        if name != OTHER:
            self._columns[OTHER] += repeated
            return gathered.maps
        return gather([gathered.maps], repeated, self._rows, self._coded).maps if repeated else gathered.maps
