"""One account's bill, delivered in every way that AWS has, gives identical marts to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
import yaml

import cost_lakehouse.loading.holders
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from sample_bills import Bill, FileFormat, Report, Versioning, Written, write_bill
from tests.builders import Workshop
from tests.summaries.conftest import DbtRunner, rows

OCTOBER = date(2026, 10, 1)
BILL = Bill(months=(OCTOBER,), rows=1_000, coarse_amounts=True)
BILLS = {
    "legacy-csv": BILL,
    "legacy-parquet": replace(BILL, file_format=FileFormat.PARQUET, versioning=Versioning.OVERWRITE),
    "cur2-csv": replace(BILL, report=Report.CUR_2),
    "cur2-parquet": replace(
        BILL,
        report=Report.CUR_2,
        file_format=FileFormat.PARQUET,
        versioning=Versioning.OVERWRITE,
        period_folder="billing_period",
    ),
}
MARTS = ("aws_daily_summary", "daily_costs", "commitment_costs", "bill_status", "bill_findings")
# Which source, delivery and file it was, and when: what has to differ. Collisions of tag keys as well: AWS merges keys that
# differ by case only before it writes snake_case, so only a CSV report with slash names can tell of them.
DIFFERS = {"source", "delivery_id", "loaded_at", "example_file_name", "tag_collisions"}
COLLISIONS = "tag keys that become one"


@dataclass
class Built:
    lake: Lake
    written: dict[str, Written]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dbt: DbtRunner) -> Built:
    folder = tmp_path_factory.mktemp("deliveries")
    sources, written = [], {}
    for name, bill in BILLS.items():
        (written[name],) = write_bill(folder / name, bill, files=2, last_is_open=False)
        kind = "aws_cur" if bill.report is Report.LEGACY else "aws_data_export"
        sources.append({"name": name, "kind": kind, "location": f"{name}/{bill.location}"})
    document = {"lake": {"first_month": "2026-10"}, "sources": sources}
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump(document))
    workshop = Workshop(folder)
    with pytest.MonkeyPatch.context() as patch:
        # One payer's month from four sources would be refused; here they are compared, and never added up.
        patch.setattr(cost_lakehouse.loading.holders, "holders_of", lambda *_: {})
        for name in BILLS:
            workshop.load(name, OCTOBER)
    dbt.summarize(workshop.lake)
    return Built(workshop.lake, written)


def mart_of(built: Built, mart: str, source: str) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """The columns and sorted rows of one source."""
    with connect(built.lake) as connection:
        found = connection.execute(f"select * from marts.{mart} where source = '{source}'")
        names = [item[0] for item in found.description or ()]
        kept = [index for index, name in enumerate(names) if name not in {*DIFFERS, f"{mart}_id"}]
        lines = [tuple(row[index] for index in kept) for row in found.fetchall() if COLLISIONS not in row]
    return [names[index] for index in kept], sorted(lines, key=repr)


@pytest.mark.parametrize("mart", MARTS)
@pytest.mark.parametrize("source", [name for name in BILLS if name != "legacy-csv"])
def test_a_mart_is_the_same_whatever_the_delivery(built: Built, mart: str, source: str) -> None:
    columns, expected = mart_of(built, mart, "legacy-csv")
    assert expected
    assert len(columns) > 5
    found = mart_of(built, mart, source)
    assert found[0] == columns
    differing = {
        name
        for name, ours, theirs in zip(columns, zip(*expected, strict=True), zip(*found[1], strict=True), strict=True)
        if sorted(map(repr, ours)) != sorted(map(repr, theirs))
    }
    assert differing == set()
    assert found[1] == expected


@pytest.mark.parametrize("source", list(BILLS))
def test_every_way_gives_what_the_generator_wrote(built: Built, source: str) -> None:
    total = rows(
        built.lake,
        "select currency_code, sum(unblended_cost), sum(amortized_cost), sum(net_amortized_cost) "
        f"from marts.aws_daily_summary where source = '{source}' group by 1",
    )
    expected = built.written[source].expected
    assert total == [("USD", expected.total()["USD"], expected.amortized_cost["USD"], expected.net_amortized_cost["USD"])]
    assert expected.total() == built.written["legacy-csv"].expected.total()
