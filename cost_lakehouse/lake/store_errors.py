"""What went wrong with the warehouse's store, as cause and fix in the words of ``lake.store``. No message holds a secret."""

from __future__ import annotations

import os

from botocore.exceptions import ClientError, NoCredentialsError

from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.errors import LakeError, without_secrets
from cost_lakehouse.storage.s3_causes import S3Cause, S3Failure, cause_of, denied_by, said_by

_OWN_CREDENTIALS = (
    "Set `access_key` and `secret_key` of lake.store (as ${{NAME}}), or give this machine a role or credentials the AWS way."
)
_WORDS: dict[S3Cause, tuple[str, str]] = {
    S3Cause.NO_BUCKET: (
        "There is no bucket {bucket} at {endpoint}.",
        "Create it, or correct lake.warehouse (s3://bucket/prefix), or `endpoint` of lake.store if it is not at AWS.",
    ),
    S3Cause.DENIED: (
        "Access to {place} is denied.",
        "`cost-lakehouse policy store` prints the rights that are needed, and no more; bucket policies must allow them too.",
    ),
    S3Cause.KMS: (
        "{place}: these credentials may not use the KMS key.",
        "Allow kms:GenerateDataKey and kms:Decrypt on it, in the key's policy too; see `cost-lakehouse policy store`.",
    ),
    S3Cause.BAD_KEY: (
        "The store at {endpoint} does not know the access key that was sent for {place}.",
        "Correct `access_key` and `secret_key` of lake.store, or the environment's AWS credentials.",
    ),
    S3Cause.BAD_SECRET: (
        "The secret key does not fit its access key (asked for {place}).",
        "Correct `secret_key` of lake.store: copied whole, without blanks, of the same pair as `access_key`.",
    ),
    S3Cause.EXPIRED: (
        "The credentials for {place} have expired.",
        "Renew them, or leave `access_key` out and give this machine a role, which renews itself.",
    ),
    S3Cause.REGION: (
        "The bucket {bucket} is in another region than the one that was asked.",
        "Set `region` of lake.store to the bucket's region, and leave `endpoint` out for buckets at AWS.",
    ),
    S3Cause.CLOCK: (
        "The store at {endpoint} refuses requests because this machine's clock is wrong.",
        "Set the clock (NTP); S3 allows 15 minutes.",
    ),
    S3Cause.BUSY: (
        "The store at {endpoint} is overloaded or failing (asked for {place}).",
        "Nothing is lost: run it again. If it stays so, look at the store, at its free space, and at sse_type if it is set.",
    ),
    S3Cause.ARCHIVED: (
        "{place} is archived (Glacier) and cannot be read.",
        "Restore it, and exclude the lake from the bucket's archiving rule.",
    ),
    S3Cause.DAMAGED: (
        "{place} was damaged on the way: its checksum is not the one that was sent.",
        "Run it again; if it stays so, something between this machine and {endpoint} changes what is sent.",
    ),
    S3Cause.NOT_UNDERSTOOD: (
        "The answer to the request for {place} was not understood.",
        "Check `endpoint` (and `sts_endpoint`) of lake.store: the S3 service's own address, not its web page.",
    ),
    S3Cause.ROLE: (
        "The machine's role cannot be assumed to use {place}.",
        "Check the role's trust policy, the profile or web identity that names it, and `sts_endpoint`.",
    ),
    S3Cause.ROLE_RIGHT: (
        "The machine's role cannot be assumed to use {place}: no policy of who asks allows it.",
        "Allow sts:AssumeRole on it, in a policy of the profile or role that assumes it.",
    ),
    S3Cause.WEB_IDENTITY: (
        "AWS does not give a role to the web identity of this machine, to use {place}.",
        "The trust policy of the role in AWS_ROLE_ARN must allow the token's issuer, subject and audience.",
    ),
    S3Cause.TOKEN_FILE: (
        "The web identity's token file cannot be read, or is empty.",
        "Correct AWS_WEB_IDENTITY_TOKEN_FILE, and let this user read it.",
    ),
    S3Cause.STS_REGION: (
        "AWS's STS is not active in the region that was asked for credentials to use {place}.",
        "Set `sts_endpoint` of lake.store to that of a region where it is, or activate it in the account.",
    ),
    S3Cause.NO_CREDENTIALS: ("No AWS credentials were found to use {place}.", _OWN_CREDENTIALS),
    S3Cause.PARTIAL_CREDENTIALS: ("The AWS credentials to use {place} are incomplete.", _OWN_CREDENTIALS),
    S3Cause.NO_PROFILE: (
        "There is no AWS profile {profile!r} on this machine.",
        "Correct AWS_PROFILE, or add the profile to ~/.aws/config.",
    ),
    S3Cause.NOT_FETCHED: (
        "AWS credentials to use {place} could not be fetched.",
        "Look at what gives this machine its role (instance, container, web identity, `aws sso login`).",
    ),
    S3Cause.TLS: (
        "No secure connection to {endpoint}: its certificate is not trusted.",
        "Set `ca_file` of lake.store to the file of the authority that signed it.",
    ),
    S3Cause.PROXY: ("The proxy on the way to {endpoint} does not answer.", "Correct HTTPS_PROXY or NO_PROXY."),
    S3Cause.PROXY_LOGIN: (
        "The proxy on the way to {endpoint} wants another user and password.",
        "Correct HTTPS_PROXY: http://user:password@host:port, special characters as %XX.",
    ),
    S3Cause.PROXY_REFUSES: (
        "The proxy refuses to connect to {endpoint}.",
        "Let it pass on the store's host and, for roles, that of STS; or name the store in NO_PROXY.",
    ),
    S3Cause.UNREACHABLE: (
        "{endpoint} cannot be reached, or does not answer in time, for {place}.",
        "Check `endpoint`, `region` and the timeouts of lake.store, the network, and that the store is running.",
    ),
    S3Cause.INVALID: (
        "{place} cannot be asked for: the bucket's name or the region is not valid.",
        "Correct lake.warehouse, and `region` of lake.store.",
    ),
}


class StoreErrors:
    """Tells the errors of one bucket of the store."""

    def __init__(self, store: StoreSettings, bucket: str) -> None:
        self._secrets = store.secrets
        self._words = {"bucket": bucket, "endpoint": store.endpoint or "AWS", "profile": os.environ.get("AWS_PROFILE", "")}

    def explain(self, error: S3Failure, place: str) -> LakeError:
        """The error as cause and fix; ``place`` is what was asked for, such as ``s3://bucket/key``."""
        cause = cause_of(error)
        if cause is None:
            problem, fix = f"{place} cannot be used: {said_by(error)}.", "See the message; `cost-lakehouse doctor` says more."
        else:
            problem, fix = (item.format(**self._words, place=place) for item in _WORDS[cause])
            if cause is S3Cause.DENIED:
                said, more = denied_by(error)
                problem, fix = f"{problem}{said}", f"{fix}{more}"
        return LakeError(without_secrets(problem, self._secrets), without_secrets(fix, self._secrets))

    def explain_code(self, code: str, message: str, place: str) -> LakeError:
        """The same for an error that stands in an answer about many objects."""
        return self.explain(ClientError({"Error": {"Code": code, "Message": message}}, "DeleteObjects"), place)

    def no_credentials(self, place: str) -> LakeError:
        """Nothing to sign requests with."""
        return self.explain(NoCredentialsError(), place)
