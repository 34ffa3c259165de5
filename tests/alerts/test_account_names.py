"""An organisation that cannot be read is told as such, until it can be."""

from __future__ import annotations

import dagster as dg
import pytest
import yaml
from dagster._core.utils import make_new_run_id

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.account_runs import AccountRuns
from cost_lakehouse.orchestration.constants import ACCOUNTS_JOB, SOURCE_TAG
from tests.alerts.conftest import Office
from tests.services.organizations import KEYS, Fault, OrganizationsServer


@pytest.fixture
def organization(office: Office) -> OrganizationsServer:
    server = OrganizationsServer("111122223333")
    made = [{"name": "acme-org", "endpoint": server.endpoint, **KEYS}]
    text = office.config.read_text(encoding="utf-8")
    office.config.write_text(f"{text}{yaml.safe_dump({'organizations': made})}", encoding="utf-8")
    return server


def test_an_organisation_that_refuses_is_told_until_it_answers(office: Office, organization: OrganizationsServer) -> None:
    with organization as aws:
        runs = AccountRuns(load_settings(office.config), office.instance)
        office.look()
        aws.faults.append(Fault("DescribeOrganization", "AccessDeniedException", 1))
        assert not runs.read("acme-org").ok
        office.look()
        (title,) = office.listener.titles
        assert title.startswith("Reading of account names of acme-org failed: AWS Organizations refuses")
        assert [(entry.what, entry.source) for entry in office.memory.open] == [(ACCOUNTS_JOB, "acme-org")]
        assert runs.read("acme-org").ok
        office.look()
        assert office.memory.open == []


def test_a_killed_run_is_told_by_its_organisation(office: Office, organization: OrganizationsServer) -> None:
    with organization:
        office.look()
        run = dg.DagsterRun(
            job_name=ACCOUNTS_JOB,
            run_id=make_new_run_id(),
            asset_selection={dg.AssetKey(["organizations", "acme-org"]), dg.AssetKey(["marts", "aws_accounts"])},
            tags={SOURCE_TAG: "acme-org"},
            status=dg.DagsterRunStatus.STARTED,
        )
        office.instance.add_run(run)
        office.instance.report_run_failed(run, message="The process ended without a word.")
        office.look()
        assert [(entry.what, entry.source) for entry in office.memory.open] == [(ACCOUNTS_JOB, "acme-org")]
