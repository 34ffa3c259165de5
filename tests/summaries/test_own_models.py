"""A user's own models: a dbt package beside lakehouse.yaml, built, tested and published like the project's."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.marts import published_marts
from cost_lakehouse.summaries.stale import stale_slices
from tests.builders import Workshop, line
from tests.dbt.building import marts_of
from tests.summaries.conftest import DbtRunner, rows

OCTOBER = Slice("acme", date(2026, 10, 1))
COSTS = (("3", "AmazonEC2"), ("0.25", "AmazonEC2"), ("4", "AmazonS3"))
MODEL = """
select source, billing_period, delivery_id, service, currency_code, sum(billed_cost) as billed_cost
from {{ ref('daily_costs') }}
where {{ slice_filter() }}
group by 1, 2, 3, 4, 5
"""
CONFIG = """
models:
  - name: service_costs
    config: {meta: {published: {total: billed_cost}}}
    columns:
      - name: service
        data_tests: [not_null]
"""


class OwnModels:
    """A lake with one month, and a package whose one model adds its costs up by service."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "my_models"
        (self.package / "models").mkdir(parents=True)
        self.write("dbt_project.yml", "name: my_models\nversion: '1.0.0'\nmodels: {my_models: {+materialized: table}}\n")
        self.write("models/service_costs.sql", MODEL)
        self.write("models/_models.yml", CONFIG)
        self.workshop = Workshop(folder)
        self.workshop.write(
            [
                line(UnblendedCost=cost, ProductCode=code)
                for cost, code in (("3", "AmazonEC2"), ("0.25", "AmazonEC2"), ("4", "AmazonS3"))
            ]
        )
        self.workshop.load()
        config = self.workshop.settings.file
        config.write_text(config.read_text() + "models: my_models\n")
        self.lake = Workshop(folder).lake

    def write(self, name: str, text: str) -> None:
        (self.package / name).write_text(text)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> OwnModels:
    return OwnModels(tmp_path_factory.mktemp("own"))


def test_a_model_of_the_users_is_published_beside_ours_and_makes_every_month_due_when_it_is_new(
    own: OwnModels, dbt: DbtRunner
) -> None:
    dbt.summarize(own.lake)
    found = rows(own.lake, "select service, billed_cost from marts.service_costs order by 1")
    assert found == [("AmazonEC2", Decimal("3.25")), ("AmazonS3", Decimal(4))]
    assert stale_slices(own.lake, marts=[mart.table for mart in marts_of(own.lake)]) == []

    own.write(
        "models/accounts_of_month.sql", "select source, billing_period from {{ ref('daily_costs') }} where {{ slice_filter() }}"
    )
    own.write("models/_more.yml", "models: [{name: accounts_of_month, config: {meta: {published: true}}}]\n")
    marts = [mart.table for mart in marts_of(own.lake)]
    assert marts[-1] == "marts.bill_status"
    assert "marts.accounts_of_month" in marts
    assert [stale.slice for stale in stale_slices(own.lake, marts=marts)] == [OCTOBER]
    (own.package / "models/accounts_of_month.sql").unlink()
    (own.package / "models/_more.yml").unlink()


def test_after_a_change_of_a_users_model_the_others_are_not_parsed_again(own: OwnModels) -> None:
    before = parse_if_stale(own.lake.settings).document["nodes"]
    own.write("models/service_costs.sql", f"-- {own.package}\n{MODEL}")
    own.write("models/one_more.sql", "select 1 as one")
    try:
        after = parse_if_stale(own.lake.settings).document["nodes"]
    finally:
        own.write("models/service_costs.sql", MODEL)
        (own.package / "models/one_more.sql").unlink()

    assert set(after) - set(before) == {"model.my_models.one_more"}
    assert set(before) <= set(after)
    changed = {name for name in before if before[name]["created_at"] != after[name]["created_at"]}
    assert changed <= {name for name in before if ".my_models." in name}
    assert "model.my_models.service_costs" in changed
    assert after["model.my_models.service_costs"]["depends_on"] == before["model.my_models.service_costs"]["depends_on"]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("models/service_costs.sql", "{{ config(materialized='view') }} select 1 as one", "service_costs.*is a view"),
        ("models/_models.yml", CONFIG.replace("total", "sum"), "service_costs.*published: {total: COLUMN}"),
        ("models/service_costs.sql", "select * from {{ ref('daily_cost') }}", "dbt cannot parse.*daily_cost"),
        ("dbt_project.yml", "name: cost_lakehouse\nversion: '1.0.0'\n", "needs a `name:` of its own"),
        ("models/daily_costs.sql", "select 1 as one", "dbt cannot parse.*daily_costs"),
    ],
    ids=["view", "meta", "ref", "name", "ours"],
)
def test_what_is_wrong_in_a_users_package_is_said_before_anything_is_built(
    own: OwnModels, file: str, text: str, says: str
) -> None:
    place = own.package / file
    before = place.read_text() if place.exists() else None
    place.write_text(text)
    try:
        with pytest.raises(ConfigurationError, match=f"(?s){says}"):
            published_marts(parse_if_stale(own.lake.settings).document)
    finally:
        if before is None:
            place.unlink()
        else:
            place.write_text(before)


def test_a_model_that_cannot_be_published_slice_by_slice_publishes_nothing(own: OwnModels, dbt: DbtRunner) -> None:
    own.write(
        "models/service_costs.sql", "select service, sum(billed_cost) as billed_cost from {{ ref('daily_costs') }} group by 1"
    )
    try:
        dbt.build(own.lake, [OCTOBER])
        with pytest.raises(LakeError, match="service_costs cannot.*lacks billing_period, currency_code, source"):
            dbt.publish(own.lake, [OCTOBER])
    finally:
        own.write("models/service_costs.sql", MODEL)


def test_a_folder_that_is_no_package_is_named(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    config = workshop.settings.file
    config.write_text(config.read_text() + "models: nowhere\n")
    with pytest.raises(ConfigurationError, match="`models: nowhere` names .*nowhere, where no dbt_project.yml is"):
        parse_if_stale(Workshop(tmp_path).settings)
