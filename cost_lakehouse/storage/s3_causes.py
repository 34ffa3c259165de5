"""What an S3 store or AWS's credentials answered, as one of a few causes; sources and the lake tell each in their own words."""

from __future__ import annotations

import re
from enum import Enum, auto
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from cost_lakehouse.errors import without_secrets

# Everything a boto3 call raises; an answer that botocore cannot parse (a web page, say) is an error outside of its family.
S3_FAILURES = (ClientError, BotoCoreError, ResponseParserError)
S3Failure = ClientError | BotoCoreError | ResponseParserError
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
PRECONDITION_FAILED = frozenset({"412", "PreconditionFailed"})


class RoleRefused(ClientError):
    """AWS's STS does not give the credentials of ``role``; ``secrets`` are cut out of what it says."""

    def __init__(self, error: ClientError, role: str, secrets: tuple[str, ...] = ()) -> None:
        said = error.response.get("Error", {})
        response = error.response.copy()
        response["Error"] = {"Code": said.get("Code", ""), "Message": without_secrets(said.get("Message", ""), secrets)}
        super().__init__(response, error.operation_name)
        # A profile may have roles of its own, which come before it.
        named = _RESOURCE.search(str(self.response["Error"].get("Message", "")))
        self.role = named.group(1) if named else role

    @property
    def caller(self) -> str:
        """Who asked for the role, as AWS names it; empty where it does not say."""
        found = _CALLER.search(str(self.response["Error"].get("Message", "")))
        return found.group(1) if found else ""


class TokenUnreadable(boto.CredentialRetrievalError):
    """The file of a web identity's token is not there, or empty."""

    def __init__(self, file: str) -> None:
        super().__init__(provider="web identity", error_msg=f"{file} cannot be read")
        self.file = file


_RESOURCE = re.compile(r"on resource: (arn:[\w+=,.@:/-]*[\w@/-])")
_CALLER = re.compile(r"User: (arn:[\w+=,.@:/-]*[\w@/-])")


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
    ROLE_RIGHT = auto()
    WEB_IDENTITY = auto()
    TOKEN_FILE = auto()
    STS_REGION = auto()
    NO_CREDENTIALS = auto()
    PARTIAL_CREDENTIALS = auto()
    NO_PROFILE = auto()
    NOT_FETCHED = auto()
    TLS = auto()
    PROXY = auto()
    PROXY_LOGIN = auto()
    PROXY_REFUSES = auto()
    UNREACHABLE = auto()
    INVALID = auto()


_BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "InternalFailure", "RequestTimeout", "Throttling", "500", "503"}
)
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
    "407": S3Cause.PROXY_LOGIN,
    "RegionDisabledException": S3Cause.STS_REGION,
    "ExpiredToken": S3Cause.EXPIRED,
    "ExpiredTokenException": S3Cause.EXPIRED,
    "TokenRefreshRequired": S3Cause.EXPIRED,
    "RequestExpired": S3Cause.EXPIRED,
    "PermanentRedirect": S3Cause.REGION,
    "301": S3Cause.REGION,
    "AuthorizationHeaderMalformed": S3Cause.REGION,
    "IllegalLocationConstraintException": S3Cause.REGION,
    "RequestTimeTooSkewed": S3Cause.CLOCK,
    "InvalidObjectState": S3Cause.ARCHIVED,
    "BadDigest": S3Cause.DAMAGED,
    "InvalidDigest": S3Cause.DAMAGED,
    "XAmzContentSHA256Mismatch": S3Cause.DAMAGED,
    **dict.fromkeys(_BUSY, S3Cause.BUSY),
}
_BY_TYPE: tuple[tuple[type[BotoCoreError] | tuple[type[BotoCoreError], ...], S3Cause], ...] = (
    (boto.NoCredentialsError, S3Cause.NO_CREDENTIALS),
    (boto.PartialCredentialsError, S3Cause.PARTIAL_CREDENTIALS),
    (boto.ProfileNotFound, S3Cause.NO_PROFILE),
    (TokenUnreadable, S3Cause.TOKEN_FILE),
    (
        (boto.TokenRetrievalError, boto.SSOError, boto.UnauthorizedSSOTokenError, boto.CredentialRetrievalError),
        S3Cause.NOT_FETCHED,
    ),
    (boto.SSLError, S3Cause.TLS),
    (
        (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ConnectionClosedError, boto.HTTPClientError),
        S3Cause.UNREACHABLE,
    ),
    ((boto.ParamValidationError, boto.InvalidRegionError, boto.NoRegionError), S3Cause.INVALID),
)
_OF_THE_OWN_CREDENTIALS = frozenset({"ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"})
_OF_THE_WAY = frozenset({"407", "RegionDisabledException", "RequestTimeTooSkewed", *_BUSY})
# AWS says it where the one who asks lacks the right, but not which part of a trust policy is not met.
_LACKS_THE_RIGHT = "no identity-based policy allows"


def error_code(error: ClientError) -> str:
    """S3's own word for what went wrong; a HEAD request only has the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def cause_of(error: S3Failure) -> S3Cause | None:
    """The cause, or None where nobody here knows the error."""
    if isinstance(error, ClientError):
        code = error_code(error)
        message = str(error.response.get("Error", {}).get("Message", ""))
        if error.operation_name == "AssumeRoleWithWebIdentity" and code not in _OF_THE_WAY:
            return S3Cause.WEB_IDENTITY
        if error.operation_name == "AssumeRole" and code not in _OF_THE_WAY | _OF_THE_OWN_CREDENTIALS:
            return S3Cause.ROLE_RIGHT if _LACKS_THE_RIGHT in message else S3Cause.ROLE
        if code.startswith("KMS.") or (code in ("AccessDenied", "403") and "kms" in message.lower()):
            return S3Cause.KMS
        return _BY_CODE.get(code)
    if isinstance(error, ResponseParserError):
        return S3Cause.NOT_UNDERSTOOD
    if isinstance(error, boto.ProxyConnectionError):
        return _cause_at_the_proxy(str(error.kwargs.get("error", "")))
    return next((cause for kind, cause in _BY_TYPE if isinstance(error, kind)), None)


def _cause_at_the_proxy(said: str) -> S3Cause:
    """A proxy answers a request for a tunnel with a status of its own."""
    if "Tunnel connection failed" not in said:
        return S3Cause.PROXY
    return S3Cause.PROXY_LOGIN if "407" in said else S3Cause.PROXY_REFUSES


def host_of(error: S3Failure) -> str | None:
    """The server that was not reached, without what else its address holds; None where the error names none."""
    url = str(getattr(error, "kwargs", {}).get("endpoint_url") or "")
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}" if parts.hostname else None
    except ValueError:
        return None


def region_of(error: S3Failure) -> str | None:
    """The bucket's own region, where the answer of another one names it."""
    if not isinstance(error, ClientError):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = str(error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or "")
    return region if re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)+", region) else None


def said_by(error: S3Failure) -> str:
    """What the store or the library itself says of an error that nobody here knows."""
    if isinstance(error, ClientError):
        return f"{error_code(error)} {error.response.get('Error', {}).get('Message', '')}".strip()
    return str(error)


def denied_by(error: S3Failure) -> tuple[str, str]:
    """Of a refusal: what the store itself says of it, and what else to do; each "" where nothing."""
    message = str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""
    message = " ".join(message.split()).rstrip(".")
    if message.lower() in ("", "access denied", "accessdenied", "forbidden"):
        return "", ""
    if "explicit deny" not in message.lower():
        return f" The store says: {message}.", ""
    return f" The store says: {message}.", _EXPLICIT


_EXPLICIT = (
    " An explicit deny counts more than any right: look for the policy that has it. Where the bucket demands encryption "
    "headers of whoever writes, set `sse_type` (and `kms_key_id` with SSE-KMS); where it demands a network or TLS, use that."
)
