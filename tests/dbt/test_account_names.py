"""The names of accounts as dbt makes them of a history that was worked out by hand; joining them changes no total."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cost_lakehouse.accounts.log import append_rows
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from tests.builders import Workshop, line
from tests.dbt.building import PROJECT, Ran, build

# Account: organisation, when it was read, name (None: it was gone).
SIGHTINGS: dict[str, list[tuple[str, str, str | None]]] = {
    "100000000001": [  # renamed twice on one day: the day has its last name
        ("acme", "2026-09-05 05:15", "old"),
        ("acme", "2026-10-10 08:00", "middle"),
        ("acme", "2026-10-10 20:00", "new"),
    ],
    "100000000002": [  # gone for some days
        ("acme", "2026-09-05 05:15", "leaver"),
        ("acme", "2026-10-15 05:15", None),
        ("acme", "2026-10-20 05:15", "is back"),
    ],
    "100000000003": [  # moved; the organisation that lost it was read later
        ("acme", "2026-09-05 05:15", "of acme"),
        ("globex", "2026-10-12 05:15", "of globex"),
        ("acme", "2026-10-14 05:15", None),
    ],
    "100000000004": [  # with globex for four days
        ("acme", "2026-09-05 05:15", "stays"),
        ("globex", "2026-10-12 05:15", "lent"),
        ("globex", "2026-10-16 05:15", None),
    ],
    "100000000006": [("acme", "2026-09-05 05:15", "too short"), ("acme", "2026-09-05 20:00", None)],
}
SEED = """account_id,account_name,organizational_unit,organizational_unit_path,tags,valid_from,valid_to
100000000001,not this one,,,,,
000000000005,then,,,,,2026-10-09
000000000005,now,Data,Company/Data,"{""team"": ""data"", ""a"": ""b""}",2026-10-10,
100000000006,of the seed,,,,,
"""
EVER, OPEN = "1970-01-01", "9999-12-31"
NAMES = [
    ("000000000005", "now", "seed", "2026-10-10", OPEN),
    ("000000000005", "then", "seed", EVER, "2026-10-09"),
    ("100000000001", "new", "acme", "2026-10-10", OPEN),
    ("100000000001", "old", "acme", EVER, "2026-10-09"),
    ("100000000002", "is back", "acme", "2026-10-20", OPEN),
    ("100000000002", "leaver", "acme", EVER, "2026-10-14"),
    ("100000000003", "of acme", "acme", EVER, "2026-10-11"),
    ("100000000003", "of globex", "globex", "2026-10-12", OPEN),
    ("100000000004", "lent", "globex", "2026-10-12", "2026-10-15"),
    ("100000000004", "stays", "acme", EVER, "2026-10-11"),
    ("100000000004", "stays", "acme", "2026-10-16", OPEN),
    ("100000000006", "of the seed", "seed", EVER, OPEN),
]
DAYS = (1, 9, 10, 11, 12, 15, 16, 20, 31)
STRANGER = "999999999999"
NAMES_SQL = (
    "select account_id, account_name, origin, valid_from::varchar, valid_to::varchar from marts.aws_accounts order by all"
)
JOINED = (
    "from marts.daily_costs as costs left join marts.aws_accounts as names "
    "on costs.account_id = names.account_id and costs.usage_date between names.valid_from and names.valid_to"
)


def put_on_record(lake: Lake, account_id: str, organization: str, seen_at: str, name: str | None) -> None:
    moment = datetime.fromisoformat(seen_at)
    slice_ = Slice(organization, moment.date().replace(day=1))
    row: dict[str, Any] = {
        "source": organization,
        "billing_period": slice_.billing_period,
        "delivery_id": "read",
        "organization_id": f"o-{organization}",
        "management_account_id": "200000000000",
        "account_id": account_id,
        "seen_at": moment,
        "is_gone": name is None,
        "account_name": name,
        "account_state": "ACTIVE",
        "joined_at": datetime(2020, 1, 2),
        "unit_id": "ou-1",
        "unit_name": "Production",
        "unit_path": "Root/Production",
        "unit_id_path": "r-1/ou-1",
        "tags": {"team": "shop 🌍", "a": 'say "x"'},
    }
    append_rows(lake, slice_, [row], lambda: None)


def fill(lake: Lake, project: Path, seed: str = SEED) -> None:
    """The history in the lake, and the seed in a project of its own."""
    for account_id, sightings in SIGHTINGS.items():
        for sighting in sightings:
            put_on_record(lake, account_id, *sighting)
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "seeds" / "aws_account_names.csv").write_text(seed, encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A bill of every account on every day, the names, and what joins them."""
    folder = tmp_path_factory.mktemp("names")
    workshop = Workshop(folder)
    fill(workshop.lake, folder / "project")
    workshop.write(
        [
            line(
                UsageAccountId=account_id,
                UsageStartDate=f"2026-10-{day:02d}T10:00:00Z",
                UsageEndDate=f"2026-10-{day:02d}T11:00:00Z",
                UnblendedCost=f"{day}.01",
            )
            for account_id in [*SIGHTINGS, "000000000005", STRANGER]
            for day in DAYS
        ]
    )
    workshop.load()
    arguments = ["build", "--select", "+daily_costs", "tag:account_names", "--indirect-selection", "empty"]
    with build(workshop.lake, folder / "build", arguments, folder / "project") as ran:
        assert set(ran.results.values()) <= {"success", "pass"}, ran.output
        yield ran


@pytest.fixture
def answers(built: Ran) -> Iterator[duckdb.DuckDBPyConnection]:
    with built.built.connect() as connection:
        yield connection


def test_names_hold_from_when_they_were_seen_until_another_one_was(answers: duckdb.DuckDBPyConnection) -> None:
    assert answers.execute(NAMES_SQL).fetchall() == NAMES
    current = answers.execute("select account_name from marts.aws_accounts where is_current order by all").fetchall()
    assert [name for (name,) in current] == ["is back", "new", "now", "of globex", "of the seed", "stays"]


def test_units_and_tags_come_with_the_name(answers: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "organizational_unit, organizational_unit_path, organizational_unit_id_path, tags, organization_id, joined_at, seen_at"
    )
    ask = f"select {columns} from marts.aws_accounts where account_name = ?"
    tags = '{"a":"say \\"x\\"","team":"shop 🌍"}'
    expected = ("Production", "Root/Production", "r-1/ou-1", tags, "o-acme", datetime(2020, 1, 2), datetime(2026, 9, 5, 5, 15))
    assert answers.execute(ask, ["old"]).fetchall() == [expected]
    of_the_seed = ("Data", "Company/Data", None, '{"a":"b","team":"data"}', None, None, None)
    assert answers.execute(ask, ["now"]).fetchall() == [of_the_seed]


def test_joining_the_names_multiplies_no_row_and_changes_no_total(answers: duckdb.DuckDBPyConnection) -> None:
    sums = "count(*), sum(costs.billed_cost), sum(costs.effective_cost), sum(costs.line_item_count)"
    plain = answers.execute(f"select {sums} from marts.daily_costs as costs").fetchall()
    # 7 accounts on 9 days that add up to 125 and 9 cents.
    assert (plain[0][0], str(plain[0][1])) == (63, "875.63000000000000000000")
    assert answers.execute(f"select {sums} {JOINED}").fetchall() == plain


def test_every_cost_has_the_name_of_its_day(answers: duckdb.DuckDBPyConnection) -> None:
    found = answers.execute(f"select costs.account_id, day(costs.usage_date), names.account_name {JOINED}").fetchall()
    by_account: dict[str, dict[int, str | None]] = {}
    for account_id, day, name in found:
        by_account.setdefault(account_id, {})[day] = name
    assert by_account["100000000001"] == {day: "old" if day < 10 else "new" for day in DAYS}
    left = {day: "leaver" if day < 15 else None if day < 20 else "is back" for day in DAYS}
    assert by_account["100000000002"] == left
    assert by_account["100000000004"] == {day: "lent" if 12 <= day < 16 else "stays" for day in DAYS}
    assert by_account["000000000005"] == {day: "then" if day < 10 else "now" for day in DAYS}
    assert set(by_account[STRANGER].values()) == {None}


def test_a_later_look_changes_only_the_end_of_the_row_that_held(built: Ran, answers: duckdb.DuckDBPyConnection) -> None:
    """The same statement that dbt built, on the history as it was on October 11: what held then is in today's names."""
    (sql,) = (Path(str(built.built.label)).parent / "target" / "compiled").rglob("marts/aws_accounts.sql")
    statement = sql.read_text(encoding="utf-8")
    view = '"staging"."stg_aws__accounts"'
    assert statement.count(view) == 1
    then = statement.replace('"scratch".' + view, f"(select * from {view} where seen_on <= date '2026-10-11')")
    earlier = answers.execute(
        f"select account_id, account_name, valid_from::varchar, valid_to::varchar from ({then})"
    ).fetchall()
    now = {(item[0], item[3]): item for item in NAMES}
    for account_id, name, valid_from, valid_to in earlier:
        held = now[account_id, valid_from]
        assert held[1] == name
        assert valid_to in (held[4], OPEN)
        assert held[4] == valid_to or held[4] >= "2026-10-11"
