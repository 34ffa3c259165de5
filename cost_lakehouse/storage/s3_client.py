"""A boto3 client for one bucket: its endpoint, region and credentials (keys, profile, assumed roles, or boto3's own search)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.storage.aws_session import session_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_ATTEMPTS = 5
MAX_CONNECTIONS = 32


def make_s3_client(
    access: AwsAccess,
    attempts: int = DEFAULT_ATTEMPTS,
    connections: int = MAX_CONNECTIONS,
    *,
    requester_pays: bool = False,
) -> S3Client:
    """The client of the bucket; ``attempts`` counts the first try of a request too.

    With ``requester_pays`` every request says that whoever asks is to be billed for it. Raises botocore's errors (no such
    profile, no such region).
    """
    session, region = session_of(access)
    client = session.client(
        "s3", endpoint_url=access.endpoint, region_name=region, config=_config(access, attempts, connections)
    )
    if requester_pays:
        client.meta.events.register("before-call.s3", _let_requester_pay)
    return client


def _let_requester_pay(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["x-amz-request-payer"] = "requester"


def _config(access: AwsAccess, attempts: int, connections: int) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        # Stores other than AWS rarely serve bucket names as host names.
        s3={"addressing_style": "path"} if access.endpoint else None,
        # Many S3-compatible stores know nothing of AWS's newer checksums; gzip, zip and Parquet carry their own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
