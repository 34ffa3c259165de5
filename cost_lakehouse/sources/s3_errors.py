"""What an S3 store or AWS's credentials answered, told as cause and fix. No message holds a key, a token or an external id."""

from __future__ import annotations

from collections.abc import Iterable

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cost_lakehouse.errors import SourceError

# Everything a boto3 call raises; an answer that botocore cannot parse (a web page, say) is an error outside of its family.
S3_FAILURES = (ClientError, BotoCoreError, ResponseParserError)
S3Failure = ClientError | BotoCoreError | ResponseParserError
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
PRECONDITION_FAILED = frozenset({"412", "PreconditionFailed"})

_NO_BUCKET = (
    "There is no bucket {bucket} at {endpoint}.",
    "Correct `location` (s3://bucket/prefix/report), or `endpoint` if the bucket is not at AWS.",
)
_DENIED = (
    "Access to {place} is denied.",
    "Its policies must allow s3:ListBucket on arn:aws:s3:::{bucket}, s3:GetObject on arn:aws:s3:::{bucket}/{prefix}*.",
)
_KMS = (
    "{place} is encrypted with a KMS key that these credentials may not use.",
    "Allow kms:Decrypt on the bucket's key, in the key's policy too.",
)
_BAD_KEY = (
    "The store at {endpoint} does not know the access key that was sent for {place}.",
    "Correct `access_key` and `secret_key`, or `profile`, or the environment's AWS credentials.",
)
_BAD_SECRET = (
    "The secret key does not fit its access key (asked for {place}).",
    "Correct `secret_key`: copied whole, without blanks, of the same pair as `access_key`.",
)
_EXPIRED = (
    "The credentials for {place} have expired.",
    "Renew them (`aws sso login`, new keys), or give `role_arn`, which renews itself.",
)
_REGION = (
    "The bucket {bucket} is in another region than the one that was asked.",
    "Set `region` to the bucket's region, and leave `endpoint` out for buckets at AWS.",
)
_CLOCK = (
    "The store at {endpoint} refuses requests because this machine's clock is wrong.",
    "Set the clock (NTP); S3 allows 15 minutes.",
)
_BUSY = (
    "The store at {endpoint} is overloaded or failing.",
    "Nothing is lost: the next run tries again. If it stays so, check `endpoint`.",
)
_ARCHIVED = (
    "{place} is archived (Glacier) and cannot be read.",
    "Restore it, or exclude bills from the bucket's archiving rule.",
)
_NOT_UNDERSTOOD = (
    "The answer to the request for {place} was not understood.",
    "Check `endpoint` (and AWS_ENDPOINT_URL_STS if it is set): a service's own address, not its web page.",
)
_ROLE = (
    "The role {role} cannot be assumed.",
    "Check `role_arn` and `external_id`, the role's trust policy, and that the own credentials may call sts:AssumeRole on it.",
)

_BY_CODE: dict[str, tuple[str, str]] = {
    "NoSuchBucket": _NO_BUCKET,
    "404": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "403": _DENIED,
    "InvalidAccessKeyId": _BAD_KEY,
    "InvalidClientTokenId": _BAD_KEY,
    "UnrecognizedClientException": _BAD_KEY,
    "InvalidToken": _BAD_KEY,
    "SignatureDoesNotMatch": _BAD_SECRET,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "PermanentRedirect": _REGION,
    "301": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "RequestTimeTooSkewed": _CLOCK,
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
    "RequestTimeout": _BUSY,
    "Throttling": _BUSY,
    "500": _BUSY,
    "503": _BUSY,
    "InvalidObjectState": _ARCHIVED,
}

_OWN_CREDENTIALS = (
    "Set `profile`, or `access_key` and `secret_key` (as ${{NAME}}), or give this machine credentials the AWS way."
)
_BY_TYPE: tuple[tuple[type[BotoCoreError] | tuple[type[BotoCoreError], ...], tuple[str, str]], ...] = (
    (boto.NoCredentialsError, ("No AWS credentials were found to read {place}.", _OWN_CREDENTIALS)),
    (boto.PartialCredentialsError, ("The AWS credentials to read {place} are incomplete.", _OWN_CREDENTIALS)),
    (
        boto.ProfileNotFound,
        ("There is no AWS profile {profile!r} on this machine.", "Correct `profile`, or add it to ~/.aws/config."),
    ),
    (
        (boto.TokenRetrievalError, boto.SSOError, boto.UnauthorizedSSOTokenError, boto.CredentialRetrievalError),
        ("AWS credentials to read {place} could not be fetched.", "Log in again (`aws sso login`) or correct the profile."),
    ),
    (
        boto.SSLError,
        ("No secure connection to {endpoint}: its certificate is not trusted.", "Set AWS_CA_BUNDLE to the authority's file."),
    ),
    (boto.ProxyConnectionError, ("The proxy on the way to {endpoint} does not answer.", "Correct HTTPS_PROXY or NO_PROXY.")),
    (
        (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ConnectionClosedError, boto.HTTPClientError),
        (
            "{endpoint} cannot be reached to read {place}.",
            "Check `endpoint`, `region`, the network, and that the store is running.",
        ),
    ),
    (
        (boto.ParamValidationError, boto.InvalidRegionError, boto.NoRegionError),
        ("{place} cannot be asked for: the bucket's name or the region is not valid.", "Correct `location` and `region`."),
    ),
)


def error_code(error: ClientError) -> str:
    """S3's own word for what went wrong; a HEAD request only has the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


class S3Errors:
    """Tells the errors of one bucket. ``secrets`` are cut out of whatever a store or library says."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        prefix: str = "",
        profile: str | None = None,
        role: str | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
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
        problem, fix = self._template(error)
        words = {**self._words, "place": place}
        return SourceError(self._without_secrets(problem.format(**words)), self._without_secrets(fix.format(**words)))

    def _template(self, error: S3Failure) -> tuple[str, str]:
        if isinstance(error, ClientError):
            code = error_code(error)
            message = str(error.response.get("Error", {}).get("Message", ""))
            if error.operation_name == "AssumeRole" and code not in (
                "ExpiredToken",
                "InvalidClientTokenId",
                "SignatureDoesNotMatch",
            ):
                return _ROLE
            if code.startswith("KMS.") or (code in ("AccessDenied", "403") and "kms" in message.lower()):
                return _KMS
            if code in _BY_CODE:
                return _BY_CODE[code]
            return _literal(f"{code} {message}".strip())
        if isinstance(error, ResponseParserError):
            return _NOT_UNDERSTOOD
        for kind, words in _BY_TYPE:
            if isinstance(error, kind):
                return words
        return _literal(str(error))

    def _without_secrets(self, text: str) -> str:
        for each in self._secrets:
            text = text.replace(each, "***")
        return text


def _literal(said: str) -> tuple[str, str]:
    """An error that nobody here knows: what the store said, kept from being read as a template."""
    quoted = said.replace("{", "{{").replace("}", "}}")
    return f"{{place}} cannot be read: {quoted}.", "See the message; `cost-lakehouse doctor` checks the source step by step."
