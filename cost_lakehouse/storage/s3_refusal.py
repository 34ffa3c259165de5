"""What a few more requests tell of a bucket that refuses: who asked, and whether it is for not paying."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cost_lakehouse.config import SourceSettings
from cost_lakehouse.config.source import BucketSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_causes import S3_FAILURES, S3Cause, cause_of
from cost_lakehouse.storage.s3_client import make_s3_client
from cost_lakehouse.storage.s3_errors import StoreError
from cost_lakehouse.storage.s3_store import split_location


def explained(source: SourceSettings, error: SourceError) -> SourceError:
    """The error with what a few more requests tell of it: who is refused, and whether it is for not paying."""
    if not isinstance(error, StoreError) or error.cause is not S3Cause.DENIED or not isinstance(source, BucketSettings):
        return error
    if not source.requester_pays and _is_denied(source) and not _is_denied(source, requester_pays=True):
        bucket = split_location(source.location)[0]
        return StoreError(
            f"The requester pays for what is read from the bucket {bucket}, and {source.name} does not say that it will.",
            "Set `requester_pays: true` on the source; AWS then bills your account for its requests and transfer.",
            error.cause,
        )
    who = _caller(source)
    problem = f"{error.problem.removesuffix('.')}: it was asked for by {who}." if who else error.problem
    return StoreError(problem, error.fix, error.cause)


def _is_denied(source: BucketSettings, *, requester_pays: bool = False) -> bool:
    bucket, prefix = split_location(source.location)
    client = make_s3_client(source, 1, requester_pays=requester_pays)
    try:
        client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)
    except ClientError as error:
        return cause_of(error) is S3Cause.DENIED
    except S3_FAILURES:
        return False
    return False


def _caller(source: SourceSettings) -> str:
    """Whom AWS takes the source's credentials for, which nobody needs a right to ask; empty where it is not to be had."""
    if source.endpoint is not None and not source.role_arns:
        return ""  # Another store's keys are nothing to tell AWS.
    session, region = session_of(source)
    sts: Any = session.client("sts", region_name=source.sts_region or region, endpoint_url=source.sts_endpoint)
    try:
        return str(sts.get_caller_identity()["Arn"])
    except S3_FAILURES:
        return ""
