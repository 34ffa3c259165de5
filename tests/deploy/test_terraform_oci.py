"""What the module for Oracle Cloud allows and makes: the statements, word for word, and the machine's first boot."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config import load_settings
from tests.deploy.compose import DEPLOY, docker_compose
from tests.deploy.hcl import Given, Module
from tests.services.oci import OciServer

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


def given(topic: str = TOPIC, **variables: Any) -> Given:
    made = {
        "oci_vault_secret": {"mirror": {"access-key": {"id": SECRET}} if variables.get("make_vault") else {}},
        "oci_ons_notification_topic": {"alerts": [{"id": topic}] if variables.get("make_topic", True) else []},
        "oci_core_instance": {"lakehouse": [{"id": "ocid1.instance.oc1.iad.aaaainstance"}]},
        **{
            f"oci_core_{kind}": {"lakehouse": [{"id": f"made-{kind}"}] if variables.get("network") else []}
            for kind in ("vcn", "subnet", "nat_gateway", "service_gateway", "route_table", "security_list")
        },
        "data": {"oci_core_services": {"all": [{"services": [{"id": "all-services", "cidr_block": "all-iad-services"}]}]}},
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
    assert [item.split()[0] for item in bare] == ["define", "endorse", "endorse"]
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
    assert lifecycle["ignore_changes"] == ["availability_domain", "metadata", "source_details"]


NETWORK = {"cidr": "10.20.0.0/24"}
WITHOUT_SUBNET = {**INSTANCE, "subnet_ocid": None}


def test_a_network_of_its_own_has_ways_out_and_none_in() -> None:
    module = given(instance=WITHOUT_SUBNET, network=NETWORK)
    (network,) = module.resource("oci_core_instance", "lakehouse", "create_vnic_details")
    assert network == {"subnet_id": "made-subnet", "assign_public_ip": False}
    assert module.resource("oci_core_subnet", "lakehouse", "prohibit_public_ip_on_vnic") is True
    assert module.resource("oci_core_subnet", "lakehouse", "route_table_id") == "made-route_table"
    assert module.resource("oci_core_subnet", "lakehouse", "security_list_ids") == ["made-security_list"]
    routes = module.resource("oci_core_route_table", "lakehouse", "route_rules")
    assert [(rule["destination"], rule["destination_type"], rule["network_entity_id"]) for rule in routes] == [
        ("0.0.0.0/0", "CIDR_BLOCK", "made-nat_gateway"),
        ("all-iad-services", "SERVICE_CIDR_BLOCK", "made-service_gateway"),
    ]
    rules = module.whole("oci_core_security_list", "lakehouse")
    assert [rule["destination"] for rule in rules["egress_security_rules"]] == ["0.0.0.0/0"]
    assert rules["ingress_security_rules"] == []
    assert module.resource("oci_bastion_bastion", "lakehouse", "count") == 0


def test_a_bastion_lets_named_addresses_in_by_ssh_alone() -> None:
    module = given(instance=WITHOUT_SUBNET, network=NETWORK, bastion={"clients": ["203.0.113.7/32"]})
    bastion = module.whole("oci_bastion_bastion", "lakehouse")
    assert (bastion["target_subnet_id"], bastion["client_cidr_block_allow_list"]) == ("made-subnet", ["203.0.113.7/32"])
    assert bastion["name"] == "costlakehouse"
    (ingress,) = module.whole("oci_core_security_list", "lakehouse")["ingress_security_rules"]
    assert (ingress["source"], ingress["protocol"], ingress["tcp_options"]) == ("10.20.0.0/24", "6", [{"min": 22, "max": 22}])
    # In a subnet that is there already, a bastion alone is made.
    own = given(instance=INSTANCE, bastion={"clients": ["203.0.113.7/32"]})
    assert own.resource("oci_bastion_bastion", "lakehouse", "target_subnet_id") == INSTANCE["subnet_ocid"]
    assert own.resource("oci_core_vcn", "lakehouse", "count") == 0


@pytest.mark.parametrize(
    ("instance", "network", "right"),
    [
        pytest.param(INSTANCE, None, True, id="own-subnet"),
        pytest.param(WITHOUT_SUBNET, NETWORK, True, id="made-network"),
        pytest.param(WITHOUT_SUBNET, None, False, id="neither"),
        pytest.param(INSTANCE, NETWORK, False, id="both"),
    ],
)
def test_an_instance_has_one_subnet(instance: dict[str, Any], network: dict[str, str] | None, right: bool) -> None:
    found = given(instance=instance, network=network).preconditions("oci_core_instance", "lakehouse")
    assert found == [] if right else "not both" in found[0]


def test_a_bastion_without_a_subnet_is_refused() -> None:
    (found,) = given(bastion={"clients": ["203.0.113.7/32"]}).preconditions("oci_bastion_bastion", "lakehouse")
    assert "A bastion leads into a subnet" in found


@dataclass(frozen=True)
class FirstBoot:
    """The script that a new machine runs, on this one: apt-get, git and docker are played, all else is real."""

    script: str
    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "lakehouse"

    @property
    def calls(self) -> list[str]:
        """What was called, in order."""
        return (self.root / "calls").read_text(encoding="utf-8").splitlines()

    @property
    def log(self) -> str:
        return (self.root / "first-boot.log").read_text(encoding="utf-8")

    def run(self, *, failing: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it; ``failing`` is the program that ends with exit code 7."""
        programs, own = self.root / "bin", self.folder
        programs.mkdir(exist_ok=True)
        clone = f'mkdir -p "{own}/deploy" "{own}/.git"; cp "{DEPLOY}/lakehouse.yaml" "{own}/deploy/"'
        for name, does in {"apt-get": ":", "git": clone, "docker": f"test -f '{own}/.env'"}.items():
            then = "echo 'no space left on device' >&2; exit 7" if name == failing else does
            (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.root}/calls"\n{then}\n')
            (programs / name).chmod(0o755)
        script = self.script.replace("/opt/cost-lakehouse", str(own))
        script = script.replace("/var/log/cost-lakehouse-first-boot.log", str(self.root / "first-boot.log"))
        script = script.replace("/usr/local/sbin/cost-lakehouse-tell-failure", str(self.root / "tell-failure"))
        return subprocess.run(
            ["bash", "-c", script],  # noqa: S607 - any bash
            env={"PATH": f"{programs}:{os.environ['PATH']}", **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def first_boot_with(root: Path, topic: str) -> FirstBoot:
    module = given(topic, instance=INSTANCE)
    metadata = module.resource("oci_core_instance", "lakehouse", "metadata")
    assert len(metadata["user_data"]) < 16 * 1024  # what Oracle takes, with all of the metadata at most 32,000 bytes
    return FirstBoot(base64.b64decode(metadata["user_data"]).decode(), root)


def test_the_first_boot_makes_the_secrets_and_starts_what_reads_the_tenancy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = first_boot_with(tmp_path, TOPIC)
    folder = boot.folder

    done = boot.run()

    assert done.returncode == 0, boot.log
    assert boot.calls[-2:] == [
        f"git clone --depth 1 --branch v1 https://git.example.com/cost-lakehouse.git {folder}",
        "docker compose up --build --detach",
    ]
    file = folder / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    secrets = [value for name, value in variables.items() if name.startswith("LAKEHOUSE_")]
    assert len(set(secrets)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{20,48}", secret) for secret in secrets)
    assert not any(secret in done.stdout + done.stderr + boot.log for secret in secrets)
    # As the containers read it.
    resolved = json.loads(docker_compose(tmp_path, "config", "--format", "json", variables=variables).stdout)
    for name, value in resolved["services"]["code"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(folder / "deploy" / "lakehouse.yaml")
    (source,), (mirror,) = settings.sources, settings.mirrors
    assert (mirror.tenancy, mirror.oci.auth, mirror.oci.region) == (TENANCY, "instance_principal", "us-ashburn-1")
    assert source.address == f"{mirror.destination}/reports"
    assert (source.endpoint, source.access_key) == (mirror.endpoint, settings.store.access_key)
    assert settings.alerts is not None
    assert settings.alerts.notifications is not None
    assert (settings.alerts.notifications.topic, settings.alerts.notifications.oci.auth) == (TOPIC, "instance_principal")
    # Run again, it makes no other secrets and keeps the configuration.
    before = {path: path.read_bytes() for path in (file, folder / "deploy" / "lakehouse.yaml")}
    assert boot.run().returncode == 0
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("failing", "command"), [("apt-get", "apt-get"), ("docker", "docker compose up")], ids=["first", "last"]
)
def test_a_step_that_fails_is_told_to_the_topic_by_the_instances_own_identity(
    failing: str, command: str, oci_server: OciServer, tmp_path: Path
) -> None:
    oci_server.become_instance()
    topic = oci_server.make_topic()
    boot = first_boot_with(tmp_path, topic)

    done = boot.run(
        failing=failing,
        OCI_METADATA_BASE_URL=f"{oci_server.endpoint}/opc/v2",
        OCI_AUTH_ENDPOINT=oci_server.endpoint,
        OCI_NOTIFICATION_ENDPOINT=oci_server.endpoint,
    )

    assert done.returncode == 7
    (message,) = oci_server.messages(topic)
    assert message.title == "Cost lakehouse: the first boot of cost-lakehouse failed"
    number = next(at for at, line in enumerate(boot.script.splitlines(), 1) if line.startswith(command))
    assert f"failed in line {number} of its script with exit code 7: {command}" in message.body
    assert str(tmp_path / "first-boot.log") in message.body
    assert "no space left on device" in message.body
    assert "no space left on device" in boot.log


def test_without_a_way_to_the_topic_the_log_says_so(tmp_path: Path) -> None:
    boot = first_boot_with(tmp_path, TOPIC)
    done = boot.run(failing="git", OCI_METADATA_BASE_URL="http://127.0.0.1:9/opc/v2")
    assert done.returncode == 7
    assert "The alert could not be sent." in boot.log


def test_a_machines_own_sources_take_the_place_of_the_modules() -> None:
    own = given(instance={**INSTANCE, "sources": "sources: []\n"}, make_topic=False)
    script = base64.b64decode(own.resource("oci_core_instance", "lakehouse", "metadata")["user_data"]).decode()
    assert base64.b64encode(b"sources: []\n").decode() in script
    assert "echo 'OCI_TOPIC='" in script
