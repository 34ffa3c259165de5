"""The printed policy is enough for the lake and for nothing else: the real S3 server holds a user to it."""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from cost_lakehouse.config import load_settings
from cost_lakehouse.config.store import SMALLEST_PART
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.lake.stores import store_of
from tests.services.s3 import S3Server


def config_of(tmp_path: Path, lake: str) -> Path:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(f"lake: {{{lake}}}")
    return file


def printed(config: Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["policy", "store", "--config", str(config)])
    assert (result.exit_code, result.stderr) == (0, "")
    policy: dict[str, Any] = json.loads(result.stdout)
    return policy


def actions(policy: dict[str, Any]) -> dict[str, list[str]]:
    return {item["Sid"]: item["Action"] for item in policy["Statement"]}


def test_only_the_prefix_is_named(tmp_path: Path) -> None:
    policy = printed(config_of(tmp_path, "warehouse: s3://acme/lake/warehouse"))
    assert actions(policy) == {
        "ListTheLake": ["s3:ListBucket"],
        "ReadAndWriteTheLake": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
    }
    assert [item["Resource"] for item in policy["Statement"]] == [["arn:aws:s3:::acme"], ["arn:aws:s3:::acme/lake/warehouse/*"]]
    assert policy["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": ["lake/warehouse/*"]}}


def test_a_bucket_of_its_own_has_no_prefix(tmp_path: Path) -> None:
    policy = printed(config_of(tmp_path, "warehouse: s3://acme, store: {region: cn-north-1}"))
    assert [item["Resource"] for item in policy["Statement"]] == [["arn:aws-cn:s3:::acme"], ["arn:aws-cn:s3:::acme/*"]]
    assert "Condition" not in policy["Statement"][0]


def test_options_that_need_more_rights_get_them(tmp_path: Path) -> None:
    store = "put_user_metadata: {X-Amz-Acl: private, X-Amz-Tagging: a=b}, sse_type: SSE-KMS, kms_key_id: %s, region: eu-west-1"
    policy = printed(config_of(tmp_path, "warehouse: s3://acme/lake, store: {" + store % "key-1" + "}"))
    assert actions(policy)["ReadAndWriteTheLake"][-2:] == ["s3:PutObjectAcl", "s3:PutObjectTagging"]
    assert actions(policy)["UseTheLakesKey"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert policy["Statement"][-1]["Resource"] == ["arn:aws:kms:eu-west-1:*:key/key-1"]
    alias = printed(config_of(tmp_path, "warehouse: s3://acme/lake, store: {" + store % "alias/lake" + "}"))
    assert alias["Statement"][-1]["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/lake"]}}


def test_a_folder_needs_no_policy(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["policy", "store", "--config", str(config_of(tmp_path, "warehouse: lake"))])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is a folder" in result.stderr


def limited_to(server: S3Server, policy: dict[str, Any]) -> dict[str, str]:
    """The keys of a new user who may do what the policy says."""
    iam: Any = boto3.session.Session().client(
        "iam",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    user = f"limited-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="store", PolicyDocument=json.dumps(policy))
    keys = iam.create_access_key(UserName=user)["AccessKey"]
    return {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"]}


def test_the_lake_works_with_these_rights_and_no_others(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    prefix = uuid.uuid4().hex
    location = f"s3://{s3_shared_bucket}/{prefix}"
    keys = limited_to(s3_server, printed(config_of(tmp_path, f"warehouse: {location}")))
    store = f"endpoint: '{s3_server.endpoint}', region: us-east-1, part_size: {SMALLEST_PART}, access_key: {keys['access_key']}"
    config = config_of(
        tmp_path, f"warehouse: {location}, store: {{{store}, secret_key: '{keys['secret_key']}'}}, catalog: 'sqlite:///c.db'"
    )
    lake = Lake(load_settings(config))  # creates every raw table
    warehouse = lake.warehouse
    with warehouse.writing("raw/t/data", "load-1") as folder:
        pq.write_table(pa.table({"a": [1, 2]}), folder / "small.parquet")
        (folder / "large.parquet").write_bytes(bytes(2 * SMALLEST_PART))
        small, large = warehouse.keep([folder / "small.parquet", folder / "large.parquet"], "raw/t/data")
    with duckdb.connect(":memory:") as connection:
        warehouse.let_duckdb_read(connection)
        assert connection.execute(f"select sum(a)::int from read_parquet('{small}')").fetchone() == (3,)
    warehouse.delete([large])
    assert [entry.location for entry in warehouse.list("raw/t")] == [small]
    assert not warehouse.file_io.new_input(large).exists()
    assert len(lake.table("raw.receipts").metadata.snapshots) == 0

    outside = S3Warehouse(f"s3://{s3_shared_bucket}/{prefix}-other", store_of(s3_server, **keys))
    with pytest.raises(LakeError, match="policy store"):
        outside.list("")
    with pytest.raises(LakeError, match="policy store"):
        outside.file_io.new_output(f"{outside.location}/a").create().close()
    with pytest.raises(LakeError, match="policy store"):
        outside.delete([f"{outside.location}/a"])
    client: Any = outside._client
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_bucket(Bucket=s3_shared_bucket)
