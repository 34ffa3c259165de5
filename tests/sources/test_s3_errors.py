"""What a store that refuses, or does not answer, is told as: cause and fix, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, ReadTimeoutError, SSLError

from cost_lakehouse.storage.s3_causes import RoleRefused
from cost_lakehouse.storage.s3_errors import S3Errors
from cost_lakehouse.storage.s3_store import S3Store
from tests.services.ports import free_ports
from tests.services.s3 import S3Server
from tests.sources.s3_sources import SECRET, refused, source_of


def test_a_bucket_that_does_not_exist_is_named(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "no-such-bucket"))
    assert error.problem == f"There is no bucket no-such-bucket at {s3_server.endpoint}."
    assert "`location`" in error.fix


def test_a_bucket_name_that_cannot_exist_points_at_the_location(s3_server: S3Server) -> None:
    assert "`location`" in refused(source_of(s3_server, "Bad Bucket!")).fix


def test_an_unknown_access_key_is_told_without_showing_it(s3_server: S3Server, s3_shared_bucket: str) -> None:
    error = refused(source_of(s3_server, s3_shared_bucket, access_key="AKIAUNKNOWN", secret_key=SECRET))
    assert "does not know the access key" in error.problem
    assert SECRET not in str(error)
    assert "AKIAUNKNOWN" not in str(error)


def test_a_wrong_secret_key_is_told_without_showing_it(s3_server: S3Server, s3_shared_bucket: str) -> None:
    error = refused(source_of(s3_server, s3_shared_bucket, secret_key=SECRET))
    assert "secret key does not fit" in error.problem
    assert SECRET not in str(error)
    assert s3_server.access_key not in str(error)


def test_a_store_that_does_not_answer_is_named(s3_server: S3Server) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    error = refused(source_of(s3_server, "bucket", endpoint=endpoint))
    assert error.problem.startswith(f"{endpoint} cannot be reached")
    assert "`endpoint`" in error.fix


def test_an_endpoint_that_is_no_url_is_told_without_showing_it(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", endpoint=f"user:{SECRET}@host"))
    assert "`endpoint` is not a URL" in error.problem
    assert SECRET not in str(error)


@pytest.mark.usefixtures("no_own_credentials")
def test_a_machine_without_credentials_is_told_what_to_set(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", access_key=None, secret_key=None))
    assert "No AWS credentials were found to read s3://bucket/cur/" in error.problem
    assert "${NAME}" in error.fix


@pytest.mark.usefixtures("no_own_credentials")
def test_a_profile_that_does_not_exist_is_named(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", access_key=None, secret_key=None, profile="billing"))
    assert error.problem == "There is no AWS profile 'billing' on this machine."


@pytest.mark.usefixtures("no_own_credentials")
def test_a_source_without_a_region_can_be_read(s3_server: S3Server, s3_shared_bucket: str) -> None:
    assert S3Store.of(source_of(s3_server, s3_shared_bucket, region=None)).head("nothing") is None


EXPLAINED = [
    ("AccessDenied", "not authorized", "Access to s3://b/k is denied", "s3:ListBucket"),
    ("403", "Forbidden", "Access to s3://b/k is denied", "arn:aws:s3:::b/cur/hourly/*"),
    ("AccessDenied", "not authorized to perform: kms:Decrypt", "encrypted with a KMS key", "kms:Decrypt"),
    ("KMS.DisabledException", "disabled", "encrypted with a KMS key", "kms:Decrypt"),
    ("ExpiredToken", "expired", "have expired", "role_arn"),
    ("PermanentRedirect", "wrong endpoint", "in another region", "`region`"),
    ("AuthorizationHeaderMalformed", "expecting eu-west-1", "in another region", "`region`"),
    ("RequestTimeTooSkewed", "skew", "clock is wrong", "NTP"),
    ("SlowDown", "slow down", "overloaded", "next run"),
    ("InvalidObjectState", "archived", "Glacier", "Restore"),
    ("Unheard{Of}", f"said {SECRET}", "cannot be read: Unheard{Of} said ***", "doctor"),
]


@pytest.mark.parametrize(("code", "message", "problem", "fix"), EXPLAINED)
def test_a_refusal_is_told_as_cause_and_fix(code: str, message: str, problem: str, fix: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")
    told = S3Errors("b", prefix="cur/hourly", secrets=[SECRET]).explain(error, "s3://b/k")
    assert problem in told.problem
    assert fix in told.fix


ROLE = "arn:aws:iam::111122223333:role/r"
NOT_ALLOWED = f"User: arn:aws:iam::444455556666:user/u is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
REFUSED = [
    ("AccessDenied", NOT_ALLOWED, f"{ROLE} cannot be assumed by arn:aws:iam::444455556666:user/u.", "trust policy"),
    (
        "AccessDenied",
        f"{NOT_ALLOWED} because no identity-based policy allows the sts:AssumeRole action",
        "by arn:aws:iam::444455556666:user/u: no policy of who asks allows it.",
        "Allow sts:AssumeRole on arn:aws:iam::111122223333:role/r",
    ),
    ("ValidationError", f"not an id: {SECRET}", f"{ROLE} cannot be assumed.", "`role_arn`"),
    ("RegionDisabledException", "not activated", "STS is not active in the region", "`sts_region`"),
    ("Throttling", "Rate exceeded", "overloaded", "next run"),
    ("ExpiredToken", "expired", "have expired", "Renew"),
]


@pytest.mark.parametrize(("code", "message", "problem", "fix"), REFUSED)
def test_a_role_that_is_refused_is_told_by_what_sts_says(code: str, message: str, problem: str, fix: str) -> None:
    error = RoleRefused(ClientError({"Error": {"Code": code, "Message": message}}, "AssumeRole"), ROLE, (SECRET,))
    told = S3Errors("b", role=ROLE).explain(error, "s3://b/k")
    assert problem in told.problem
    assert fix in told.fix
    assert SECRET not in f"{error} {told}"


def test_a_region_that_the_answer_names_is_the_one_to_set() -> None:
    for response in (
        {"Error": {"Code": "AuthorizationHeaderMalformed", "Region": "eu-south-2"}},
        {"Error": {"Code": "301"}, "ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-south-2"}}},
    ):
        told = S3Errors("b").explain(ClientError(response, "HeadObject"), "s3://b/k")  # type: ignore[arg-type]
        assert told.fix.startswith("Set `region` to eu-south-2")
    foreign: Any = {"Error": {"Code": "301", "Region": "{endpoint} <b>"}}
    assert "Set `region` to the bucket's region" in S3Errors("b").explain(ClientError(foreign, "HeadObject"), "s3://b/k").fix


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (SSLError(endpoint_url="https://x", error=ValueError("self-signed")), "certificate is not trusted"),
        (ReadTimeoutError(endpoint_url="https://x"), "cannot be reached"),
        (CredentialRetrievalError(provider="sso", error_msg=SECRET), "could not be fetched"),
        (BotoCoreError(), "cannot be read"),
    ],
)
def test_a_failure_on_this_side_is_told_as_cause_and_fix(error: BotoCoreError, problem: str) -> None:
    told = S3Errors("b", secrets=[SECRET]).explain(error, "s3://b/k")
    assert problem in told.problem
    assert told.fix
    assert SECRET not in str(told)
