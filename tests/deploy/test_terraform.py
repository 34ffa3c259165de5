"""The Terraform modules are well-formed: formatted, complete, pinned, and without a secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import hcl2
import pytest

from tests.deploy.compose import DEPLOY
from tests.deploy.hcl import Module
from tests.deploy.hcl_format import faults

TERRAFORM = DEPLOY / "terraform"
FOLDERS = sorted(path for path in TERRAFORM.iterdir() if path.is_dir())
FILES = sorted([*TERRAFORM.rglob("*.tf"), *TERRAFORM.rglob("*.tfvars.example")])
MODULES = {named.name: Module(named) for named in FOLDERS}
# What the providers' documentation calls required, and what else of a resource is used here: a misspelt argument is noticed
# without the provider.
ARGUMENTS = {
    "aws_cur_report_definition": (
        "additional_schema_elements compression format report_name s3_bucket s3_prefix s3_region time_unit",
        "refresh_closed_reports report_versioning",
    ),
    "aws_iam_policy": ("policy", "description name"),
    "aws_iam_role": ("assume_role_policy", "description max_session_duration name"),
    "aws_iam_role_policy_attachment": ("policy_arn role", ""),
    "aws_iam_user": ("name", ""),
    "aws_iam_user_policy_attachment": ("policy_arn user", ""),
    "aws_s3_bucket": ("", "bucket"),
    "aws_s3_bucket_lifecycle_configuration": ("bucket", "rule"),
    "aws_s3_bucket_ownership_controls": ("bucket rule", ""),
    "aws_s3_bucket_policy": ("bucket policy", ""),
    "aws_s3_bucket_public_access_block": (
        "bucket",
        "block_public_acls block_public_policy ignore_public_acls restrict_public_buckets",
    ),
    "aws_s3_bucket_server_side_encryption_configuration": ("bucket rule", ""),
    "aws_s3_bucket_versioning": ("bucket versioning_configuration", ""),
    "oci_core_instance": (
        "availability_domain compartment_id shape",
        "create_vnic_details display_name instance_options metadata preserve_boot_volume shape_config source_details",
    ),
    "oci_bastion_bastion": (
        "bastion_type compartment_id target_subnet_id",
        "client_cidr_block_allow_list max_session_ttl_in_seconds name",
    ),
    "oci_core_nat_gateway": ("compartment_id vcn_id", "display_name"),
    "oci_core_route_table": ("compartment_id vcn_id", "display_name route_rules"),
    "oci_core_security_list": ("compartment_id vcn_id", "display_name dynamic egress_security_rules ingress_security_rules"),
    "oci_core_service_gateway": ("compartment_id services vcn_id", "display_name"),
    "oci_core_subnet": (
        "cidr_block compartment_id vcn_id",
        "display_name prohibit_public_ip_on_vnic route_table_id security_list_ids",
    ),
    "oci_core_vcn": ("compartment_id", "cidr_blocks display_name"),
    "oci_identity_dynamic_group": ("compartment_id description matching_rule name", ""),
    "oci_identity_policy": ("compartment_id description name statements", ""),
    "oci_kms_key": ("compartment_id display_name key_shape management_endpoint", "protection_mode"),
    "oci_kms_vault": ("compartment_id display_name vault_type", ""),
    "oci_ons_notification_topic": ("compartment_id name", "description"),
    "oci_ons_subscription": ("compartment_id endpoint protocol topic_id", ""),
    "oci_vault_secret": ("compartment_id key_id secret_name vault_id", "description secret_content"),
}
META = {"count", "depends_on", "for_each", "lifecycle", "provider"}


@pytest.fixture(params=MODULES.values(), ids=list(MODULES))
def module(request: pytest.FixtureRequest) -> Module:
    found: Module = request.param
    return found


def test_both_clouds_have_a_module_with_the_usual_files() -> None:
    assert list(MODULES) == ["aws", "oci"]
    for folder in FOLDERS:
        assert {"versions.tf", "variables.tf", "outputs.tf", "terraform.tfvars.example"} <= {
            path.name for path in folder.iterdir()
        }


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_file_is_formatted_as_terraform_does_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert faults(text) == []
    hcl2.loads(text)


def test_terraform_itself_finds_nothing_to_format() -> None:
    # No server and no provider is asked. Where there is none, the test above has looked at every line.
    program = shutil.which("terraform") or shutil.which("tofu")
    quiet = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    for command in [[program, "fmt", "-check", "-diff", "-recursive", str(TERRAFORM)]] if program else []:
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('a = 1\nlong = "x"\n', "1: the equal sign is not in column 6"),
        ("a  = 1\n", "1: the equal sign is not in column 3"),
        ("b {\n   a = 1\n}\n", "2: the indent is not 2"),
        ("b {\n  a = f(g([\n    1,\n    ]))\n}\n", "4: the indent is not 2"),
        ("b {\n  a  = {\n    c = 1\n  }\n}\n", "2: one space before the equal sign"),
        ("a = 1 # x\nlong = 1 # y\n", "1: the equal sign is not in column 6"),
        ("a    = 1 # x\nlong = 100 # y\n", "1: the comment is not in column 12"),
        ("a = 1 \n", "1: space at the end"),
        ("b {\n\ta = 1\n}\n", "2: a tab"),
        ("a = 1", "the file does not end with one line break"),
        ("// a\n", "1: a comment starts with #"),
    ],
)
def test_our_own_look_at_the_format_finds_what_terraform_would_change(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_every_variable_says_what_it_is(module: Module) -> None:
    for name, variable in module.variables.items():
        assert {"description", "type"} <= set(variable), name
        assert len(variable["description"]) > 20, name
    for name, output in module.outputs.items():
        assert {"description", "value"} <= set(output), name


def test_every_reference_leads_to_something_that_is_declared(module: Module) -> None:
    providers = {(name, body["alias"].strip('"')) for name, body in module.providers if "alias" in body}
    for reference in module.references():
        match reference:
            case ("var", name, *inner):
                assert name in module.variables, reference
                for item in inner:
                    assert re.search(rf"\b{item} = ", module.variables[name]["type"]), reference
            case ("local", name, *_):
                assert name in module.locals, reference
            case ("data", kind, name, *_):
                assert (kind, name) in module.data, reference
            case (kind, name, *_) if kind in ARGUMENTS:
                assert (kind, name) in module.resources, reference
            case ("statement" | "condition" | "ingress_security_rules", "value"):  # of a dynamic block
                pass
            case (argument,):  # of ignore_changes
                assert any(argument in body for body in module.resources.values()), reference
            case _:
                assert reference in providers, reference


def test_nothing_is_declared_in_vain(module: Module) -> None:
    used = {reference[:2] for reference in module.references()}
    assert {name for name in module.variables if ("var", name) not in used} == set()
    assert {name for name in module.locals if ("local", name) not in used} == set()


def test_every_resource_has_the_arguments_of_its_kind(module: Module) -> None:
    for (kind, name), body in module.resources.items():
        required, optional = (set(item.split()) for item in ARGUMENTS[kind])
        given = set(body) - META
        assert required <= given <= required | optional, f"{kind}.{name}"


def test_the_example_gives_every_variable_that_has_no_default(module: Module) -> None:
    text = (module.folder / "terraform.tfvars.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?(\w+) *= ", text, re.MULTILINE))
    assert named <= set(module.variables)
    secret = {name for name, variable in module.variables.items() if variable.get("sensitive")}
    needed = {name for name, variable in module.variables.items() if "default" not in variable}
    assert needed - secret <= set(hcl2.loads(text))
    # A secret is given by the environment, and the example says so.
    assert secret & named == set()
    assert all(f"TF_VAR_{name}" in text for name in secret)


def test_no_secret_has_a_default_or_is_made_by_terraform(module: Module) -> None:
    for name, variable in module.variables.items():
        if variable.get("sensitive") or re.search(r"password|secret(?!_ocids)|token|external_id|access_key", name):
            assert "default" not in variable, name
            assert variable.get("sensitive") is True, name
    # What makes a key or a password keeps it in the state.
    kinds = {kind for kind, _ in module.resources}
    assert not kinds & {"aws_iam_access_key", "random_password", "oci_identity_api_key", "oci_identity_customer_secret_key"}
    for output in module.outputs.values():
        assert "external_id" not in str(output["value"])


def test_versions_are_pinned(module: Module) -> None:
    (block,) = module.terraform
    assert block["required_version"] == '">= 1.6.0"'
    (required,) = block["required_providers"]
    (name,) = required
    assert name == module.folder.name
    assert re.fullmatch(r'"\d+\.\d+\.\d+"', required[name]["version"])


def test_what_terraform_leaves_behind_is_never_committed() -> None:
    ignored = (TERRAFORM / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".terraform/", "*.tfstate", "*.tfstate.*", "*.tfvars"} <= set(ignored)
