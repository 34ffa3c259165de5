"""Destinations that cannot take copies: a file in the way, and a bucket whose policy demands encryption headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import MirrorFailed
from cost_lakehouse.mirror.run import run_mirror
from cost_lakehouse.mirror.s3_destination import S3Destination

TENANCY = "ocid1.tenancy.oc1..aaaa"
DENIES = "User: arn:aws:iam::111122223333:user/m is not authorized to perform: s3:PutObject with an explicit deny in a policy"


class Bucket:
    """Takes what is encrypted as its policy demands; anything else it refuses as AWS does."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def list_objects_v2(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{}]

    def put_object(self, **given: Any) -> dict[str, Any]:
        self.sent.append(given)
        if given.get("ServerSideEncryption") is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": DENIES}}, "PutObject")
        return {"ETag": "x"}

    def delete_object(self, **_: Any) -> None:
        return None


def destination(bucket: Bucket, **given: Any) -> S3Destination:
    usual = {
        "name": "m",
        "tenancy": TENANCY,
        "destination": "s3://b",
        "region": "us-east-1",
        "access_key": "A",
        "secret_key": "S",
    }
    made = S3Destination.of(MirrorSettings.model_validate({**usual, **given}))
    made._client = made._store._client = bucket  # type: ignore[assignment]
    return made


def test_a_bucket_that_demands_encryption_is_told_and_then_asked_for_it() -> None:
    bucket = Bucket()
    with pytest.raises(MirrorFailed) as told:
        destination(bucket).probe()
    assert f"The store says: {DENIES}." in told.value.problem
    assert "set `sse_type` (and `kms_key_id` with SSE-KMS)" in told.value.fix
    destination(bucket, sse_type="SSE-S3").probe()
    destination(bucket, sse_type="SSE-KMS", kms_key_id="alias/bills").probe()
    asked = [(item.get("ServerSideEncryption"), item.get("SSEKMSKeyId")) for item in bucket.sent]
    assert asked == [(None, None), ("AES256", None), ("aws:kms", "alias/bills")]


@pytest.mark.parametrize("below", ["", "/reports"], ids=["itself", "above"])
def test_a_file_in_the_way_of_the_folder_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "copy").write_text("x", encoding="utf-8")
    text = f"mirrors: [{{name: m, tenancy: {TENANCY}, destination: copy{below}}}]\n"
    (tmp_path / "lakehouse.yaml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path / "lakehouse.yaml")
    with pytest.raises(MirrorFailed, match=r"copy is a file, where the mirror.s destination .* is to be a folder"):
        run_mirror(settings, settings.mirror("m"))
