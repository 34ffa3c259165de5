"""A boto3 session with a source's credentials (keys, profile, web identity, one role after another) and by its proxy."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.storage.request_count import count_request
from cost_lakehouse.storage.s3_causes import RoleRefused, TokenUnreadable

CONNECT_SECONDS = 10
READ_SECONDS = 60
ROLE_SESSION_NAME = "cost-lakehouse"
# Where AWS is asked without a region: a client without any cannot even ask. Each of AWS's separate worlds has its own.
DEFAULT_REGION = "us-east-1"
_DEFAULT_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_TOKEN_FILE_VARIABLE, _ROLE_VARIABLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"


def session_of(access: AwsAccess) -> tuple[boto3.session.Session, str]:
    """A session for whatever AWS service, and the region it asks by default.

    Roles are assumed on first use, each with the credentials of the one before, and again before their sessions end. Every
    client of the session, and what it asks STS, goes through ``proxy`` where there is one. STS is asked in the region, or where
    ``sts_region``, ``sts_endpoint`` or AWS_ENDPOINT_URL_STS say. Raises botocore's errors (no such profile, no such region).
    """
    session = boto3.session.Session(
        botocore_session=_new_session(access),
        aws_access_key_id=access.access_key.get_secret_value() if access.access_key else None,
        aws_secret_access_key=access.secret_key.get_secret_value() if access.secret_key else None,
        region_name=access.region,
        profile_name=access.profile,
    )
    region = session.region_name or _default_region(access)
    token_file = _token_file(access)
    for number, role in enumerate(access.role_arns):
        request = {"RoleArn": role, "RoleSessionName": access.session_name or ROLE_SESSION_NAME}
        if number == 0 and token_file is not None:
            # Nobody's session: the token is who asks.
            sts = _sts(access, _session_with(access), region, signature_version=UNSIGNED)
            session = _session_with(access, _by_token(sts, request, token_file, access.secrets))
            continue
        if number == len(access.role_arns) - 1 and access.external_id is not None:
            request["ExternalId"] = access.external_id.get_secret_value()
        session = _session_with(access, _by_role(_sts(access, session, region), request, access.secrets))
    return session, region


Fetch = Callable[[], dict[str, str]]


class _AssumedRole(CredentialProvider):
    """Hands botocore credentials that are fetched on first use and renewed before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> Any:
        return DeferredRefreshableCredentials(refresh_using=self._fetch, method=self.METHOD)


def _by_role(sts: Any, request: dict[str, str], secrets: tuple[str, ...]) -> Fetch:
    def fetch() -> dict[str, str]:
        try:
            return _credentials(sts.assume_role(**request))
        except ClientError as error:
            if isinstance(error, RoleRefused) or error.operation_name != "AssumeRole":
                raise  # It is the role before this one that is refused.
            raise RoleRefused(error, request["RoleArn"], secrets) from None

    return fetch


def _by_token(sts: Any, request: dict[str, str], file: str, secrets: tuple[str, ...]) -> Fetch:
    def fetch() -> dict[str, str]:
        token = _read_token(file)  # anew each time: whoever gives it out (Kubernetes, say) replaces it before it expires
        try:
            return _credentials(sts.assume_role_with_web_identity(**request, WebIdentityToken=token))
        except ClientError as error:
            raise RoleRefused(error, request["RoleArn"], (*secrets, token)) from None

    return fetch


def _read_token(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise TokenUnreadable(file)
    return token


def _credentials(answer: Any) -> dict[str, str]:
    given = answer["Credentials"]
    expires: datetime = given["Expiration"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": expires.isoformat(),
    }


def _sts(access: AwsAccess, session: boto3.session.Session, region: str, **other: Any) -> Any:
    config = Config(retries={"mode": "standard"}, **other)
    return session.client("sts", region_name=access.sts_region or region, endpoint_url=access.sts_endpoint, config=config)


def _token_file(access: AwsAccess) -> str | None:
    """The file of the web identity by which the first role is assumed; None where it is assumed with other credentials."""
    if access.web_identity_token_file is not None:
        return access.web_identity_token_file
    if access.access_key is not None or access.profile is not None:
        return None
    if access.external_id is not None and len(access.role_arns) == 1:
        return None  # It would not be sent: a role that demands one is assumed by another role or user.
    # With both variables the environment names the role that its token is for, and boto3 assumes it by itself.
    return None if os.environ.get(_ROLE_VARIABLE) else os.environ.get(_TOKEN_FILE_VARIABLE) or None


def _default_region(access: AwsAccess) -> str:
    partition = access.role_arns[-1].split(":")[1] if access.role_arns else ""
    return _DEFAULT_REGIONS.get(partition, DEFAULT_REGION)


def _session_with(access: AwsAccess, fetch: Fetch | None = None) -> boto3.session.Session:
    session = _new_session(access)
    providers: list[CredentialProvider] = [] if fetch is None else [_AssumedRole(fetch)]
    session.register_component("credential_provider", CredentialResolver(providers))
    return boto3.session.Session(botocore_session=session)


@cache
def _models() -> Loader:
    """AWS's API descriptions, parsed once a process: that is nine tenths of the time a client takes to make."""
    return create_loader()


def _new_session(access: AwsAccess) -> botocore.session.Session:
    """A session of its own, so that credentials are looked up anew for each client: a rotated key needs no restart."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _models())
    session.register("before-send", count_request)
    proxy = access.proxy.get_secret_value() if access.proxy else None
    # Every client that the session makes takes these, the one by which a profile's role is assumed too.
    session.set_default_client_config(
        Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            proxies={"http": proxy, "https": proxy} if proxy else None,
        )
    )
    return session
