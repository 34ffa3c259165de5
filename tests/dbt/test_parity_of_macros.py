"""Every macro whose SQL differs by engine, and those built on them: the same rows on real DuckDB and real Trino."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.forked import forked_dbt
from tests.services.trino import TrinoServer

PROJECT = Path(__file__).parents[2] / "dbt_project"
MACRO = re.compile(r"{%-?\s*macro\s+(\w+)\(")


@dataclass(frozen=True)
class Case:
    """Columns that call a macro, over rows of literals; the first column of ``rows`` orders them."""

    columns: str
    rows: str = "(values (1)) as t (id)"
    grouped: bool = False

    @property
    def model(self) -> str:
        """The model's text."""
        group = "group by id" if self.grouped else ""
        return f"select id, {self.columns} from {self.rows} {group} order by id"


def texts(values: Sequence[str | None]) -> str:
    """Rows of one text column ``x``."""
    listed = ", ".join(f"({number}, {_literal(value)})" for number, value in enumerate(values, start=1))
    return f"(values {listed}) as t (id, x)"


def pairs(values: Sequence[tuple[str | None, str | None]], kind: str = "decimal(38, 20)") -> str:
    """Rows of two columns ``a`` and ``b`` of one type."""
    listed = ", ".join(
        f"({number}, cast({_literal(a)} as {kind}), cast({_literal(b)} as {kind}))"
        for number, (a, b) in enumerate(values, start=1)
    )
    return f"(values {listed}) as t (id, a, b)"


def maps(values: Sequence[Mapping[str, str | None] | None]) -> str:
    """Rows of one map column ``m``."""
    listed = ", ".join(f"({number}, {_map(value)})" for number, value in enumerate(values, start=1))
    return f"(values {listed}) as t (id, m)"


def _map(value: Mapping[str, str | None] | None) -> str:
    if value is None:
        return "cast(null as map(varchar, varchar))"
    keys, items = (", ".join(map(_literal, part)) for part in (value.keys(), value.values()))
    return f"cast(map(array[{keys}], array[{items}]) as map(varchar, varchar))"


def _literal(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


# Every character that XML, JSON and CSV can hold, in rows of 256; surrogates are no characters.
CHARACTERS = [
    "".join(chr(point) for point in range(start, start + 256))
    for start in (*range(0x100, 0xD800, 256), *range(0xE000, 0x10000, 256), *range(0x1F000, 0x1FB00, 256), 0xE0000, 0x10FF00)
] + ["".join(map(chr, range(1, 0x100)))]
ODD_TEXTS = [
    None, "", " ", "a", "it's", 'say "x"', "back\\slash", "\\uD83C\\uDF0D", "\\\\uD83C\\uDF0D🌍", "a/b", "Größe", "部門",
    "🌍🚀", "tab\tline\nreturn\r", "e\u0301 é", "\u2028\u2029", "$1 \\1", "null", "%_",
]  # fmt: skip
ODD_MAPS: list[Mapping[str, str | None] | None] = [
    None,
    {},
    {"b": "2", "a": "1"},
    {"a": "1", "b": "2"},
    {"user:env": "it's", 'say "x"': "back\\slash", "": "empty"},
    {"🌍": "emoji", "\uff21": "wide", "z": "🚀", "部門": "\u2028"},
    {"user_env": "prod", "user:Env": "x", "user:ENV": "y", "A": "1", "a": "2", "_": "3"},
    {"k": "tab\t\x01\x1f\x7f"},
]
TAG_KEYS = [
    "user:CostCenter", "user:cost-center", "aws:createdBy", "AWSAccount", "user:Abteilung.Größe", "user:部門", "ÄÖÜ",
    "İstanbul", "ǅ", "ΑΣ", "ß", "a__b", "__a__", "-x-", "Name", "NAME", "user:",
    "", "123", "x²", "Ⅷ", "ａＢ", "user:Env 1", "é", "e\u0301",
]  # fmt: skip
AMOUNTS: list[tuple[str | None, str | None]] = [
    ("1", "3"), ("2", "3"), ("-2", "3"), ("2", "-3"), ("-2", "-3"), ("1", "7"), ("0", "3"), ("0", "-3"), ("5", "0"),
    ("0", "0"), (None, "3"), ("3", None), ("0.000000000001", "3"), ("1", "800000000000"), ("999999999999", "7"),
    ("999999999999.999999999999", "0.000001"), ("0.1", "0.3"), ("1234567.89", "9876543.21"), ("1", "6"), ("5", "6"),
    ("0.0000000000005", "1"), ("0.0000000000015", "1"), ("-0.0000000000005", "1"), ("1", "2"), ("1", "1024"), ("3", "1024"),
    ("0.333333333333333333", "1"), ("17.3", "17.3"), ("12345.678", "0.00007"),
]  # fmt: skip
# Costs and quantities of sample bills: of some, DuckDB's own cast to a double is not the nearest one.
PRICED: list[tuple[str | None, str | None]] = [
    ("2.859685291319076", "139.7695645806"), ("0.300514034549376", "0.8414931523"), ("0.07383592023139200000", "0.5837754604"),
    ("0.51929856758025", "7.6933121123"), ("0.1", "3"), ("123456789012345678.12345678901234567890", "1"), ("-0.7", "0.3"),
    (None, "1"), ("0", "1"), ("0.00000000000000000001", "7"),
]  # fmt: skip
PARTS = [
    *AMOUNTS[:12],
    ("0.9", "1"),
    ("0.333333", "1"),
    ("0.3333333", "1"),
    ("9876.54321", "12345.6789"),
    ("2", "1"),
    ("-1", "7"),
]

CASES: dict[str, list[Case]] = {
    "divided": [Case("{{ divided('a', 'b') }} as x", pairs(AMOUNTS))],
    "json_string": [Case("{{ json_string('x') }} as y", texts([*ODD_TEXTS, *CHARACTERS]))],
    "map_to_json": [Case("{{ map_to_json('m') }} as x", maps([*ODD_MAPS, {"k": None, "j": "1"}]))],
    # The text itself is each engine's own; what is asked of it is to come back as the same map.
    "map_to_text": [
        Case(
            "{{ map_to_json(json_to_map(map_to_text('m'))) }} as back, {{ map_to_text('m') }} = '{}' as is_empty",
            maps(ODD_MAPS),
        )
    ],
    "json_to_map": [
        Case(
            "{{ json_to_map('x') }} as m",
            texts(
                ['{"b":"2","a":"1"}', "{}", None, '{ "a\\u00e9" : "\\ud83c\\udf0d \\" \\\\ /" }', '{"":""}', '{"部門":"🌍"}']
            ),
        )
    ],
    "text_to_json": [Case("{{ text_to_json(map_to_text('m')) }} as x", maps(ODD_MAPS))],
    "to_double": [Case("{{ to_double('a') }} as x, {{ to_double('a') }} / {{ to_double('b') }} as y", pairs(PRICED))],
    "map_agg": [
        Case(
            "{{ map_agg('k', 'v') }} as m",
            "(values (1, 'b', '2'), (1, 'a', '1'), (2, 'x', 'it''s'), (3, '🌍', '')) as t (id, k, v)",
            grouped=True,
        )
    ],
    "map_value": [
        Case(
            "{{ map_value('m', 'a') }} as a, {{ map_value('m', 'user:env') }} as b, {{ map_value('m', 'zz') }} as c",
            maps(ODD_MAPS),
        )
    ],
    "unnest_map": [
        Case(
            "entry.entry_key, entry.entry_value",
            "(select id * 100 + row_number() over (partition by id order by entry.entry_key) as id, entry.entry_key, "
            f"entry.entry_value from {maps(ODD_MAPS)} {{{{ unnest_map('m') }}}}) as entry",
        )
    ],
    "regexp_replace_all": [
        Case(
            "{{ regexp_replace_all('x', '[^a-z0-9]+', '_') }} as a, {{ regexp_replace_all('x', '(\\\\p{Lu})', '_{1}') }} as b, "
            "{{ regexp_replace_all('x', '^_|_$', '') }} as c",
            texts([*ODD_TEXTS, *TAG_KEYS]),
        )
    ],
    "regexp_group": [
        Case(
            "{{ regexp_group('x', '^([a-z]+(-[a-z]+)+-[0-9]+)', 1) }} as a, {{ regexp_group('x', '(b*)', 1) }} as b",
            texts([*ODD_TEXTS, "us-east-1a", "us-gov-west-1", "eu-central-1", "us-west-2-lax-1a", "global", "US-EAST-1", "bb"]),
        )
    ],
    "split_text": [
        Case("{{ split_text('x', 'chr(30)') }} as parts", texts([None, "", "a", "a\x1eb\x1fc", "\x1ea\x1e", "🌍\x1e部門"]))
    ],
    "count_different": [
        Case(
            "{{ count_different('x') }} as y",
            "(values (1, 'b'), (1, 'a'), (1, 'b'), (1, null), (2, null), (3, ''), (3, ' '), (4, 'A'), (4, 'a')) as t (id, x)",
            grouped=True,
        )
    ],
    "joined_text": [
        Case(
            "{{ joined_text('x') }} as y",
            "(values (1, 'b'), (1, 'a'), (1, 'b'), (1, null), (2, null), (3, ''), (4, '🌍'), (4, '\uff21'), (4, 'A'), (4, 'a'))"
            " as t (id, x)",
            grouped=True,
        )
    ],
    # Built on the ones above, or on what engines do in their own way.
    "in_proportion": [
        Case(f"{{{{ in_proportion('{amount}', 'a', 'b') }}}} as x", pairs(PARTS))
        for amount in ("cast(1 as decimal(38, 20))", "cast(0.123456789012345678 as decimal(38, 20))", "a - b")
    ],
    "row_key": [
        Case(
            "{{ row_key(['x', 'id', 'd', 'b', 'n']) }} as y",
            "(select id, x, date '2026-10-01' as d, id > 3 as b, cast(null as varchar) as n "
            f"from {texts([*ODD_TEXTS, *CHARACTERS[:40]])}) as t",
        )
    ],
    "snake_case": [Case("{{ snake_case('x') }} as y", texts([*ODD_TEXTS, *TAG_KEYS]))],
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """Engine -> case -> its SQL, compiled by the real dbt for that engine. No engine is asked."""
    folder = tmp_path_factory.mktemp("parity")
    shutil.copytree(PROJECT / "macros", folder / "macros")
    (folder / "models").mkdir()
    for name, cases in CASES.items():
        for number, case in enumerate(cases):
            (folder / "models" / f"{name}_{number}.sql").write_text(case.model, encoding="utf-8")
    project = {
        "name": "cost_lakehouse",
        "version": "1.0.0",
        "profile": "parity",
        "flags": {"send_anonymous_usage_stats": False},
    }
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project))
    trino = {"type": "trino", "method": "none", "host": "localhost", "port": 1, "user": "x", "database": "x", "schema": "x"}
    duck = {"type": "duckdb", "path": str(folder / "none.duckdb"), "schema": "main"}
    (folder / "profiles.yml").write_text(
        yaml.safe_dump({"parity": {"target": "duckdb", "outputs": {"duckdb": duck, "trino": trino}}})
    )
    return {engine: _compile(folder, engine) for engine in ("duckdb", "trino")}


def _compile(folder: Path, engine: str) -> dict[str, str]:
    target = folder / engine
    arguments = ["--quiet", "compile", "--no-populate-cache", "--no-introspect"]
    arguments += ["--target", engine, "--target-path", str(target), "--log-path", str(target)]
    done = forked_dbt(folder / f"{engine}.txt", arguments, folder, {**os.environ, "DBT_PROFILES_DIR": str(folder)})
    assert done.returncode == 0, done.stdout
    return {path.stem: path.read_text(encoding="utf-8") for path in target.rglob("compiled/**/models/*.sql")}


def test_every_macro_that_differs_by_engine_has_a_case() -> None:
    macros = {
        name
        for file in (PROJECT / "macros" / "cross_db").glob("*.sql")
        for name in MACRO.findall(file.read_text(encoding="utf-8"))
        if "__" not in name
    }
    assert macros
    assert macros <= CASES.keys()


@pytest.mark.parametrize("case", [f"{name}_{number}" for name, cases in CASES.items() for number in range(len(cases))])
def test_both_engines_give_the_same_rows(
    case: str, compiled: Mapping[str, Mapping[str, str]], trino_server: TrinoServer
) -> None:
    with duckdb.connect() as connection:
        expected = connection.execute(compiled["duckdb"][case]).fetchall()
    found = [tuple(row) for row in trino_server.query(compiled["trino"][case], catalog=None)]
    assert len(found) == len(expected) > 0
    assert [(a, b) for a, b in zip(_plain(found), _plain(expected), strict=True) if a != b] == []


def _plain(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows to compare: a decimal with all of its digits, as 1.0 and 1.00 are equal otherwise."""
    return [tuple(str(value) if hasattr(value, "as_tuple") else value for value in row) for row in rows]
