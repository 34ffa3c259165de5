"""A lake lies in any folder, whatever its name is made of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from tests.builders import Workshop, line
from tests.demo import command
from tests.oci_builders import Mirror, cost_line

NAMES = {
    "hash": "team #1",
    "question": "a?b",
    "percent": "100%20",
    "star": "a*b",
    "brackets": "a[bc]d",
    "quote": "d'or",
    "rest": "ü=b; c:d",
    "source": "source=prod",
    "month": "billing_period=2020-01-01",
    "cost": "line_item_unblended_cost=7",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_bills_are_loaded_replaced_and_read_in_a_folder_of_that_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    # What a pattern would find, too.
    (tmp_path / "abd").mkdir()
    workshop = Workshop(folder)
    for costs, assembly in (("1", "20261103T040211Z"), ("2", "20261104T040211Z")):
        workshop.write([line(UnblendedCost=costs), line(UnblendedCost="0.5")], assembly=assembly)
        workshop.load()
    with connect(Lake(workshop.settings)) as connection:
        found = connection.execute(
            "select source, billing_period, count(*), sum(line_item_unblended_cost) from raw.aws_cur group by all"
        ).fetchall()
    assert found == [("acme", date(2026, 10, 1), 2, Decimal("2.5"))]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
    assert {path.name for path in tmp_path.iterdir()} == {name, "abd"}


def test_reports_that_add_and_correct_are_loaded_there_too(tmp_path: Path) -> None:
    folder = tmp_path / "a #1?[x]*'ü=b"
    folder.mkdir()
    mirror = Mirror(folder)
    mirror.write("0001.csv.gz", [cost_line(cost="1.25")])
    mirror.load()
    mirror.write("0001.csv.gz", [cost_line(cost="2")])
    mirror.write("0002.csv.gz", [cost_line(cost="0.5", reference="V2.2", correction="true", back="V2.1")])
    mirror.load()
    assert mirror.ask("select count(*), sum(cost_my_cost) from raw.oci_cost") == [(2, Decimal("2.5"))]


def test_the_whole_pipeline_runs_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a #1?%20 [x]*'ü=b"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder / ".dagster"))
    workshop = Workshop(folder)
    workshop.write([line(UnblendedCost="3")])
    done = command("run", "--config", str(workshop.settings.file))
    assert done.exit_code == 0, done.output
    with connect(Lake(workshop.settings)) as connection:
        assert connection.execute("select source, billed_cost from marts.daily_costs").fetchall() == [("acme", Decimal(3))]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
