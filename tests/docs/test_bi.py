"""What BI tools are given is what they take, and its SQL has the lake's numbers."""

from __future__ import annotations

import json
import re
import runpy
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from cost_lakehouse.ask.dimensions import dimensions, measures
from tests.demo import Told, command
from tests.docs.pages import ROOT, blocks
from tests.forked import forked_dbt

FOLDER = ROOT / "deploy" / "bi"
DASHBOARD = json.loads((FOLDER / "grafana" / "cloud-costs.json").read_text(encoding="utf-8"))
DATASET = yaml.safe_load((FOLDER / "superset" / "datasets" / "cost_lakehouse" / "costs.yaml").read_text(encoding="utf-8"))
COPIED = (
    "daily_costs",
    "aws_daily_summary",
    "oci_daily_summary",
    "focus_daily_summary",
    "lakehouse_daily_summary",
    "aws_accounts",
    "bill_status",
)
# What Grafana writes into SQL where the dashboard has a variable.
CHOSEN = {
    "${__from:date:YYYY-MM-DD}": "2026-09-15",
    "${__from:date:YYYY-MM}": "2026-09",
    "${__to:date:YYYY-MM-DD}": "2026-10-31",
    "${currency:sqlstring}": "'USD'",
    "${basis}": "billed_cost",
}


def filled(sql: str) -> str:
    for variable, value in CHOSEN.items():
        sql = sql.replace(variable, value)
    assert "$" not in sql
    return sql


def totals(rows: list[dict[str, Any]]) -> dict[str, tuple[Decimal, Decimal]]:
    return {row["currency_code"]: (Decimal(row["billed"]), Decimal(row["effective"])) for row in rows}


@pytest.fixture(scope="module")
def whole(demo: Told) -> dict[str, tuple[Decimal, Decimal]]:
    """What ``daily_costs`` comes to."""
    sql = "select currency_code, sum(billed_cost) as billed, sum(effective_cost) as effective from marts.daily_costs group by 1"
    return totals(demo.query(sql))


def test_files_are_what_the_table_of_dimensions_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_semantic_layer.py"))["files"]()

    assert len(made) == 5
    old = [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    assert old == [], "run `uv run python docs/make_semantic_layer.py`"


def test_grafana_s_schema_knows_every_field_of_the_dashboard() -> None:
    """Types made from Grafana's published schema read it, and write all of it again; what they do not know gets lost."""
    known = json.loads(json.dumps(Dashboard.from_json(DASHBOARD), cls=JSONEncoder))

    def lost(given: Any, found: Any, path: str) -> list[str]:
        if isinstance(given, dict):
            return [
                name
                for key, value in given.items()
                for name in (lost(value, found[key], f"{path}/{key}") if key in found else [f"{path}/{key}"])
            ]
        if isinstance(given, list):
            return [name for number, value in enumerate(given) for name in lost(value, found[number], f"{path}/{number}")]
        return [] if given == found else [path]

    assert lost(DASHBOARD, known, "") == []
    assert lost({"panles": []}, json.loads(json.dumps(Dashboard.from_json({"panles": []}), cls=JSONEncoder)), "") == ["/panles"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["w"]) for panel in DASHBOARD["panels"]]
    assert all(x + width <= 24 for x, width in places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: str(panel["title"]))
def test_a_panel_of_the_dashboard_has_an_answer(panel: dict[str, Any], demo: Told) -> None:
    (target,) = panel["targets"]

    rows = demo.query(filled(target["rawSql"]))

    assert rows
    if target["format"] == "time_series":
        assert set(rows[0]) == {"time", "metric", "value"}


def test_the_dashboard_s_variables_and_sums_are_the_lake_s(demo: Told) -> None:
    (currencies,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "currency"]
    assert [row["currency_code"] for row in demo.query(currencies["query"])] == ["EUR", "USD"]
    shown = {panel["title"]: demo.query(filled(panel["targets"][0]["rawSql"])) for panel in DASHBOARD["panels"][:8]}
    answer = command(
        "costs", "--from", "2026-09-15", "--to", "2026-11-01", "--format", "json", "--config", demo.config
    )  # fmt: skip
    (cost,) = [Decimal(row["cost"]) for row in json.loads(answer.stdout) if row["currency_code"] == "USD"]
    assert Decimal(shown["Cost"][0]["cost"]) == cost
    assert sum(Decimal(row["value"]) for row in shown["Cost by day and service"]) == cost
    for table in ("Services", "Accounts", "Regions"):
        assert sum(Decimal(row["cost"]) for row in shown[table]) == cost, table


def test_superset_s_dataset_is_one_and_adds_up(demo: Told, whole: dict[str, tuple[Decimal, Decimal]]) -> None:
    schema = json.loads((ROOT / "tests" / "docs" / "superset_dataset.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(DATASET, schema)
    database = yaml.safe_load((FOLDER / "superset" / "databases" / "cost_lakehouse.yaml").read_text(encoding="utf-8"))
    assert DATASET["database_uuid"] == database["uuid"]

    metrics = {metric["metric_name"]: metric["expression"] for metric in DATASET["metrics"]}
    columns = [column["column_name"] for column in DATASET["columns"]]
    asked = ", ".join(f"{expression} as {name}" for name, expression in metrics.items())
    rows = demo.query(f"with costs as ({DATASET['sql']}) select currency_code, {asked} from costs group by 1")
    assert {row["currency_code"]: (Decimal(row["billed_cost"]), Decimal(row["effective_cost"])) for row in rows} == whole
    first = demo.query(f"with costs as ({DATASET['sql']}) select * from costs limit 1")[0]
    assert set(first) == set(columns)
    assert {dimension.name for dimension in dimensions() if dimension.apart is None} < set(columns)
    assert {f"{measure.name}_cost" for measure in measures()} < set(metrics)


def test_dbt_takes_the_semantic_layer_without_a_warning(
    demo: Told, whole: dict[str, tuple[Decimal, Decimal]], tmp_path: Path
) -> None:
    """In a process of its own: dbt keeps what it parsed."""
    file = tmp_path / "costs.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        for mart in COPIED:
            exported = tmp_path / f"{mart}.parquet"
            answer = command("query", f"select * from marts.{mart}", "--output", str(exported), "--config", demo.config)
            assert answer.exit_code == 0, answer.stderr
            connection.execute(f"create table marts.{mart} as from '{exported}'")
        for mart in ("bill_findings", "cost_changes"):
            connection.execute(f"create table marts.{mart} (source varchar)")

    arguments = ["--warn-error", "run", "--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")]
    environment = {"COST_LAKEHOUSE_BI_TARGET": "duckdb", "COST_LAKEHOUSE_BI_FILE": str(file), "PATH": ""}
    done = forked_dbt(
        tmp_path / "said.txt", [*arguments, "--profiles-dir", ".", "--no-use-colors"], FOLDER / "dbt", environment
    )

    assert done.returncode == 0, done.stdout
    assert "4 exposures" in done.stdout
    assert "1 semantic model" in done.stdout
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.sql(
            "select currency_code, sum(billed_cost), sum(effective_cost) from semantic_layer.costs group by 1"
        ).fetchall()
        assert connection.sql("select count(*), count(distinct date_day) from semantic_layer.time_spine").fetchone() == (
            9131,
            9131,
        )
    assert {code: (billed, effective) for code, billed, effective in found} == whole


def test_the_page_has_ten_queries_and_its_duckdb_file_can_be_made(demo: Told, tmp_path: Path) -> None:
    page = [block for block in blocks("sql") if block.page.name == "bi.md"]
    assert len(page) == 10
    (block,) = [block for block in blocks("duckdb") if block.page.name == "bi.md"]
    with duckdb.connect() as connection:
        connection.execute(f"set file_search_path = '{tmp_path}'")
        for mart in re.findall(r"from '(\w+)\.parquet'", block.text):
            answer = command(
                "query", f"select * from marts.{mart}", "--output", str(tmp_path / f"{mart}.parquet"), "--config", demo.config
            )
            assert answer.exit_code == 0, answer.stderr
        connection.execute(block.text.replace("costs.duckdb", str(tmp_path / "made.duckdb")))
        assert connection.sql("select count(*) > 0 from costs.marts.daily_costs").fetchone() == (True,)
