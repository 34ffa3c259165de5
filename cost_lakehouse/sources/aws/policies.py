"""The statements by which a bill is delivered and read, and a role is assumed; deploy/terraform/aws says the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.config.source import AthenaSourceSettings, BucketSettings
from cost_lakehouse.sources.focus.layout import OCI_FOLDER
from cost_lakehouse.storage.s3_store import split_location

Statement = dict[str, Any]
Policy = dict[str, Any]

# AWS's services that write a Cost and Usage Report and a Data Export.
_DELIVER = ["billingreports.amazonaws.com", "bcm-data-exports.amazonaws.com"]
_ORGANIZATION = [
    "organizations:DescribeOrganization",
    "organizations:ListRoots",
    "organizations:ListAccounts",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
]
_TAGS = "organizations:ListTagsForResource"


NO_REGION = "<region: region of the source>"


@dataclass(frozen=True)
class Reader:
    """What lakehouse.yaml does not say of whoever reads a source: where AWS knows it, and what else it reads from."""

    account: str
    partition: str
    addresses: tuple[str, ...] = ()
    table_location: str | None = None


@dataclass(frozen=True)
class SourcePolicy:
    """What reading a source needs; ``delivered_to`` is the bucket that AWS writes it to, ``note`` what is left to be done."""

    read: list[Statement]
    delivered_to: str | None = None
    note: str = ""


def of_bucket(source: BucketSettings, reader: Reader, *, exported_by_aws: bool) -> SourcePolicy:
    """Of files below a location. AWS writes neither into a replica, nor Oracle's FOCUS reports, which have their folder."""
    bucket, prefix = split_location(source.location)
    read = _read("Report", f"arn:{reader.partition}:s3:::{bucket}", prefix, list(reader.addresses))
    is_copied = OCI_FOLDER in source.location.split("/") or getattr(source, "replica_of", None) is not None
    return SourcePolicy(read, bucket if exported_by_aws and not is_copied else None)


def of_table(source: AthenaSourceSettings, reader: Reader) -> SourcePolicy:
    """Of a table in Athena, and of its files where it is said where they lie."""
    region = source.athena.region or source.region or NO_REGION
    read = query_table(source.athena, reader.partition, region, reader.account)
    if reader.table_location:
        return SourcePolicy([*read, *read_table(reader.table_location, reader.partition)])
    note = "The table's own files have to be readable too: --table-location s3://bucket/prefix adds it."
    return SourcePolicy(read, note=note)


def policy(*parts: Iterable[Statement]) -> Policy:
    """The document that AWS takes."""
    return {"Version": "2012-10-17", "Statement": [item for part in parts for item in part]}


def statement(sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> Statement:
    """One that allows."""
    made: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**made, "Condition": condition} if condition else made


def read_table(location: str, partition: str) -> list[Statement]:
    """Read the files of an Athena table, as Athena does in its caller's name."""
    bucket, prefix = split_location(location)
    return _read("Table", f"arn:{partition}:s3:::{bucket}", prefix, [])


def _read(what: str, bucket: str, prefix: str, addresses: list[str]) -> list[Statement]:
    condition = {"IpAddress": {"aws:SourceIp": addresses}} if addresses else None
    below = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    return [
        statement(f"ListThe{what}", ["s3:ListBucket"], [bucket], condition),
        statement(f"ReadThe{what}", ["s3:GetObject"], [below], condition),
    ]


def decrypt(key: str | None) -> list[Statement]:
    """Use the bucket's KMS key."""
    return [statement("DecryptTheReport", ["kms:Decrypt"], [key])] if key else []


def query_table(athena: AthenaSettings, partition: str, region: str, account: str) -> list[Statement]:
    """Run queries in the workgroup, see the table, and write and read results."""
    here = f"{region}:{account}"
    glue = f"arn:{partition}:glue:{here}"
    statements = [
        statement(
            "QueryTheTable",
            [
                "athena:StartQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:StopQueryExecution",
            ],
            [f"arn:{partition}:athena:{here}:workgroup/{athena.workgroup}"],
        ),
        statement(
            "SeeTheCatalog", ["athena:GetTableMetadata"], [f"arn:{partition}:athena:{here}:datacatalog/{athena.catalog}"]
        ),
        statement(
            "SeeTheTable",
            ["glue:GetDatabase", "glue:GetTable", "glue:GetPartitions"],
            [
                f"{glue}:catalog",
                f"{glue}:database/{athena.database}",
                f"{glue}:table/{athena.database}/{athena.table}",
                f"{glue}:table/{athena.database}/cost_and_usage_data_status",  # AWS's own: whether it is at work
            ],
        ),
    ]
    if athena.results is None:
        return statements
    bucket, prefix = split_location(athena.results)
    arn = f"arn:{partition}:s3:::{bucket}"
    return [
        *statements,
        statement("FindTheResults", ["s3:GetBucketLocation", "s3:ListBucket"], [arn]),
        statement(
            "WriteAndReadTheResults",
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            [f"{arn}/{prefix}/*" if prefix else f"{arn}/*"],
        ),
    ]


def read_organization(tags: bool = True) -> list[Statement]:
    """The names of accounts and organisational units, and their ``tags``; asked for all of them."""
    return [statement("ReadTheOrganization", [*_ORGANIZATION, *([_TAGS] if tags else [])], ["*"])]


def list_invoices() -> list[Statement]:
    """See the invoices of the account that asks. AWS knows no narrower resource for it."""
    return [statement("ListTheInvoices", ["invoicing:ListInvoiceSummaries"], ["*"])]


def query_metrics(url: str, region: str, reader: Reader) -> list[Statement]:
    """Ask one workspace of Amazon Managed Service for Prometheus; its address ends with ``/workspaces/ID``."""
    found = re.search(r"/workspaces/([A-Za-z0-9-]+)$", url)
    workspace = found[1] if found else "<id of the workspace>"
    return [
        statement(
            "AskTheMetrics",
            ["aps:QueryMetrics"],
            [f"arn:{reader.partition}:aps:{region}:{reader.account}:workspace/{workspace}"],
        )
    ]


def find_reports(partition: str, account: str) -> list[Statement]:
    """Which reports and exports the account has; listing knows no resources."""
    region = "cn-northwest-1" if partition == "aws-cn" else "us-east-1"
    exports = f"arn:{partition}:bcm-data-exports:{region}:{account}:export/*"
    return [
        statement("FindTheReports", ["cur:DescribeReportDefinitions", "bcm-data-exports:ListExports"], ["*"]),
        statement("SeeTheExports", ["bcm-data-exports:GetExport"], [exports]),
    ]


def assume(role: str) -> Policy:
    """What whoever asks for a role needs."""
    return policy([statement("AssumeTheReader", ["sts:AssumeRole"], [role])])


def trust(principals: list[str], external_id: str | None, addresses: list[str]) -> Policy:
    """Who may assume a role: the named, with the external id, from the addresses."""
    condition: dict[str, Any] = {}
    if external_id is not None:
        condition["StringEquals"] = {"sts:ExternalId": [external_id]}
    if addresses:
        condition["IpAddress"] = {"aws:SourceIp": addresses}
    made: Statement = {
        "Sid": "AssumeWithExternalId" if external_id is not None else "Assume",
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": ["sts:AssumeRole"],
    }
    return policy([{**made, "Condition": condition} if condition else made])


def trust_web_identity(provider: str, issuer: str, subject: str, audience: str) -> Policy:
    """One identity of one issuer, and nobody else of it, may assume a role."""
    return policy(
        [
            {
                "Sid": "AssumeWithWebIdentity",
                "Effect": "Allow",
                "Principal": {"Federated": [provider]},
                "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Condition": {"StringEquals": {f"{issuer}:sub": [subject], f"{issuer}:aud": [audience]}},
            }
        ]
    )


def deliver(bucket: str, partition: str, account: str) -> Policy:
    """AWS writes the account's reports to the bucket, nobody else's, and nothing goes there without TLS."""
    arn = f"arn:{partition}:s3:::{bucket}"
    only_ours = {
        "StringEquals": {"aws:SourceAccount": [account]},
        "ArnLike": {
            "aws:SourceArn": [
                f"arn:{partition}:cur:us-east-1:{account}:definition/*",
                f"arn:{partition}:bcm-data-exports:us-east-1:{account}:export/*",
            ]
        },
    }
    services = {"Service": list(_DELIVER)}
    return policy(
        [
            {
                "Sid": "NothingWithoutTls",
                "Effect": "Deny",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:*"],
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
            },
            {
                "Sid": "AwsLooksAtTheBucket",
                "Effect": "Allow",
                "Principal": services,
                "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy"],
                "Resource": [arn],
                "Condition": only_ours,
            },
            {
                "Sid": "AwsDelivers",
                "Effect": "Allow",
                "Principal": services,
                "Action": ["s3:PutObject"],
                "Resource": [f"{arn}/*"],
                "Condition": only_ours,
            },
        ]
    )
