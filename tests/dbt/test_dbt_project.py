"""The dbt project as a model developer and a wrong model meet it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from tests.builders import Workshop, line
from tests.forked import forked_dbt

PROJECT = Path(__file__).parents[2] / "dbt_project"


def _name(unique_id: str) -> str:
    """The last part of a dbt id that people gave: a model's or a test's name."""
    parts = unique_id.split(".")
    return parts[3] if parts[0] == "unit_test" else parts[2]


class Developer:
    """A lake with one month, and a copy of the dbt project beside its ``lakehouse.yaml``, in which dbt is run by hand."""

    def __init__(self, folder: Path) -> None:
        self.first_results: Mapping[str, str] = {}
        self.workshop = Workshop(folder)
        self.workshop.write([line(UnblendedCost="3"), line(UnblendedCost="4", LineItemType="Tax")])
        self.workshop.load()
        self.project = folder / "dbt_project"
        shutil.copytree(PROJECT, self.project, ignore=shutil.ignore_patterns("target", "logs"))

    @property
    def scratch(self) -> Path:
        return self.project / "target" / "dev.duckdb"

    def dbt(self, *arguments: str, forked: bool = True) -> subprocess.CompletedProcess[str]:
        """Run dbt inside the project, with no variable of ours set; not ``forked``: started as a developer starts it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COST_LAKEHOUSE_")}
        if forked:
            return forked_dbt(self.project.with_name("said.txt"), arguments, self.project, environment)
        command = [str(Path(sys.executable).with_name("dbt")), *arguments]
        return subprocess.run(command, cwd=self.project, env=environment, capture_output=True, text=True, check=False)

    def results(self) -> Mapping[str, str]:
        """Model or test -> how it ended."""
        results = json.loads((self.project / "target" / "run_results.json").read_text())["results"]
        return {_name(result["unique_id"]): result["status"] for result in results}

    def change(self, model: str, old: str, new: str) -> None:
        """Spoil a model."""
        (path,) = (self.project / "models").rglob(f"{model}.sql")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Developer:
    """A project in which a plain ``dbt build`` was run, unit tests included."""
    developer = Developer(tmp_path_factory.mktemp("developer"))
    done = developer.dbt("build", forked=False)
    assert done.returncode == 0, done.stdout
    developer.first_results = developer.results()
    return developer


def test_a_plain_build_builds_everything_and_publishes_nothing(built: Developer) -> None:
    assert set(built.first_results.values()) <= {"success", "pass"}
    with duckdb.connect(str(built.scratch), read_only=True) as connection:
        assert connection.execute("select sum(billed_cost) from marts.daily_costs").fetchall()[0][0] == 7
    assert built.workshop.lake.table_or_none("marts.daily_costs") is None


def test_every_line_item_type_has_a_unit_test_that_ran(built: Developer) -> None:
    assert built.first_results["every_line_item_type_is_valued_by_its_rule"] == "pass"
    fixture = (PROJECT / "models/intermediate/aws/_aws__unit_tests.yml").read_text()
    macro = (PROJECT / "macros/aws_columns.sql").read_text()
    known = macro.split("known_line_item_types() -%}")[1].split("[")[1].split("]")[0]
    for name in known.replace("'", "").replace(",", " ").split():
        assert f"line_item_type: {name}," in fixture, name


def test_a_second_build_replaces_the_slices_and_doubles_nothing(built: Developer) -> None:
    done = built.dbt("run", "--vars", json.dumps({"slices": [{"source": "acme", "billing_period": "2026-10-01"}]}))
    assert done.returncode == 0, done.stdout
    with duckdb.connect(str(built.scratch), read_only=True) as connection:
        assert connection.execute("select sum(billed_cost) from marts.daily_costs").fetchall()[0][0] == 7


def test_models_can_be_shown(built: Developer) -> None:
    done = built.dbt("--quiet", "show", "--select", "daily_costs", "--output", "json")
    assert done.returncode == 0, done.stdout
    assert '"service": "AmazonEC2"' in done.stdout


def test_every_model_and_column_is_described(built: Developer) -> None:
    done = built.dbt("docs", "generate")
    assert done.returncode == 0, done.stdout
    target = built.project / "target"
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    catalog: dict[str, Any] = json.loads((target / "catalog.json").read_text())
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    assert set(models) <= set(catalog["nodes"])
    for name, node in models.items():
        assert node["description"], name
        described = {column for column, about in node["columns"].items() if about["description"]}
        assert described == set(catalog["nodes"][name]["columns"]), name


def test_a_model_that_loses_money_stops_every_mart_and_shows_expected_and_actual(tmp_path: Path) -> None:
    developer = Developer(tmp_path)
    developer.change("int_aws__costs", "from dated", "from dated where line_item_type <> 'Tax'")
    month = developer.workshop.delivery().billing_period
    assert month is not None
    done = developer.dbt(*build_arguments([Slice("acme", month)]))
    assert done.returncode == 1
    results = developer.results()
    assert results["daily_summary_reconciles_to_the_raw_bill"] == "fail"
    assert {results[name] for name in ("aws_daily_summary", "daily_costs", "commitment_costs", "bill_status")} == {"skipped"}
    with duckdb.connect(str(developer.scratch), read_only=True) as connection:
        found = connection.execute(
            "select line_item_type, expected_amount, actual_amount, difference from intermediate.int_costs__reconciliation "
            "where metric = 'billed_cost' order by line_item_type"
        ).fetchall()
    assert found == [("Tax", 4, 0, -4), ("Usage", 3, 3, 0)]


def test_a_missing_configuration_is_told_with_what_to_do(tmp_path: Path) -> None:
    developer = Developer(tmp_path)
    developer.workshop.settings.file.unlink()
    done = developer.dbt("build")
    assert done.returncode != 0
    assert "There is no configuration file" in done.stdout + done.stderr
