"""What the store answers is told as cause and fix, in the words of ``lake.store`` and without a secret."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError, ProfileNotFound, SSLError
from pydantic import SecretStr

from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.lake.store_errors import StoreErrors
from cost_lakehouse.storage.s3_causes import S3Cause, S3Failure

STORE = StoreSettings(endpoint="https://store", access_key=SecretStr("planted-key"), secret_key=SecretStr("planted-secret"))
ERRORS = StoreErrors(STORE, "acme")


def said(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "problem", "fix"),
    [
        (said("NoSuchBucket"), "There is no bucket acme at https://store", "lake.warehouse"),
        (said("AccessDenied"), "Access to s3://acme/a is denied", "cost-lakehouse policy store"),
        (said("AccessDenied", "not authorized to perform: kms:GenerateDataKey"), "KMS key", "kms:GenerateDataKey"),
        (said("PermanentRedirect"), "in another region", "`region` of lake.store"),
        (said("AuthorizationHeaderMalformed"), "in another region", "`region` of lake.store"),
        (said("InvalidAccessKeyId"), "does not know the access key", "`access_key`"),
        (said("SignatureDoesNotMatch"), "does not fit its access key", "`secret_key`"),
        (said("ExpiredToken"), "have expired", "role"),
        (said("RequestTimeTooSkewed"), "clock is wrong", "NTP"),
        (said("SlowDown"), "overloaded", "run it again"),
        (said("BadDigest"), "was damaged on the way", "https://store"),
        (NoCredentialsError(), "No AWS credentials", "role"),
        (ProfileNotFound(profile="billing"), "no AWS profile", "AWS_PROFILE"),
        (SSLError(endpoint_url="https://store", error=OSError("bad")), "certificate is not trusted", "`ca_file`"),
        (ConnectTimeoutError(endpoint_url="https://store"), "https://store cannot be reached", "timeouts"),
        (said("Strange", "{planted-secret} and planted-key"), "Strange {***} and ***", "See the message"),
    ],
)
def test_each_cause_has_its_fix(error: S3Failure, problem: str, fix: str) -> None:
    told = ERRORS.explain(error, "s3://acme/a")
    assert problem in told.problem
    assert fix in told.fix
    assert "planted" not in str(told)


def test_every_cause_has_words() -> None:
    from cost_lakehouse.lake import store_errors

    assert set(store_errors._WORDS) == set(S3Cause)
