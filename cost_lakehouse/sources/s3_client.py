"""A boto3 client for one bucket: its endpoint, region and credentials (keys, profile, assumed role, or boto3's own search)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.loaders import Loader, create_loader
from pydantic import SecretStr

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 10
READ_SECONDS = 60
DEFAULT_ATTEMPTS = 5
MAX_CONNECTIONS = 32
DEFAULT_REGION = "us-east-1"
ROLE_SESSION_NAME = "cost-lakehouse"


class S3Access(Protocol):
    """How a bucket is reached, as a source and a mirror's destination say it."""

    @property
    def endpoint(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def role_arn(self) -> str | None: ...
    @property
    def external_id(self) -> SecretStr | None: ...
    @property
    def access_key(self) -> SecretStr | None: ...
    @property
    def secret_key(self) -> SecretStr | None: ...


def make_s3_client(source: S3Access, attempts: int = DEFAULT_ATTEMPTS, connections: int = MAX_CONNECTIONS) -> S3Client:
    """The client of the bucket; ``attempts`` counts the first try of a request too.

    With ``role_arn`` the role is assumed with the bucket's own credentials, and again before its session ends. STS is asked at
    AWS, or where AWS_ENDPOINT_URL_STS says. Raises botocore's errors (no such profile, no such region).
    """
    session, region = session_of(source)
    return session.client("s3", endpoint_url=source.endpoint, region_name=region, config=_config(source, attempts, connections))


def session_of(source: S3Access) -> tuple[boto3.session.Session, str]:
    """A session with the source's credentials for whatever AWS service, and the region it asks by default.

    Raises botocore's errors (no such profile, no such region).
    """
    own = boto3.session.Session(
        botocore_session=_new_session(),
        aws_access_key_id=source.access_key.get_secret_value() if source.access_key else None,
        aws_secret_access_key=source.secret_key.get_secret_value() if source.secret_key else None,
        region_name=source.region,
        profile_name=source.profile,
    )
    # S3 tells a client the bucket's real region; a client without any region cannot even ask.
    region = own.region_name or DEFAULT_REGION
    return (own if source.role_arn is None else _session_of_role(own, source, source.role_arn, region)), region


@cache
def _models() -> Loader:
    """AWS's API descriptions, parsed once a process: that is nine tenths of the time a client takes to make."""
    return create_loader()


def _new_session() -> botocore.session.Session:
    """A session of its own, so that credentials are looked up anew for each client: a rotated key needs no restart."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _models())
    return session


def _config(source: S3Access, attempts: int, connections: int) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        # Stores other than AWS rarely serve bucket names as host names.
        s3={"addressing_style": "path"} if source.endpoint else None,
        # Many S3-compatible stores know nothing of AWS's newer checksums; gzip, zip and Parquet carry their own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


class _AssumedRole(CredentialProvider):
    """Hands botocore credentials that are fetched on first use and renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetch: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> Any:
        return DeferredRefreshableCredentials(refresh_using=self._fetch, method=self.METHOD)


def _session_of_role(own: boto3.session.Session, source: S3Access, role_arn: str, region: str) -> boto3.session.Session:
    request = {"RoleArn": role_arn, "RoleSessionName": ROLE_SESSION_NAME}
    if source.external_id is not None:
        request["ExternalId"] = source.external_id.get_secret_value()
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"mode": "standard"})
    sts: Any = own.client("sts", region_name=region, config=config)

    def fetch() -> dict[str, str]:
        credentials = sts.assume_role(**request)["Credentials"]
        expires: datetime = credentials["Expiration"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": expires.isoformat(),
        }

    session = _new_session()
    session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetch)]))
    return boto3.session.Session(botocore_session=session)
