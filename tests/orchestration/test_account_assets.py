"""Account names as Dagster sees them: there where they are wanted, an asset, a pool and a schedule for each organisation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
import yaml

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.assemble import build_definitions
from cost_lakehouse.orchestration.assets.accounts import (
    ACCOUNT_NAMES_KEY,
    account_assets,
    account_jobs,
    account_schedules,
    organization_key,
)
from cost_lakehouse.orchestration.constants import ACCOUNTS_JOB
from tests.orchestration.conftest import Lakehouse


def organizations(lakehouse: Lakehouse, *given: dict[str, Any]) -> None:
    lakehouse.configure("acme", extra=yaml.safe_dump({"organizations": list(given)}))


def test_without_organisations_and_with_an_empty_seed_there_is_no_such_asset(lakehouse: Lakehouse) -> None:
    assert account_assets(lakehouse.settings) == []
    assert account_jobs([]) == []
    assert account_schedules(lakehouse.settings) == []


def test_the_names_come_after_every_organisation_and_beside_the_bills(lakehouse: Lakehouse) -> None:
    organizations(lakehouse, {"name": "acme-org"}, {"name": "globex", "paused": True})
    definitions = build_definitions(lakehouse.settings)
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    names = graph.get(ACCOUNT_NAMES_KEY)
    assert names.parent_keys == {organization_key("acme-org"), organization_key("globex")}
    assert names.partitions_def is None
    for key in (ACCOUNT_NAMES_KEY, *names.parent_keys):
        assert graph.get(key).description
        assert graph.get(key).owners == ["team:finops"]
    # The builds of bills know nothing of them.
    bills = graph.get(dg.AssetKey(["marts", "daily_costs"]))
    assert ACCOUNT_NAMES_KEY not in bills.parent_keys
    assert dg.AssetKey(["staging", "stg_aws__accounts"]) not in graph.get_all_asset_keys()
    assert ACCOUNTS_JOB in definitions.get_repository_def().job_names


def test_a_pool_keeps_two_runs_of_an_organisation_apart(lakehouse: Lakehouse) -> None:
    organizations(lakehouse, {"name": "acme-org"})
    pools = [
        account_asset.node_def.pool
        for account_asset in account_assets(lakehouse.settings)
        if isinstance(account_asset.node_def, dg.OpDefinition)
    ]
    assert pools == ["organizations__acme_org", "account_names"]


def test_the_schedule_reads_its_own_organisation(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    off, paused = {"name": "off", "schedule": "off"}, {"name": "paused", "paused": True}
    organizations(lakehouse, {"name": "acme-org"}, off, paused)
    (schedule,) = account_schedules(lakehouse.settings)
    assert (schedule.cron_schedule, schedule.default_status) == ("15 5 * * *", dg.DefaultScheduleStatus.RUNNING)
    context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 11, 2, 5, 15, tzinfo=UTC))
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.asset_selection == [organization_key("acme-org"), ACCOUNT_NAMES_KEY]
    assert request.tags["cost_lakehouse/source"] == "acme-org"
    assert schedule.job_name == ACCOUNTS_JOB


def test_a_schedule_that_is_no_cron_text_is_told(lakehouse: Lakehouse) -> None:
    organizations(lakehouse, {"name": "acme-org", "schedule": "now and then"})
    with pytest.raises(ConfigurationError, match="schedule of organisation 'acme-org' is no cron text"):
        account_schedules(lakehouse.settings)
