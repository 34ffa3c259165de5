"""What went wrong with a source's bucket, told as cause and fix. No message holds a key, a token or an external id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cost_lakehouse.errors import SourceError
from cost_lakehouse.s3_causes import S3Cause, S3Failure, cause_of, said_by, without_secrets

_OWN_CREDENTIALS = (
    "Set `profile`, or `access_key` and `secret_key` (as ${{NAME}}), or give this machine credentials the AWS way."
)
_WORDS: dict[S3Cause, tuple[str, str]] = {
    S3Cause.NO_BUCKET: (
        "There is no bucket {bucket} at {endpoint}.",
        "Correct `location` (s3://bucket/prefix/report), or `endpoint` if the bucket is not at AWS.",
    ),
    S3Cause.DENIED: (
        "Access to {place} is denied.",
        "Its policies must allow s3:ListBucket on arn:aws:s3:::{bucket}, s3:GetObject on arn:aws:s3:::{bucket}/{prefix}*.",
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
        "Set `region` to the bucket's region, and leave `endpoint` out for buckets at AWS.",
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
        "The role {role} cannot be assumed.",
        "Check `role_arn` and `external_id`, the role's trust policy, and that the own credentials may call sts:AssumeRole on "
        "it.",
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
    S3Cause.PROXY: ("The proxy on the way to {endpoint} does not answer.", "Correct HTTPS_PROXY or NO_PROXY."),
    S3Cause.UNREACHABLE: (
        "{endpoint} cannot be reached to read {place}.",
        "Check `endpoint`, `region`, the network, and that the store is running.",
    ),
    S3Cause.INVALID: (
        "{place} cannot be asked for: the bucket's name or the region is not valid.",
        "Correct `location` and `region`.",
    ),
}


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
        role: str | None = None,
        secrets: Iterable[str] = (),
        words: Mapping[S3Cause, tuple[str, str]] | None = None,
    ) -> None:
        self._told = {**_WORDS, **(words or {})}
        self._secrets = tuple(each for each in secrets if each)
        self._words = {
            "bucket": bucket,
            "prefix": f"{prefix}/" if prefix else "",
            "endpoint": endpoint or "AWS",
            "profile": profile,
            "role": role,
        }

    def explain(self, error: S3Failure, place: str) -> SourceError:
        """The error as cause and fix; ``place`` is what was asked for, such as ``s3://bucket/key``."""
        cause = cause_of(error)
        if cause is None or cause not in self._told:
            problem = f"{place} cannot be read: {said_by(error)}."
            fix = "See the message; `cost-lakehouse doctor` checks the source step by step."
        else:
            problem, fix = (each.format(**self._words, place=place) for each in self._told[cause])
        return SourceError(without_secrets(problem, self._secrets), without_secrets(fix, self._secrets))
