"""Mirrors as Dagster sees them: an asset, a pool and a schedule each, upstream of what reads their copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.assets.mirrors import (
    MIRROR_JOB,
    MirrorLog,
    mirror_assets,
    mirror_jobs,
    mirror_key,
    mirror_key_for,
    mirror_schedules,
)
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.runner import run_mirror_once
from tests.services.oci import Fault, OciServer

COST = "reports/cost-csv/1.csv.gz"
Configure = Callable[..., Settings]


@pytest.fixture
def configure(oci_server: OciServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Writes a lakehouse.yaml with a mirror, and sources where they are given."""
    key = oci_server.add_user(tmp_path / "oci")
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB"):
        monkeypatch.setenv(name, "")

    def write(*sources: dict[str, Any], **options: Any) -> Settings:
        oci = {"config_file": str(key.config_file), "endpoint": oci_server.endpoint}
        mirror = {"name": "acme-oci", "tenancy": oci_server.tenancy, "oci": oci, "destination": "mirror", **options}
        reads = [{"kind": "oci_cost_reports", **source} for source in sources]
        file = tmp_path / "lakehouse.yaml"
        file.write_text(yaml.safe_dump({"mirrors": [mirror], "sources": reads}), encoding="utf-8")
        return load_settings(file)

    return write


@pytest.fixture
def instance(configure: Configure) -> Iterator[dg.DagsterInstance]:
    with command_instance(configure()) as opened:
        yield opened


def test_a_run_is_on_record_with_what_it_copied(
    configure: Configure, instance: dg.DagsterInstance, oci_server: OciServer, tmp_path: Path
) -> None:
    bucket = oci_server.make_bucket()
    oci_server.add_object(bucket, COST, b"12345")
    settings = configure()
    assert run_mirror_once(settings, instance, "acme-oci", MirrorLog).ok
    assert (tmp_path / "mirror" / COST).read_bytes() == b"12345"
    first = materialization(instance)
    facts = {name: item.value for name, item in first.metadata.items()}
    assert (facts["objects"], facts["copied"], facts["skipped"], facts["bytes"]) == (1, 1, 0, 5)
    assert run_mirror_once(settings, instance, "acme-oci", MirrorLog).facts["skipped"] == 1
    version = "dagster/data_version"
    assert (materialization(instance).tags or {})[version] == (first.tags or {})[version]


def materialization(instance: dg.DagsterInstance) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(mirror_key("acme-oci"))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def test_a_failure_says_what_and_why_and_names_no_secret(
    configure: Configure, instance: dg.DagsterInstance, oci_server: OciServer
) -> None:
    bucket = oci_server.make_bucket()
    for name in (COST, "reports/cost-csv/2.csv.gz"):
        oci_server.add_object(bucket, name, b"x")
    oci_server.fail(Fault(403, "Forbidden", "Not yours", times=99, matches=lambda seen: seen.path.endswith("/1.csv.gz")))
    outcome = run_mirror_once(configure(), instance, "acme-oci", MirrorLog)
    assert not outcome.ok
    assert "Mirror acme-oci: 1 object could not be copied: reports/cost-csv/1.csv.gz" in outcome.problem
    assert (outcome.facts["mirror"], outcome.facts["copied"], outcome.facts["failed"]) == ("acme-oci", 1, 1)
    assert instance.get_latest_materialization_event(mirror_key("acme-oci")) is None


def test_a_pool_keeps_two_runs_of_a_mirror_apart(configure: Configure) -> None:
    (asset,) = mirror_assets(configure())
    assert isinstance(asset.node_def, dg.OpDefinition)
    assert asset.node_def.pool == "mirror__acme_oci"


def test_the_schedule_runs_its_own_mirror(configure: Configure, instance: dg.DagsterInstance) -> None:
    settings = configure()
    (schedule,) = mirror_schedules(settings)
    assert (schedule.cron_schedule, schedule.default_status) == ("0 */6 * * *", dg.DefaultScheduleStatus.RUNNING)
    context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 11, 2, 6, tzinfo=UTC))
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.asset_selection == [mirror_key("acme-oci")]
    assert request.tags["cost_lakehouse/source"] == "acme-oci"
    assert schedule.job_name == MIRROR_JOB


def test_off_and_paused_have_no_schedule(configure: Configure) -> None:
    assert mirror_schedules(configure(schedule="off")) == []
    assert mirror_schedules(configure(paused=True)) == []
    assert mirror_schedules(configure(schedule="30 5 * * *"))[0].cron_schedule == "30 5 * * *"
    with pytest.raises(ConfigurationError, match="schedule of mirror 'acme-oci' is no cron text"):
        mirror_schedules(configure(schedule="now and then"))


def test_a_source_that_reads_the_copies_comes_after_their_mirror(configure: Configure) -> None:
    def upstream(source: dict[str, Any], **options: Any) -> dg.AssetKey | None:
        settings = configure({"name": "acme", **source}, **options)
        return mirror_key_for(settings, settings.sources[0])

    key = mirror_key("acme-oci")
    assert upstream({"location": "mirror/reports"}) == key
    assert upstream({"location": "mirror"}) == key
    assert upstream({"location": "mirror-of-another"}) is None
    assert upstream({"location": "s3://mirror"}) is None
    in_bucket = {"destination": "s3://acme/oci", "endpoint": "http://store:9000"}
    assert upstream({"location": "s3://acme/oci/reports", "endpoint": "http://store:9000"}, **in_bucket) == key
    assert upstream({"location": "s3://acme/oci2/reports", "endpoint": "http://store:9000"}, **in_bucket) is None
    assert upstream({"location": "s3://acme/oci/reports"}, **in_bucket) is None
    assert upstream({"tenancy": "ocid1.tenancy.oc1..aaaa"}) is None


def test_the_job_loads_without_mirrors(configure: Configure) -> None:
    assert mirror_jobs([]) == []
    mirrors = mirror_assets(configure())
    dg.Definitions.validate_loadable(dg.Definitions(assets=mirrors, jobs=mirror_jobs(mirrors)))
