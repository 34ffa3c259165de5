"""What the module for Oracle Cloud allows and makes: the statements, word for word, and the machine's first boot."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.settings import load_settings
from tests.deploy.compose import DEPLOY, docker_compose
from tests.deploy.hcl import Given, Module

MODULE = Module(DEPLOY / "terraform" / "oci")
TENANCY, COMPARTMENT = "ocid1.tenancy.oc1..aaaatenancy", "ocid1.compartment.oc1..aaaacompartment"
SECRET, OTHER_SECRET = "ocid1.vaultsecret.oc1.iad.aaaamade", "ocid1.vaultsecret.oc1.iad.aaaagiven"
TOPIC = "ocid1.onstopic.oc1.iad.aaaatopic"
ORACLES = "ocid1.tenancy.oc1..aaaaaaaaned4fkpkisbwjlr56u7cj63lf3wffbilvqknstgtvzub7vhqkggq"
WORKLOAD = {"cluster_ocid": "ocid1.cluster.oc1.iad.aaaacluster", "namespace": "finops", "service_account": "lakehouse"}
INSTANCE = {
    "subnet_ocid": "ocid1.subnet.oc1.iad.aaaasubnet",
    "ssh_public_key": "ssh-ed25519 AAAA",
    "repository": "https://git.example.com/cost-lakehouse.git",
    "revision": "v1",
    "sources": None,
    "shape": "VM.Standard.E5.Flex",
    "ocpus": 2,
    "memory_gb": 16,
    "boot_volume_gb": 200,
}


def given(**variables: Any) -> Given:
    made = {
        "oci_vault_secret": {"mirror": {"access-key": {"id": SECRET}} if variables.get("make_vault") else {}},
        "oci_ons_notification_topic": {"alerts": [{"id": TOPIC}] if variables.get("make_topic", True) else []},
        "oci_core_instance": {"lakehouse": [{"id": "ocid1.instance.oc1.iad.aaaainstance"}]},
    }
    return MODULE.given(made, tenancy_ocid=TENANCY, compartment_ocid=COMPARTMENT, home_region="us-ashburn-1", **variables)


def statements(**variables: Any) -> list[str]:
    module = given(**variables)
    return [
        *module.resource("oci_identity_policy", "reports", "statements"),
        *module.resource("oci_identity_policy", "compartment", "statements"),
    ]


def test_an_instance_may_read_the_reports_its_secrets_and_publish_alerts_and_nothing_else() -> None:
    assert statements(make_vault=True, secret_ocids=[OTHER_SECRET]) == [
        f"define tenancy usage-report as {ORACLES}",
        "endorse dynamic-group cost-lakehouse to read objects in tenancy usage-report",
        "endorse dynamic-group cost-lakehouse to read buckets in tenancy usage-report",
        f"allow dynamic-group cost-lakehouse to read secret-bundles in compartment id {COMPARTMENT} "
        f"where all {{target.secret.id = '{SECRET}'}}",
        f"allow dynamic-group cost-lakehouse to read secret-bundles in compartment id {COMPARTMENT} "
        f"where all {{target.secret.id = '{OTHER_SECRET}'}}",
        f"allow dynamic-group cost-lakehouse to use ons-topics in compartment id {COMPARTMENT} "
        "where all {request.permission = 'ONS_TOPIC_PUBLISH'}",
    ]


def test_without_vault_and_topic_only_the_reports_are_readable() -> None:
    bare = statements(make_topic=False)
    assert [each.split()[0] for each in bare] == ["define", "endorse", "endorse"]
    assert given(make_topic=False).resource("oci_identity_policy", "compartment", "count") == 0


def test_statements_that_define_and_endorse_are_in_the_root_compartment() -> None:
    assert given().resource("oci_identity_policy", "reports", "compartment_id") == TENANCY
    assert given().resource("oci_identity_policy", "compartment", "compartment_id") == COMPARTMENT


def test_a_user_with_an_api_key_reads_by_its_group() -> None:
    assert statements(auth="api_key", group_name="finops", make_topic=False)[1:] == [
        "endorse group finops to read objects in tenancy usage-report",
        "endorse group finops to read buckets in tenancy usage-report",
    ]


def test_a_workload_is_any_user_only_together_with_all_that_tells_it() -> None:
    who = (
        "request.principal.type = 'workload', request.principal.cluster_id = 'ocid1.cluster.oc1.iad.aaaacluster', "
        "request.principal.namespace = 'finops', request.principal.service_account = 'lakehouse'"
    )
    assert statements(auth="workload_identity", workload=WORKLOAD, secret_ocids=[OTHER_SECRET])[1:] == [
        f"endorse any-user to read objects in tenancy usage-report where all {{{who}}}",
        f"endorse any-user to read buckets in tenancy usage-report where all {{{who}}}",
        f"allow any-user to read secret-bundles in compartment id {COMPARTMENT} "
        f"where all {{{who}, target.secret.id = '{OTHER_SECRET}'}}",
        f"allow any-user to use ons-topics in compartment id {COMPARTMENT} "
        f"where all {{{who}, request.permission = 'ONS_TOPIC_PUBLISH'}}",
    ]


@pytest.mark.parametrize(
    ("variables", "rule"),
    [
        ({}, f"ALL {{instance.compartment.id = '{COMPARTMENT}'}}"),
        ({"instance": INSTANCE}, "ANY {instance.id = 'ocid1.instance.oc1.iad.aaaainstance'}"),
        (
            {"auth": "resource_principal", "resource_type": "fnfunc"},
            f"ALL {{resource.type = 'fnfunc', resource.compartment.id = '{COMPARTMENT}'}}",
        ),
    ],
)
def test_the_dynamic_group_holds_what_reads_and_no_more(variables: dict[str, Any], rule: str) -> None:
    module = given(**variables)
    assert module.resource("oci_identity_dynamic_group", "lakehouse", "count") == 1
    assert module.resource("oci_identity_dynamic_group", "lakehouse", "matching_rule") == rule
    assert module.resource("oci_identity_dynamic_group", "lakehouse", "name") == "cost-lakehouse"


@pytest.mark.parametrize("auth", ["api_key", "workload_identity"])
def test_users_and_workloads_need_no_dynamic_group(auth: str) -> None:
    assert given(auth=auth).resource("oci_identity_dynamic_group", "lakehouse", "count") == 0


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"auth": "api_key"}, "needs group_name"),
        ({"auth": "workload_identity", "workload": {**WORKLOAD, "namespace": ""}}, "needs all of workload"),
        ({"auth": "api_key", "group_name": "finops", "instance": INSTANCE}, "reads by auth instance_principal"),
        ({"instance": INSTANCE, "make_topic": False}, "make one, or give the instance sources of its own"),
    ],
)
def test_variables_that_do_not_go_together_are_refused(variables: dict[str, Any], complaint: str) -> None:
    (found,) = given(**variables).preconditions("oci_identity_policy", "reports")
    assert complaint in found


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"auth": "api_key", "group_name": "finops"},
        {"auth": "workload_identity", "workload": WORKLOAD},
        {"auth": "resource_principal"},
        {"instance": INSTANCE},
        {"instance": {**INSTANCE, "sources": "sources: []"}, "make_topic": False},
    ],
)
def test_variables_that_go_together_are_taken(variables: dict[str, Any]) -> None:
    assert given(**variables).preconditions("oci_identity_policy", "reports") == []


def test_a_secrets_value_never_goes_through_terraform() -> None:
    secret = MODULE.resources["oci_vault_secret", "mirror"]
    ((content,), (lifecycle,)) = secret["secret_content"], secret["lifecycle"]
    # A fixed placeholder: what is put in by hand is neither read back nor written over.
    assert content["content"] == '${base64encode("not set yet")}'
    assert lifecycle["ignore_changes"] == ["secret_content"]
    names = {
        given(make_vault=True).resource("oci_vault_secret", "mirror", "secret_name", each={"key": key})
        for key in given(make_vault=True).resource("oci_vault_secret", "mirror", "for_each")
    }
    assert names == {"cost-lakehouse-mirror-access-key", "cost-lakehouse-mirror-secret-key"}
    assert given().resource("oci_vault_secret", "mirror", "for_each") == []


def test_the_machine_cannot_be_reached_from_outside_and_keeps_its_disk() -> None:
    module = given(instance=INSTANCE)
    (network,) = module.resource("oci_core_instance", "lakehouse", "create_vnic_details")
    assert network == {"subnet_id": INSTANCE["subnet_ocid"], "assign_public_ip": False}
    assert module.resource("oci_core_instance", "lakehouse", "preserve_boot_volume") is True
    (lifecycle,) = MODULE.resources["oci_core_instance", "lakehouse"]["lifecycle"]
    # Oracle lists images and availability domains in any order; a new one replaces no machine.
    assert lifecycle == {"ignore_changes": ["availability_domain", "metadata", "source_details"]}


@pytest.fixture
def first_boot() -> str:
    """The script that a new machine runs, with the module's own sources."""
    metadata = given(instance=INSTANCE).resource("oci_core_instance", "lakehouse", "metadata")
    assert len(metadata["user_data"]) < 16 * 1024  # what Oracle takes, with all of the metadata at most 32,000 bytes
    return base64.b64decode(metadata["user_data"]).decode()


def test_the_first_boot_makes_the_secrets_and_starts_what_reads_the_tenancy(
    first_boot: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, programs, log = tmp_path / "lakehouse", tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    clone = f'mkdir -p "{folder}/deploy"; cp "{DEPLOY}/lakehouse.yaml" "{folder}/deploy/"'
    for name, does in {"apt-get": ":", "git": clone, "docker": f"test -f '{folder}/.env'"}.items():
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{log}"\n{does}\n')
        (programs / name).chmod(0o755)
    script = first_boot.replace("/opt/cost-lakehouse", str(folder))

    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - any bash
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert log.read_text().splitlines()[-2:] == [
        f"git clone --depth 1 --branch v1 https://git.example.com/cost-lakehouse.git {folder}",
        "docker compose up --build --detach",
    ]
    file = folder / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    secrets = [value for name, value in variables.items() if name.startswith("LAKEHOUSE_")]
    assert len(set(secrets)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{20,48}", each) for each in secrets)
    assert not any(each in done.stdout + done.stderr for each in secrets)
    # As the containers read it.
    resolved = json.loads(docker_compose(tmp_path, "config", "--format", "json", variables=variables).stdout)
    for name, value in resolved["services"]["code"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(folder / "deploy" / "lakehouse.yaml")
    (source,), (mirror,) = settings.sources, settings.mirrors
    assert (mirror.tenancy, mirror.oci.auth, mirror.oci.region) == (TENANCY, "instance_principal", "us-ashburn-1")
    assert source.location == f"{mirror.destination}/reports"
    assert (source.endpoint, source.access_key) == (mirror.endpoint, settings.store.access_key)
    assert settings.alerts is not None
    assert settings.alerts.notifications is not None
    assert (settings.alerts.notifications.topic, settings.alerts.notifications.oci.auth) == (TOPIC, "instance_principal")


def test_a_machines_own_sources_take_the_place_of_the_modules() -> None:
    own = given(instance={**INSTANCE, "sources": "sources: []\n"}, make_topic=False)
    script = base64.b64decode(own.resource("oci_core_instance", "lakehouse", "metadata")["user_data"]).decode()
    assert base64.b64encode(b"sources: []\n").decode() in script
    assert "echo 'OCI_TOPIC='" in script
