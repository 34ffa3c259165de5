"""What the module for AWS allows: every statement by hand, and the rights held against the real S3 server."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.mirror import s3_destination
from cost_lakehouse.storage.s3_client import make_s3_client
from cost_lakehouse.storage.s3_store import S3Store
from tests.cli.test_policy import limited_to
from tests.deploy.compose import DEPLOY
from tests.deploy.hcl import Given, Module
from tests.mirror.conftest import new_mirroring, s3_target
from tests.services.oci import OciServer
from tests.services.s3 import S3Server

MODULE = Module(DEPLOY / "terraform" / "aws")
TRUSTED = ["arn:aws:iam::444455556666:role/machine"]
# The action that AWS asks for, by the operation that is called.
ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListParts": "s3:ListMultipartUploadParts",
    "DeleteObject": "s3:DeleteObject",
}
SERVICES = ["billingreports.amazonaws.com", "bcm-data-exports.amazonaws.com"]
OURS = {
    "StringEquals": {"aws:SourceAccount": ["111122223333"]},
    "ArnLike": {
        "aws:SourceArn": [
            "arn:aws:cur:us-east-1:111122223333:definition/*",
            "arn:aws:bcm-data-exports:us-east-1:111122223333:export/*",
        ]
    },
}


def given(**variables: Any) -> Given:
    made = {
        "data": {
            "aws_partition": {"current": {"partition": "aws"}},
            "aws_caller_identity": {"current": {"account_id": "111122223333"}},
        }
    }
    usual = {"region": "eu-central-1", "report_bucket": "acme-billing", "trusted_principals": TRUSTED}
    return MODULE.given(made, **{"external_id": "an-external-id", **usual, **variables})


def test_the_reader_may_list_the_bucket_and_read_the_report() -> None:
    assert given().policy("read_report")["Statement"] == [
        {"Sid": "ListTheReport", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::acme-billing"]},
        {
            "Sid": "ReadTheReport",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::acme-billing/cur/hourly-cur/*"],
        },
    ]


def test_a_bucket_with_a_kms_key_needs_one_right_more() -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/1"
    assert given(report_kms_key_arn=key).policy("read_report")["Statement"][2:] == [
        {"Sid": "DecryptTheReport", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key]}
    ]


def test_reading_and_assuming_can_be_bound_to_addresses_as_the_policy_command_does() -> None:
    addresses = ["203.0.113.7/32", "2001:db8::/56"]
    module = given(addresses=addresses)
    condition = {"IpAddress": {"aws:SourceIp": addresses}}
    assert [statement["Condition"] for statement in module.policy("read_report")["Statement"]] == [condition, condition]
    (trust,) = module.policy("trust")["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": ["an-external-id"]}, **condition}


@pytest.mark.parametrize("may_delete", [False, True])
def test_the_mirror_may_be_written_and_deleted_from_only_if_asked(may_delete: bool) -> None:
    written = given(mirror_bucket="acme-oci-mirror", mirror_may_delete=may_delete).policy("write_mirror")["Statement"]
    expected = [
        ("ListTheMirror", ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "arn:aws:s3:::acme-oci-mirror"),
        (
            "ReadAndWriteTheMirror",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "arn:aws:s3:::acme-oci-mirror/*",
        ),
        ("DeleteFromTheMirror", ["s3:DeleteObject"], "arn:aws:s3:::acme-oci-mirror/*"),
    ][: 3 if may_delete else 2]
    assert written == [
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [resource]} for sid, actions, resource in expected
    ]


def test_no_right_that_is_given_to_people_or_machines_is_for_everything() -> None:
    module = given(mirror_bucket="acme-oci-mirror", mirror_may_delete=True, report_kms_key_arn="arn:aws:kms:r:1:key/1")
    for name in ("read_report", "write_mirror", "trust"):
        for statement in module.policy(name)["Statement"]:
            assert not any("*" in action for action in statement["Action"]), name
            assert "*" not in statement.get("Resource", []), name
            assert statement.get("Principal", {}).get("AWS") in (None, TRUSTED), name


def test_the_role_is_assumed_by_the_named_with_the_external_id_only() -> None:
    assert given().policy("trust")["Statement"] == [
        {
            "Sid": "AssumeWithExternalId",
            "Effect": "Allow",
            "Principal": {"AWS": TRUSTED},
            "Action": ["sts:AssumeRole"],
            "Condition": {"StringEquals": {"sts:ExternalId": ["an-external-id"]}},
        }
    ]


def test_aws_delivers_to_the_report_bucket_for_this_account_only() -> None:
    assert given().policy("report_bucket")["Statement"] == [
        {
            "Sid": "AwsLooksAtTheBucket",
            "Effect": "Allow",
            "Principal": {"Service": SERVICES},
            "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy"],
            "Resource": ["arn:aws:s3:::acme-billing"],
            "Condition": OURS,
        },
        {
            "Sid": "AwsDelivers",
            "Effect": "Allow",
            "Principal": {"Service": SERVICES},
            "Action": ["s3:PutObject"],
            "Resource": ["arn:aws:s3:::acme-billing/*"],
            "Condition": OURS,
        },
    ]


def test_no_bucket_is_reached_without_tls() -> None:
    assert given().policy("only_tls", each={"value": "acme-billing"})["Statement"] == [
        {
            "Sid": "NothingWithoutTls",
            "Effect": "Deny",
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:*"],
            "Resource": ["arn:aws:s3:::acme-billing", "arn:aws:s3:::acme-billing/*"],
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
        }
    ]
    # The report's bucket has it beside AWS's own rights.
    written = MODULE.data["aws_iam_policy_document", "report_bucket"]["source_policy_documents"]
    assert "data.aws_iam_policy_document.only_tls" in written


@pytest.mark.parametrize(
    ("variables", "buckets"),
    [
        ({}, {"report": "acme-billing"}),
        ({"mirror_bucket": "acme-oci-mirror"}, {"report": "acme-billing", "mirror": "acme-oci-mirror"}),
        ({"make_report_bucket": False}, {}),
    ],
)
def test_the_buckets_that_are_made(variables: dict[str, Any], buckets: dict[str, str]) -> None:
    assert given(**variables).local("buckets") == buckets


def test_every_bucket_is_private_encrypted_and_versioned() -> None:
    settings = {kind: body for (kind, name), body in MODULE.resources.items() if name == "bills"}
    assert {body["for_each"] for body in settings.values()} == {"${local.buckets}", "${aws_s3_bucket.bills}"}
    for switch in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
        assert given().resource("aws_s3_bucket_public_access_block", "bills", switch) is True
    (rule,) = settings["aws_s3_bucket_ownership_controls"]["rule"]
    assert rule == {"object_ownership": '"BucketOwnerEnforced"'}
    (encryption,) = settings["aws_s3_bucket_server_side_encryption_configuration"]["rule"]
    assert encryption == {"apply_server_side_encryption_by_default": [{"sse_algorithm": '"AES256"'}]}
    assert settings["aws_s3_bucket_versioning"]["versioning_configuration"] == [{"status": '"Enabled"'}]
    (lifecycle,) = settings["aws_s3_bucket_lifecycle_configuration"]["rule"]
    # What is current is a bill, and stays.
    assert "expiration" not in lifecycle
    assert {"noncurrent_version_expiration", "abort_incomplete_multipart_upload"} <= set(lifecycle)


def test_the_report_is_one_that_the_program_reads() -> None:
    module = given()
    report = {name: module.resource("aws_cur_report_definition", "report", name) for name in ("format", "compression")}
    assert report == {"format": "textORcsv", "compression": "GZIP"}
    assert MODULE.resources["aws_cur_report_definition", "report"]["provider"] == "${aws.billing}"
    assert ("aws", {"alias": '"billing"', "region": '"us-east-1"'}) in MODULE.providers


def test_the_sources_entry_is_one_that_the_program_takes() -> None:
    made = {"aws_iam_role": {"lakehouse": {"arn": "arn:aws:iam::111122223333:role/cost-lakehouse"}}}
    module = MODULE.given(
        made, region="eu-central-1", report_bucket="acme-billing", trusted_principals=TRUSTED, external_id="an-external-id"
    )
    entry = {name: module.output("source")[name] for name in ("kind", "location", "region", "role_arn")}
    assert AwsCurSettings(name="acme", **entry).location == "s3://acme-billing/cur/hourly-cur"


def test_the_reader_reads_the_report_with_these_rights_and_needs_every_one(s3_server: S3Server, s3_shared_bucket: str) -> None:
    prefix = uuid.uuid4().hex
    report, other = f"{prefix}/hourly-cur/20260101-20260201/a.csv.gz", f"{prefix}/other-cur/20260101-20260201/a.csv.gz"
    admin: Any = s3_server.client()
    for key in (report, other):
        admin.put_object(Bucket=s3_shared_bucket, Key=key, Body=b"a bill")
    policy = given(report_bucket=s3_shared_bucket, report_prefix=prefix).policy("read_report")
    keys = limited_to(s3_server, policy)
    place = f"s3://{s3_shared_bucket}/{prefix}/hourly-cur"
    given_place = {"location": place, "endpoint": s3_server.endpoint, "region": s3_server.region}
    source = AwsCurSettings.model_validate({"name": "acme", "kind": "aws_cur", **given_place, **keys})
    store = S3Store.of(source)
    client: Any = store._client
    called: set[str] = set()
    client.meta.events.register("before-call.s3", lambda model, **_: called.add(model.name))

    assert store.list_folder(f"{prefix}/hourly-cur/").folders == (f"{prefix}/hourly-cur/20260101-20260201/",)
    (listed,) = store.list(f"{prefix}/hourly-cur/")
    assert store.head(report) == listed
    assert store.read(listed) == b"a bill"

    assert {ACTIONS[item] for item in called} == {action for item in policy["Statement"] for action in item["Action"]}
    with pytest.raises(SourceError, match="denied"):
        store.head(other)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=s3_shared_bucket, Key=report, Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=s3_shared_bucket, Key=report)


def test_the_mirror_is_written_with_these_rights_and_needs_every_one(
    request: pytest.FixtureRequest,
    oci_server: OciServer,
    s3_server: S3Server,
    s3_shared_bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = given(mirror_bucket=s3_shared_bucket, mirror_may_delete=True).policy("write_mirror")
    target = s3_target(request)
    # Two rights of AWS's have no name of their own at this server, which has both in its right to list.
    listing = {"s3:ListBucketMultipartUploads": "s3:List*", "s3:ListMultipartUploadParts": "s3:List*"}
    user = json.loads(json.dumps(policy))
    for statement in user["Statement"]:
        statement["Action"] = [listing.get(item, item) for item in statement["Action"]]
    target.options |= limited_to(s3_server, user)
    mirroring = new_mirroring(oci_server, target, tmp_path)
    mirroring.options["delete"] = True
    large = "reports/cost-csv/0001000000000002-00001.csv.gz"
    mirroring.add("reports/cost-csv/0001000000000001-00001.csv.gz", b"small")
    mirroring.add(large, bytes(11 * 1024 * 1024))
    target.put("reports/cost-csv/gone.csv.gz", b"deleted by Oracle")
    bucket, prefix = target.place
    s3_server.client().create_multipart_upload(Bucket=bucket, Key=prefix + large)  # as a killed mirror leaves it
    called: set[str] = set()

    def recorded(*arguments: Any) -> Any:
        client: Any = make_s3_client(*arguments)
        client.meta.events.register("before-call.s3", lambda model, **_: called.add(model.name))
        return client

    monkeypatch.setattr(s3_destination, "make_s3_client", recorded)

    report = mirroring.run()

    assert (report.failures, report.copied, report.deleted) == ([], 2, 1)
    assert {ACTIONS[item] for item in called} == {action for item in policy["Statement"] for action in item["Action"]}
