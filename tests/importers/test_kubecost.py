"""What cloud-integration.json of Kubecost and OpenCost says, in its old schema and its new one."""

from __future__ import annotations

from typing import Any

import pytest

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.importers.entries import Bucket
from cost_lakehouse.importers.kubecost import parse_kubecost

ROLE = "arn:aws:iam::111122223333:role/kubecost"
HUB = "arn:aws:iam::444455556666:role/hub"
OLD = {
    "athenaBucketName": "s3://aws-athena-query-results-1/kubecost/",
    "athenaRegion": "us-east-1",
    "athenaDatabase": "athenacurcfn_hourly",
    "athenaTable": "hourly",
    "athenaWorkgroup": "billing",
    "projectID": "444455556666",
    "masterPayerARN": ROLE,
}
NEW = {
    "bucket": "aws-athena-query-results-1",
    "region": "us-east-1",
    "database": "athenacurcfn_hourly",
    "table": "hourly",
    "workgroup": "primary",
    "catalog": "AwsDataCatalog",
    "account": "111122223333",
}


def old(**other: Any) -> dict[str, Any]:
    return {"aws": [{**OLD, **other}]}


def new(kind: str = "athena", **other: Any) -> dict[str, Any]:
    return {"aws": {kind: [{**NEW, **other}]}}


def test_a_table_of_the_old_schema_is_named_by_the_account_of_the_payers_role() -> None:
    (entry,) = parse_kubecost(old()).entries
    assert (entry.place, entry.label, entry.bucket) == ("aws[0]", "aws-111122223333", None)
    assert entry.values == {
        "kind": "aws_athena",
        "region": "us-east-1",
        "role_arn": ROLE,
        "athena": {
            "database": "athenacurcfn_hourly",
            "table": "hourly",
            "workgroup": "billing",
            "results": "s3://aws-athena-query-results-1/kubecost",
        },
    }


def test_what_is_usual_or_empty_is_left_out() -> None:
    (entry,) = parse_kubecost(old(masterPayerARN="", athenaWorkgroup="primary", athenaBucketName="")).entries
    assert entry.label == "aws-444455556666"
    assert entry.values == {
        "kind": "aws_athena",
        "region": "us-east-1",
        "athena": {"database": "athenacurcfn_hourly", "table": "hourly"},
    }


def test_an_access_key_is_pointed_to() -> None:
    (entry,) = parse_kubecost(old(serviceKeyName="AKIAOWN", serviceKeySecret="s3cret")).entries
    assert entry.key_fields == ("aws[0].serviceKeyName", "aws[0].serviceKeySecret")
    assert "AKIAOWN" not in f"{entry}"
    assert "s3cret" not in f"{entry}"


def test_many_payers_keep_their_order() -> None:
    tables = [{**OLD, "athenaTable": f"cur_{number}", "masterPayerARN": ""} for number in range(50)]
    entries = parse_kubecost({"aws": tables}).entries
    assert [entry.values["athena"]["table"] for entry in entries] == [f"cur_{number}" for number in range(50)]


@pytest.mark.parametrize(
    ("authorizer", "role", "keys"),
    [
        ({"authorizerType": "AWSServiceAccount"}, None, ()),
        (
            {"authorizerType": "AWSAccessKey", "id": "AKIAOWN", "secret": "s3cret"},
            None,
            ("aws.athena[0].authorizer.id", "aws.athena[0].authorizer.secret"),
        ),
        (
            {"authorizerType": "AWSAssumeRole", "roleARN": ROLE, "authorizer": {"authorizerType": "AWSServiceAccount"}},
            ROLE,
            (),
        ),
        (
            {
                "authorizerType": "AWSAssumeRole",
                "roleARN": ROLE,
                "authorizer": {
                    "authorizerType": "AWSAssumeRole",
                    "roleARN": HUB,
                    "authorizer": {"authorizerType": "AWSAccessKey", "id": "AKIAOWN", "secret": "s3cret"},
                },
            },
            [HUB, ROLE],
            (
                "aws.athena[0].authorizer.authorizer.authorizer.id",
                "aws.athena[0].authorizer.authorizer.authorizer.secret",
            ),
        ),
    ],
    ids=["service account", "access key", "role", "role after role"],
)
def test_authorizers_of_the_new_schema(authorizer: dict[str, Any], role: Any, keys: tuple[str, ...]) -> None:
    (entry,) = parse_kubecost(new(authorizer=authorizer)).entries
    assert (entry.place, entry.label) == ("aws.athena[0]", "aws-111122223333")
    assert entry.values.get("role_arn") == role
    assert entry.values["athena"] == {
        "database": "athenacurcfn_hourly",
        "table": "hourly",
        "results": "s3://aws-athena-query-results-1",
    }
    assert entry.key_fields == keys
    assert "s3cret" not in f"{entry}"


def test_a_web_identity_is_told_with_what_it_needs() -> None:
    authorizer = {"authorizerType": "AWSWebIdentity", "roleARN": ROLE, "identityProvider": "Google"}
    (entry,) = parse_kubecost(new(authorizer=authorizer)).entries
    assert entry.values["role_arn"] == ROLE
    assert "web identity of Google" in entry.hints[0]
    assert "web_identity_token_file" in entry.hints[1]


def test_without_a_table_the_bucket_is_where_reports_are_looked_for() -> None:
    by_old = parse_kubecost(old(athenaDatabase="", athenaTable="", athenaBucketName="s3://acme-billing/cur/")).entries
    by_new = parse_kubecost(
        {"aws": {"s3": [{"bucket": "acme-billing", "region": "eu-west-1", "account": 111122223333}]}}
    ).entries
    assert [item.bucket for item in (*by_old, *by_new)] == [Bucket("acme-billing", "cur"), Bucket("acme-billing")]
    assert by_new[0].place == "aws.s3[0]"
    assert by_new[0].values == {"region": "eu-west-1"}
    assert by_new[0].label == "aws-111122223333"


def test_what_cannot_be_a_source_is_told_and_holds_back_no_other() -> None:
    listed = [{**OLD, "athenaTable": ""}, OLD, {"projectID": "1"}, "text"]
    payload = parse_kubecost({"aws": listed, "gcp": [{"key": "s3cret"}], "azure": []})
    assert [entry.place for entry in payload.entries] == ["aws[1]"]
    assert payload.wrong == [
        "aws[0]: its table in Athena has no table.",
        "aws[2]: it names neither a table nor a bucket.",
        "aws[3]: aws[3] is no JSON object.",
    ]
    assert payload.left_out == ["gcp: bills of Google Cloud are not read from what it says."]
    wrong = parse_kubecost(new(authorizer={"authorizerType": "Magic"})).wrong
    assert wrong == ["aws.athena[0]: its authorizerType 'Magic' is not known here."]


@pytest.mark.parametrize("document", [[], "text", {}, {"aws": "text"}, {"aws": {"athena": "text"}}, {"data": []}])
def test_another_document_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"no configuration of Kubecost.*cloud-integration.json"):
        parse_kubecost(document)
