"""The printed policies: what Terraform's are, enough for a real S3 server's reader, and ``*`` only where AWS knows no less."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.s3_store import S3Store
from tests.cli.test_policy import limited_to
from tests.deploy.test_terraform_aws import given
from tests.docs.pages import blocks
from tests.services.s3 import S3Server

READER = "arn:aws:iam::111122223333:role/read-the-bill"
HUB = "arn:aws:iam::444455556666:role/hub"
MACHINE = "arn:aws:iam::444455556666:role/machine"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1"
PAYER = (
    "- {name: acme, kind: aws_cur, location: s3://acme-billing/cur/hourly-cur, "
    f"role_arn: '{READER}', external_id: an-external-id}}"
)
PLAIN = "- {name: plain, kind: aws_data_export, location: s3://acme-exports/bills/hourly, region: cn-north-1}"
ATHENA = (
    "- {name: table, kind: aws_athena, region: eu-west-1, athena: {database: db, table: cur, results: 's3://acme-results/q'}}"
)
ELSEWHERE = "- {name: minio, kind: aws_cur, location: s3://b/p/r, endpoint: https://minio.example.com}"
FOLDER = "- {name: folder, kind: aws_cur, location: bills/p/r}"


def invoke(tmp_path: Path, *arguments: str, sources: tuple[str, ...] = (PAYER,)) -> Any:
    file = tmp_path / "lakehouse.yaml"
    file.write_text("sources:\n" + "\n".join(f"  {source}" for source in sources))
    return CliRunner().invoke(app, ["policy", "aws", "--config", str(file), *arguments])


def printed(tmp_path: Path, *arguments: str, sources: tuple[str, ...] = (PAYER,)) -> Any:
    result = invoke(tmp_path, *arguments, sources=sources)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["Sid"]: item for item in policy["Statement"]}


def test_the_policies_are_those_that_terraform_makes(tmp_path: Path) -> None:
    made = printed(tmp_path, "--kms-key", KEY, "--principal", MACHINE)["acme"]
    module = given(report_kms_key_arn=KEY, trusted_principals=[MACHINE])
    assert made["reader_policy"] == module.policy("read_report")
    assert made["trust_policy"] == module.policy("trust")
    only_tls = module.policy("only_tls", each={"value": "acme-billing"})["Statement"]
    assert made["bucket_policy"]["Statement"] == [*only_tls, *module.policy("report_bucket")["Statement"]]
    assert statements(made["caller_policy"])["AssumeTheReader"]["Resource"] == [READER]


def test_each_source_has_its_own_and_what_is_not_at_aws_has_none(tmp_path: Path) -> None:
    every = (PAYER, PLAIN, ATHENA, ELSEWHERE, FOLDER)
    made = printed(tmp_path, sources=every)
    assert {name: list(item) for name, item in made.items()} == {
        "acme": ["reader_policy", "role_arn", "trust_policy", "caller_policy", "bucket_policy"],
        "plain": ["reader_policy", "bucket_policy"],
        "table": ["reader_policy"],
    }
    assert statements(made["plain"]["reader_policy"])["ReadTheReport"]["Resource"] == [
        "arn:aws-cn:s3:::acme-exports/bills/hourly/*"
    ]
    assert list(printed(tmp_path, "--source", "plain", sources=every)) == ["plain"]


def test_a_bucket_of_its_own_has_no_prefix_and_aws_may_write_an_empty_one(tmp_path: Path) -> None:
    for location, read in (("s3://b", "b/*"), ("s3://b//hourly", "b//hourly/*"), ("s3://b/p/r/", "b/p/r/*")):
        made = printed(tmp_path, sources=(f"- {{name: a, kind: aws_cur, location: '{location}'}}",))["a"]
        assert statements(made["reader_policy"])["ReadTheReport"]["Resource"] == [f"arn:aws:s3:::{read}"]


def test_a_chain_says_for_each_role_who_assumes_it(tmp_path: Path) -> None:
    chain = f"- {{name: acme, kind: aws_cur, location: s3://b/p/r, role_arn: ['{HUB}', '{READER}'], external_id: an-id}}"
    made = printed(tmp_path, "--principal", MACHINE, sources=(chain,))["acme"]
    (hub,) = made["chain"]
    assert (hub["role_arn"], made["role_arn"]) == (HUB, READER)
    assert hub["trust_policy"]["Statement"][0]["Principal"] == {"AWS": [MACHINE]}
    assert "Condition" not in hub["trust_policy"]["Statement"][0]
    assert made["trust_policy"]["Statement"][0]["Principal"] == {"AWS": [HUB]}
    assert made["trust_policy"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": ["an-id"]}}


def test_a_web_identity_is_trusted_by_its_tokens_issuer_subject_and_audience(tmp_path: Path) -> None:
    claims = {
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "sub": "system:serviceaccount:ns:bills",
        "aud": ["sts.amazonaws.com"],
    }
    token = f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"
    file = tmp_path / "token"
    source = f"- {{name: acme, kind: aws_cur, location: s3://b/p/r, role_arn: '{READER}', web_identity_token_file: '{file}'}}"
    unread = printed(tmp_path, sources=(source,))["acme"]["trust_policy"]["Statement"][0]
    assert unread["Condition"]["StringEquals"]["<issuer of the token>:sub"] == ["<subject of the token>"]
    file.write_text(token)
    made = printed(tmp_path, sources=(source,))["acme"]
    issuer = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
    assert made["trust_policy"]["Statement"] == [
        {
            "Sid": "AssumeWithWebIdentity",
            "Effect": "Allow",
            "Principal": {"Federated": [f"arn:aws:iam::111122223333:oidc-provider/{issuer}"]},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {
                "StringEquals": {
                    f"{issuer}:sub": ["system:serviceaccount:ns:bills"],
                    f"{issuer}:aud": ["sts.amazonaws.com"],
                }
            },
        }
    ]
    assert "caller_policy" not in made
    assert token not in json.dumps(made)


def test_what_is_asked_for_besides_is_added(tmp_path: Path) -> None:
    made = printed(tmp_path, "--organizations", "--reports", "--invoices", "--address", "203.0.113.7/32")["acme"]
    listing = statements(made["reader_policy"])["ListTheInvoices"]
    assert (listing["Action"], listing["Resource"]) == (["invoicing:ListInvoiceSummaries"], ["*"])
    reader = statements(made["reader_policy"])
    assert reader["FindTheReports"]["Action"] == ["cur:DescribeReportDefinitions", "bcm-data-exports:ListExports"]
    assert reader["SeeTheExports"]["Resource"] == ["arn:aws:bcm-data-exports:us-east-1:111122223333:export/*"]
    assert all(item.split(":")[1].startswith(("List", "Describe")) for item in reader["ReadTheOrganization"]["Action"])
    only = {"IpAddress": {"aws:SourceIp": ["203.0.113.7/32"]}}
    assert reader["ListTheReport"]["Condition"] == reader["ReadTheReport"]["Condition"] == only
    assert made["trust_policy"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": ["an-external-id"]}, **only}
    assert "FindTheReports" not in statements(printed(tmp_path)["acme"]["reader_policy"])


def test_an_organisation_that_is_asked_with_a_sources_role_adds_to_its_reader_what_is_asked(tmp_path: Path) -> None:
    organization = "organizations: [{name: acme-org, source: acme, tags: false}]"
    made = printed(tmp_path, sources=(PAYER, PLAIN, f"\n{organization}"))
    assert statements(made["acme"]["reader_policy"])["ReadTheOrganization"]["Action"] == [
        "organizations:DescribeOrganization",
        "organizations:ListRoots",
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
    ]
    assert "ReadTheOrganization" not in statements(made["plain"]["reader_policy"])
    assert list(made) == ["acme", "plain"]


def test_an_organisation_with_a_role_of_its_own_has_policies_of_its_own(tmp_path: Path) -> None:
    organization = f"organizations: [{{name: acme-org, role_arn: '{HUB}', external_id: an-id}}]"
    every = printed(tmp_path, "--principal", MACHINE, sources=(PAYER, f"\n{organization}"))
    made = every["organization acme-org"]
    (reads,) = made["reader_policy"]["Statement"]
    assert "organizations:ListTagsForResource" in reads["Action"]
    assert made["role_arn"] == HUB
    assert made["trust_policy"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": ["an-id"]}}
    assert statements(made["caller_policy"])["AssumeTheReader"]["Resource"] == [HUB]
    assert list(printed(tmp_path, sources=(FOLDER, f"\n{organization}"))) == ["organization acme-org"]
    assert list(printed(tmp_path, "--source", "acme", sources=(PAYER, f"\n{organization}"))) == ["acme"]


def test_a_cluster_s_exports_are_read_and_amazon_s_prometheus_is_asked(tmp_path: Path) -> None:
    metrics = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1a2b"
    clusters = (
        "\nclusters:\n"
        "  - {name: batch, source: acme, location: s3://acme-logs/insights/batch}\n"
        f"  - {{name: green, source: acme, location: kept, prometheus: {{url: '{metrics}', sigv4: true, region: eu-west-1, "
        f"role_arn: '{HUB}'}}}}\n"
        "  - {name: mine, source: acme, location: opencost}"
    )
    every = printed(tmp_path, sources=(PAYER, clusters))

    assert list(every) == ["acme", "cluster batch", "cluster green"]
    exports = statements(every["cluster batch"]["reader_policy"])
    assert exports["ListTheReport"]["Resource"] == ["arn:aws:s3:::acme-logs"]
    assert exports["ReadTheReport"]["Resource"] == ["arn:aws:s3:::acme-logs/insights/batch/*"]
    asked = every["cluster green"]
    assert statements(asked["reader_policy"]) == {
        "AskTheMetrics": {
            "Sid": "AskTheMetrics",
            "Effect": "Allow",
            "Action": ["aps:QueryMetrics"],
            "Resource": ["arn:aws:aps:eu-west-1:444455556666:workspace/ws-1a2b"],
        }
    }
    assert asked["role_arn"] == HUB
    assert list(printed(tmp_path, "--source", "acme", sources=(PAYER, clusters))) == ["acme"]


def test_exports_and_focus_are_delivered_by_aws_where_they_are_and_oracles_reports_are_not(tmp_path: Path) -> None:
    sources = (
        "- {name: focus, kind: focus, location: s3://acme-exports/focus/daily}",
        "- {name: oracle, kind: focus, location: s3://acme-mirror/FOCUS Reports}",
        "- {name: export, kind: aws_data_export, location: s3://acme-exports/bills/hourly}",
        "- {name: replica, kind: aws_data_export, location: s3://acme-copy/bills/hourly, replica_of: acme-exports}",
    )
    made = printed(tmp_path, "--account", "1" * 12, sources=sources)
    assert [name for name, item in made.items() if "bucket_policy" in item] == ["focus", "export"]
    assert [statements(value["reader_policy"])["ReadTheReport"]["Resource"] for value in made.values()] == [
        ["arn:aws:s3:::acme-exports/focus/daily/*"],
        ["arn:aws:s3:::acme-mirror/FOCUS Reports/*"],
        ["arn:aws:s3:::acme-exports/bills/hourly/*"],
        ["arn:aws:s3:::acme-copy/bills/hourly/*"],
    ]


def test_athena_may_be_asked_for_one_table_by_one_workgroup(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--account", "111122223333", sources=(ATHENA,))
    assert "--table-location" in result.stderr
    reader = statements(json.loads(result.stdout)["table"]["reader_policy"])
    assert reader["QueryTheTable"]["Resource"] == ["arn:aws:athena:eu-west-1:111122223333:workgroup/primary"]
    assert "arn:aws:glue:eu-west-1:111122223333:table/db/cur" in reader["SeeTheTable"]["Resource"]
    assert reader["WriteAndReadTheResults"]["Resource"] == ["arn:aws:s3:::acme-results/q/*"]
    there = printed(tmp_path, "--account", "1" * 12, "--table-location", "s3://acme-billing/cur", sources=(ATHENA,))
    assert statements(there["table"]["reader_policy"])["ReadTheTable"]["Resource"] == ["arn:aws:s3:::acme-billing/cur/*"]


def test_nothing_is_for_everything_that_need_not_be(tmp_path: Path) -> None:
    made = printed(tmp_path, "--organizations", "--reports", "--invoices", "--kms-key", KEY, sources=(PAYER, PLAIN, ATHENA))
    for policies in made.values():
        for name, policy in policies.items():
            for item in policy["Statement"] if isinstance(policy, dict) else ():
                if item["Effect"] == "Deny":
                    continue
                assert not any("*" in action for action in item["Action"]), name
                assert "*" not in json.dumps(item.get("Principal", {})), name
                # Only actions that AWS knows for everything: https://docs.aws.amazon.com/service-authorization
                if "*" in item.get("Resource", []):
                    assert item["Sid"] in ("ReadTheOrganization", "FindTheReports", "ListTheInvoices")


@pytest.fixture
def iam() -> Iterator[Any]:
    with mock_aws():
        yield boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b").client("iam", region_name="us-east-1")


def test_iam_takes_every_policy_as_it_is_printed(tmp_path: Path, iam: Any) -> None:
    options = ("--organizations", "--reports", "--kms-key", KEY, "--principal", MACHINE, "--account", "1" * 12)
    for name, source in (("acme", PAYER), ("table", ATHENA)):
        made = printed(tmp_path, *options, sources=(source,))[name]
        trust = made.get("trust_policy", {"Version": "2012-10-17", "Statement": []})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        for part in ("reader_policy", "caller_policy"):
            if part in made:
                iam.put_role_policy(RoleName=name, PolicyName=part, PolicyDocument=json.dumps(made[part]))


@pytest.mark.parametrize("part", ["reader", "trust", "caller", "bucket"])
def test_one_part_is_printed_as_aws_takes_it(tmp_path: Path, part: str) -> None:
    assert printed(tmp_path, "--part", part) == printed(tmp_path)["acme"][f"{part}_policy"]


@pytest.mark.parametrize(
    ("arguments", "sources", "said"),
    [
        (("--source", "folder"), (FOLDER,), "Source folder of .* is not read from AWS"),
        (("--source", "nobody"), (PAYER,), "There is no source 'nobody'"),
        ((), (FOLDER, ELSEWHERE), "No source of .* is read from AWS"),
        (("--part", "reader"), (PAYER, PLAIN), "--part reader is of one source, and there are 2"),
        (("--part", "trust"), (PLAIN,), "Source plain needs no trust policy"),
    ],
)
def test_wrong_usage_exits_with_2_and_prints_no_policy(
    tmp_path: Path, arguments: tuple[str, ...], sources: tuple[str, ...], said: str
) -> None:
    result = invoke(tmp_path, *arguments, sources=sources)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(said, " ".join(result.stderr.split()))


def test_no_key_and_no_password_is_printed(tmp_path: Path) -> None:
    secret = (
        "- {name: a, kind: aws_cur, location: s3://b/p/r, access_key: AKIASECRET, secret_key: s3cret, "
        f"role_arn: '{READER}', proxy: 'http://u:pa55word@proxy:3128'}}"
    )
    text = invoke(tmp_path, sources=(secret,)).output
    assert not any(candidate in text for candidate in ("AKIASECRET", "s3cret", "pa55word"))


def test_a_reader_reads_with_the_printed_policy_and_nothing_beside_the_report(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path
) -> None:
    prefix = uuid.uuid4().hex
    admin: Any = s3_server.client()
    for name in ("hourly", "other"):
        admin.put_object(Bucket=s3_shared_bucket, Key=f"{prefix}/{name}/a.csv.gz", Body=b"a bill")
    place = f"s3://{s3_shared_bucket}/{prefix}/hourly"
    policy = printed(tmp_path, "--part", "reader", sources=(f"- {{name: a, kind: aws_cur, location: '{place}'}}",))
    given_place = {"location": place, "endpoint": s3_server.endpoint, "region": s3_server.region}
    source = AwsCurSettings.model_validate({"name": "a", "kind": "aws_cur", **given_place, **limited_to(s3_server, policy)})
    store = S3Store.of(source, attempts=1)
    (found,) = store.list(f"{prefix}/hourly/")
    assert store.read(found) == b"a bill"
    with pytest.raises(SourceError, match=r"denied.*policy aws"):
        store.head(f"{prefix}/other/a.csv.gz")


def test_the_policy_that_the_page_shows_is_the_printed_one(tmp_path: Path) -> None:
    shown = [json.loads(block.text) for block in blocks("json") if block.page.name == "configure-aws.md"]
    assert printed(tmp_path)["acme"]["reader_policy"] in shown
