"""``cost-lakehouse policy``: the rights that a process needs, and no more, as AWS's IAM or PostgreSQL takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.errors import ConfigurationError

_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")


def print_store_policy(config: Path | None) -> int:
    """Print the policy of the process that writes the configured store; the exit code.

    Raises ConfigurationError where the warehouse is a folder.
    """
    settings = settings_of(config)
    if not settings.lake.is_s3:
        raise ConfigurationError(
            f"The warehouse of {settings.file} is a folder, which needs no policy.",
            "Set lake.warehouse to s3://bucket/prefix to keep the lake in a store.",
        )
    print(json.dumps(store_policy(settings.lake.warehouse, settings.store), indent=2))  # noqa: T201  # the result
    return 0


def print_postgres_policy(config: Path | None, reader: str) -> int:
    """Print the SQL that grants what publishing to PostgreSQL needs; the exit code.

    Raises ConfigurationError where no database is configured.
    """
    from cost_lakehouse.publish.postgres.tables import policy

    settings = settings_of(config)
    database = settings.publish.postgres
    if database is None:
        raise ConfigurationError(
            f"{settings.file} publishes to no PostgreSQL.", "Add `publish: {postgres: ...}`; see docs/postgres.md."
        )
    print("\n".join(policy(database.schema_name, database.database, database.user, reader)))  # noqa: T201  # the result
    return 0


def store_policy(warehouse: str, store: StoreSettings) -> dict[str, Any]:
    """List, read, write and delete below the warehouse's prefix; what its options need besides, and nothing else."""
    bucket, _, prefix = warehouse.removeprefix("s3://").rstrip("/").partition("/")
    partition = partition_of(store.region)
    lists: dict[str, Any] = {
        "Sid": "ListTheLake",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:{partition}:s3:::{bucket}"],
    }
    if prefix:
        lists["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}/*"]}}
    objects = {
        "Sid": "ReadAndWriteTheLake",
        "Effect": "Allow",
        "Action": [*_OBJECTS, *_of_headers(store)],
        "Resource": [f"arn:{partition}:s3:::{bucket}/{prefix}/*" if prefix else f"arn:{partition}:s3:::{bucket}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [lists, objects, *_of_encryption(store, partition)]}


def _of_headers(store: StoreSettings) -> list[str]:
    given = store.object_parameters()
    rights = ["s3:PutObjectAcl"] if store.grants_rights else []
    return [*rights, "s3:PutObjectTagging"] if "Tagging" in given else rights


def _of_encryption(store: StoreSettings, partition: str) -> list[dict[str, Any]]:
    key = store.kms_key_id
    if key is None:
        return []
    statement: dict[str, Any] = {
        "Sid": "UseTheLakesKey",
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
    }
    if ":alias/" in key or key.startswith("alias/"):  # A policy cannot name an alias as resource.
        statement["Resource"] = [f"arn:{partition}:kms:{store.region or '*'}:*:key/*"]
        alias = key.rpartition(":")[2]
        statement["Condition"] = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": [alias]}}
    else:
        statement["Resource"] = [key if key.startswith("arn:") else f"arn:{partition}:kms:{store.region or '*'}:*:key/{key}"]
    return [statement]


def partition_of(region: str | None) -> str:
    """AWS's own name for its separate worlds."""
    if (region or "").startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if (region or "").startswith("us-gov-") else "aws"
