"""The code location as a whole: it loads, and holds what people look for by name."""

from __future__ import annotations

import dagster as dg
import pytest

from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.assemble import build_definitions
from tests.orchestration.conftest import Lakehouse

GROUPS_OF_MODELS = {
    "intermediate_costs",
    *(f"{layer}_{provider}" for layer in ("staging", "intermediate") for provider in ("aws", "oci", "focus", "lakehouse")),
}


@pytest.fixture
def definitions(lakehouse: Lakehouse) -> dg.Definitions:
    return build_definitions(lakehouse.settings)


def test_the_code_location_loads_with_assets_jobs_sensors_and_schedule(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    repository = definitions.get_repository_def()
    keys = {get_all_asset_key.to_user_string() for get_all_asset_key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert {"line_items/acme", "line_items/globex", "marts/aws_daily_summary", "marts/daily_costs", "marts/bill_status"} <= keys
    assert {"load_line_items", "build_summaries", "maintain_lake"} <= set(repository.job_names)
    sensors = {sensor_def.name for sensor_def in repository.sensor_defs}
    assert {"deliveries", "summaries_due", "daily_costs_changed", "alerts"} <= sensors
    assert {schedule_def.name for schedule_def in repository.schedule_defs} == {"download", "maintenance"}


def test_every_asset_says_what_it_is_whose_it_is_and_where_it_belongs(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, key
        assert node.owners == ["team:finops"], key
        assert node.group_name in {"line_items_aws", "marts", "reports", *GROUPS_OF_MODELS}, key
        assert node.kinds & {"iceberg", "dbt", "html"}, key
        assert node.partitions_def == graph.get(dg.AssetKey(["line_items", "acme"])).partitions_def, key


def test_a_storage_name_is_the_table_that_people_query(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    names = {key.to_user_string(): graph.get(key).metadata.get("dagster/table_name") for key in graph.get_all_asset_keys()}
    assert names["line_items/acme"] == "raw.aws_cur"
    assert names["marts/daily_costs"] == "marts.daily_costs"
    assert names["staging/stg_aws__line_items"] is None  # gone when its build ends


def test_every_check_says_what_it_proves(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    without = [key for key in graph.asset_check_keys if not graph.get_check_spec(key).description]
    assert without == []


def test_the_summaries_read_the_line_items_of_every_source(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    upstream = graph.get(dg.AssetKey(["staging", "stg_aws__line_items"])).parent_keys
    assert upstream == {dg.AssetKey(["line_items", "acme"]), dg.AssetKey(["line_items", "globex"])}
    assert dg.AssetKey(["raw", "aws_cur"]) not in graph.get_all_asset_keys()


def test_what_has_one_writer_names_a_pool(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    pools = {
        node.pool for value in repository.assets_defs_by_key.values() if isinstance(node := value.node_def, dg.OpDefinition)
    }
    assert pools == {"line_items__acme", "line_items__globex", "summaries", "reports"}


def test_the_open_month_is_a_partition(definitions: dg.Definitions) -> None:
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey(["line_items", "acme"])).partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    from datetime import UTC, datetime

    keys = partitions.get_partition_keys(current_time=datetime(2026, 11, 2, tzinfo=UTC))
    assert keys == ["2026-09-01", "2026-10-01", "2026-11-01"]


def test_the_code_location_loads_without_sources(lakehouse: Lakehouse) -> None:
    lakehouse.config.write_text("lake: {first_month: 2026-09}\n", encoding="utf-8")
    dg.Definitions.validate_loadable(build_definitions(lakehouse.settings))


def test_a_wrong_schedule_is_a_configuration_error_that_names_the_variable(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOWNLOAD_SCHEDULE", "every day")
    with pytest.raises(ConfigurationError, match="DOWNLOAD_SCHEDULE"):
        build_definitions(lakehouse.settings)


def test_a_missing_configuration_is_told_by_the_code_location(lakehouse: Lakehouse) -> None:
    lakehouse.config.unlink()
    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        load_settings()
