"""What an S3 store or AWS's credentials answered, as one of a few causes; sources and the lake tell each in their own words."""

from __future__ import annotations

from enum import Enum, auto

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

# Everything a boto3 call raises; an answer that botocore cannot parse (a web page, say) is an error outside of its family.
S3_FAILURES = (ClientError, BotoCoreError, ResponseParserError)
S3Failure = ClientError | BotoCoreError | ResponseParserError
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
PRECONDITION_FAILED = frozenset({"412", "PreconditionFailed"})


class S3Cause(Enum):
    """Why a request failed."""

    NO_BUCKET = auto()
    DENIED = auto()
    KMS = auto()
    BAD_KEY = auto()
    BAD_SECRET = auto()
    EXPIRED = auto()
    REGION = auto()
    CLOCK = auto()
    BUSY = auto()
    ARCHIVED = auto()
    DAMAGED = auto()
    NOT_UNDERSTOOD = auto()
    ROLE = auto()
    NO_CREDENTIALS = auto()
    PARTIAL_CREDENTIALS = auto()
    NO_PROFILE = auto()
    NOT_FETCHED = auto()
    TLS = auto()
    PROXY = auto()
    UNREACHABLE = auto()
    INVALID = auto()


_BY_CODE: dict[str, S3Cause] = {
    "NoSuchBucket": S3Cause.NO_BUCKET,
    "404": S3Cause.NO_BUCKET,
    "InvalidBucketName": S3Cause.NO_BUCKET,
    "AccessDenied": S3Cause.DENIED,
    "AccessDeniedException": S3Cause.DENIED,
    "AllAccessDisabled": S3Cause.DENIED,
    "AccountProblem": S3Cause.DENIED,
    "403": S3Cause.DENIED,
    "InvalidAccessKeyId": S3Cause.BAD_KEY,
    "InvalidClientTokenId": S3Cause.BAD_KEY,
    "UnrecognizedClientException": S3Cause.BAD_KEY,
    "InvalidToken": S3Cause.BAD_KEY,
    "SignatureDoesNotMatch": S3Cause.BAD_SECRET,
    "ExpiredToken": S3Cause.EXPIRED,
    "ExpiredTokenException": S3Cause.EXPIRED,
    "TokenRefreshRequired": S3Cause.EXPIRED,
    "RequestExpired": S3Cause.EXPIRED,
    "PermanentRedirect": S3Cause.REGION,
    "301": S3Cause.REGION,
    "AuthorizationHeaderMalformed": S3Cause.REGION,
    "IllegalLocationConstraintException": S3Cause.REGION,
    "RequestTimeTooSkewed": S3Cause.CLOCK,
    "SlowDown": S3Cause.BUSY,
    "ServiceUnavailable": S3Cause.BUSY,
    "InternalError": S3Cause.BUSY,
    "RequestTimeout": S3Cause.BUSY,
    "Throttling": S3Cause.BUSY,
    "500": S3Cause.BUSY,
    "503": S3Cause.BUSY,
    "InvalidObjectState": S3Cause.ARCHIVED,
    "BadDigest": S3Cause.DAMAGED,
    "InvalidDigest": S3Cause.DAMAGED,
    "XAmzContentSHA256Mismatch": S3Cause.DAMAGED,
}
_BY_TYPE: tuple[tuple[type[BotoCoreError] | tuple[type[BotoCoreError], ...], S3Cause], ...] = (
    (boto.NoCredentialsError, S3Cause.NO_CREDENTIALS),
    (boto.PartialCredentialsError, S3Cause.PARTIAL_CREDENTIALS),
    (boto.ProfileNotFound, S3Cause.NO_PROFILE),
    (
        (boto.TokenRetrievalError, boto.SSOError, boto.UnauthorizedSSOTokenError, boto.CredentialRetrievalError),
        S3Cause.NOT_FETCHED,
    ),
    (boto.SSLError, S3Cause.TLS),
    (boto.ProxyConnectionError, S3Cause.PROXY),
    (
        (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ConnectionClosedError, boto.HTTPClientError),
        S3Cause.UNREACHABLE,
    ),
    ((boto.ParamValidationError, boto.InvalidRegionError, boto.NoRegionError), S3Cause.INVALID),
)
_OF_THE_OWN_CREDENTIALS = ("ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch")


def error_code(error: ClientError) -> str:
    """S3's own word for what went wrong; a HEAD request only has the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cause_of(error: S3Failure) -> S3Cause | None:
    """The cause, or None where nobody here knows the error."""
    if isinstance(error, ClientError):
        code = error_code(error)
        if error.operation_name == "AssumeRole" and code not in _OF_THE_OWN_CREDENTIALS:
            return S3Cause.ROLE
        message = str(error.response.get("Error", {}).get("Message", ""))
        if code.startswith("KMS.") or (code in ("AccessDenied", "403") and "kms" in message.lower()):
            return S3Cause.KMS
        return _BY_CODE.get(code)
    if isinstance(error, ResponseParserError):
        return S3Cause.NOT_UNDERSTOOD
    return next((cause for kind, cause in _BY_TYPE if isinstance(error, kind)), None)


def said_by(error: S3Failure) -> str:
    """What the store or the library itself says of an error that nobody here knows."""
    if isinstance(error, ClientError):
        return f"{error_code(error)} {error.response.get('Error', {}).get('Message', '')}".strip()
    return str(error)


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """A text with each secret cut out."""
    for each in secrets:
        text = text.replace(each, "***")
    return text
