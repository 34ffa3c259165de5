"""What went wrong with a source's bucket, told as cause and fix. No message holds a key, a token or an external id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.errors import SourceError, without_secrets
from cost_lakehouse.storage.s3_causes import (
    RoleRefused,
    S3Cause,
    S3Failure,
    TokenUnreadable,
    cause_of,
    denied_by,
    host_of,
    region_of,
    said_by,
)

_OWN_CREDENTIALS = (
    "Set `profile`, or `access_key` and `secret_key` (as ${{NAME}}), or give this machine credentials the AWS way."
)
_OTHER_EXTERNAL_ID = "`external_id` may be another one than the role's trust policy demands (sts:ExternalId)."
_NO_EXTERNAL_ID = "if the role's trust policy demands an external id (sts:ExternalId), set `external_id`."
_WORDS: dict[S3Cause, tuple[str, str]] = {
    S3Cause.NO_BUCKET: (
        "There is no bucket {bucket} at {endpoint}.",
        "Correct `location` (s3://bucket/prefix/report), or `endpoint` if the bucket is not at AWS.",
    ),
    S3Cause.DENIED: (
        "Access to {place} is denied.",
        "Its policies must allow s3:ListBucket on arn:aws:s3:::{bucket}, s3:GetObject on arn:aws:s3:::{bucket}/{prefix}*: "
        "`cost-lakehouse policy aws` prints them. Where whoever reads is to pay for it, set `requester_pays: true`.",
    ),
    S3Cause.KMS: (
        "{place} is encrypted with a KMS key that these credentials may not use.",
        "Allow kms:Decrypt on the bucket's key, in the key's policy too.",
    ),
    S3Cause.BAD_KEY: (
        "The store at {endpoint} does not know the access key that was sent for {place}.",
        "Correct `access_key` and `secret_key`, or `profile`, or the environment's AWS credentials.",
    ),
    S3Cause.BAD_SECRET: (
        "The secret key does not fit its access key (asked for {place}).",
        "Correct `secret_key`: copied whole, without blanks, of the same pair as `access_key`.",
    ),
    S3Cause.EXPIRED: (
        "The credentials for {place} have expired.",
        "Renew them (`aws sso login`, new keys), or give `role_arn`, which renews itself.",
    ),
    S3Cause.REGION: (
        "The bucket {bucket} is in another region than the one that was asked.",
        "Set `region` to {own_region}, and leave `endpoint` out for buckets at AWS.",
    ),
    S3Cause.CLOCK: (
        "The store at {endpoint} refuses requests because this machine's clock is wrong.",
        "Set the clock (NTP); S3 allows 15 minutes.",
    ),
    S3Cause.BUSY: (
        "The store at {endpoint} is overloaded or failing.",
        "Nothing is lost: the next run tries again. If it stays so, check `endpoint`.",
    ),
    S3Cause.ARCHIVED: (
        "{place} is archived (Glacier) and cannot be read.",
        "Restore it, or exclude bills from the bucket's archiving rule.",
    ),
    S3Cause.NOT_UNDERSTOOD: (
        "The answer to the request for {place} was not understood.",
        "Check `endpoint` (and AWS_ENDPOINT_URL_STS if it is set): a service's own address, not its web page.",
    ),
    S3Cause.ROLE: (
        "The role {role} cannot be assumed{by_caller}.",
        "AWS does not say what is wrong: {external_id} The role's trust policy must name who asks, and whoever asks must be "
        "allowed sts:AssumeRole on it: `cost-lakehouse policy aws` prints both. Check `role_arn` too.",
    ),
    S3Cause.ROLE_RIGHT: (
        "The role {role} cannot be assumed{by_caller}: no policy of who asks allows it.",
        "Allow sts:AssumeRole on {role}; `cost-lakehouse policy aws` prints the policy.",
    ),
    S3Cause.WEB_IDENTITY: (
        "AWS does not give the role {role} to the web identity of this machine.",
        "The role's trust policy must allow sts:AssumeRoleWithWebIdentity to the token's issuer, subject and audience, and the "
        "token must not have expired.",
    ),
    S3Cause.TOKEN_FILE: (
        "The web identity's token file {token_file} cannot be read, or is empty.",
        "Correct `web_identity_token_file` (or AWS_WEB_IDENTITY_TOKEN_FILE), and let this user read it.",
    ),
    S3Cause.STS_REGION: (
        "AWS's STS is not active in the region that was asked for credentials to read {place}.",
        "Set `sts_region` to one that is, such as us-east-1, or activate it in the account.",
    ),
    S3Cause.NO_CREDENTIALS: ("No AWS credentials were found to read {place}.", _OWN_CREDENTIALS),
    S3Cause.PARTIAL_CREDENTIALS: ("The AWS credentials to read {place} are incomplete.", _OWN_CREDENTIALS),
    S3Cause.NO_PROFILE: (
        "There is no AWS profile {profile!r} on this machine.",
        "Correct `profile`, or add it to ~/.aws/config.",
    ),
    S3Cause.NOT_FETCHED: (
        "AWS credentials to read {place} could not be fetched.",
        "Log in again (`aws sso login`) or correct the profile.",
    ),
    S3Cause.TLS: (
        "No secure connection to {endpoint}: its certificate is not trusted.",
        "Set AWS_CA_BUNDLE to the authority's file.",
    ),
    S3Cause.PROXY: (
        "The proxy on the way to {endpoint} does not answer.",
        "Check that it runs, and correct `proxy`; without it HTTPS_PROXY and NO_PROXY count.",
    ),
    S3Cause.PROXY_LOGIN: (
        "The proxy on the way to {endpoint} wants another user and password.",
        "Write `proxy: http://user:${{PASSWORD}}@host:port`, special characters as %XX.",
    ),
    S3Cause.PROXY_REFUSES: (
        "The proxy refuses to connect to {host}.",
        "Let it pass on the hosts of S3 and of STS; AWS lists them by region.",
    ),
    S3Cause.UNREACHABLE: (
        "{host} cannot be reached to read {place}.",
        "Check `endpoint`, `region`, `proxy`, the network, and that the store is running.",
    ),
    S3Cause.INVALID: (
        "{place} cannot be asked for: the bucket's name or the region is not valid.",
        "Correct `location` and `region`.",
    ),
}


class StoreError(SourceError):
    """A SourceError of a bucket, with its ``cause`` where one is known."""

    def __init__(self, problem: str, fix: str, cause: S3Cause | None) -> None:
        super().__init__(problem, fix)
        self.cause = cause


class S3Errors:
    """Tells the errors of one bucket. ``secrets`` are cut out of whatever a store or library says.

    ``words`` says some causes in words of its own: problem and fix each.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        prefix: str = "",
        profile: str | None = None,
        role: str | tuple[str, ...] | None = None,
        secrets: Iterable[str] = (),
        words: Mapping[S3Cause, tuple[str, str]] | None = None,
        sends_external_id: bool = False,
    ) -> None:
        self._told = {**_WORDS, **(words or {})}
        self._secrets = tuple(secret for secret in secrets if secret)
        self._words = {
            "bucket": bucket,
            "prefix": f"{prefix}/" if prefix else "",
            "endpoint": endpoint or "AWS",
            "profile": profile,
            "role": role if isinstance(role, str) else ", ".join(role or ()),
            "external_id": _OTHER_EXTERNAL_ID if sends_external_id else _NO_EXTERNAL_ID,
        }

    @classmethod
    def of(cls, access: AwsAccess, bucket: str, prefix: str, words: Mapping[S3Cause, tuple[str, str]] | None = None) -> Self:
        """The errors of the bucket that is reached so."""
        return cls(
            bucket,
            endpoint=access.endpoint,
            prefix=prefix,
            profile=access.profile,
            role=access.role_arn,
            secrets=access.secrets,
            words=words,
            sends_external_id=access.external_id is not None,
        )

    def explain(self, error: S3Failure, place: str) -> StoreError:
        """The error as cause and fix; ``place`` is what was asked for, such as ``s3://bucket/key``."""
        cause = cause_of(error)
        if cause is None or cause not in self._told:
            problem = f"{place} cannot be read: {said_by(error)}."
            fix = "See the message; `cost-lakehouse doctor` checks the source step by step."
        else:
            words = {**self._words, **self._words_of(error)}
            problem, fix = (candidate.format(**words, place=place) for candidate in self._told[cause])
            if cause is S3Cause.DENIED:
                said, more = denied_by(error)
                problem, fix = f"{problem}{said}", f"{fix}{more}"
        return StoreError(without_secrets(problem, self._secrets), without_secrets(fix, self._secrets), cause)

    def _words_of(self, error: S3Failure) -> dict[str, str]:
        words = {
            "host": host_of(error) or str(self._words["endpoint"]),
            "own_region": region_of(error) or "the bucket's region",
            "token_file": error.file if isinstance(error, TokenUnreadable) else "",
            "by_caller": "",
        }
        if isinstance(error, RoleRefused):
            words["role"] = error.role
            words["by_caller"] = f" by {error.caller}" if error.caller else ""
        elif cause_of(error) is S3Cause.WEB_IDENTITY:
            words["role"] = "of AWS_ROLE_ARN, or of the profile,"
        return words
