"""Who asks AWS, or a store that speaks S3, and by which way: keys, profile, roles, web identity, STS, proxy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from cost_lakehouse.config.yaml_file import Strict

ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


class AwsAccess(Strict):
    """How a bucket, or an API of AWS, is reached; everything left out is what boto3 finds by itself."""

    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    role_arn: str | tuple[str, ...] | None = None  # several: each is assumed with the one before
    external_id: SecretStr | None = None  # of the last role
    session_name: str | None = None
    web_identity_token_file: str | None = None
    sts_region: str | None = None
    sts_endpoint: str | None = None
    proxy: SecretStr | None = None  # secret because it may hold a password

    @field_validator("role_arn")
    @classmethod
    def _roles_are_arns(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for item in _as_tuple(value):
            if not ROLE_ARN.fullmatch(item):
                raise ValueError("write a role's ARN, such as arn:aws:iam::111122223333:role/read-the-bill")
        return value or None

    @field_validator("external_id")
    @classmethod
    def _external_id_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not EXTERNAL_ID.fullmatch(value.get_secret_value()):
            raise ValueError("AWS takes 2 to 1224 letters, digits and + = , . @ : / - _ (no blank at its end)")
        return value

    @field_validator("session_name")
    @classmethod
    def _session_name_is_one(cls, value: str | None) -> str | None:
        if value is not None and not SESSION_NAME.fullmatch(value):
            raise ValueError("AWS takes 2 to 64 letters, digits and + = , . @ - _")
        return value

    @field_validator("web_identity_token_file")
    @classmethod
    def _token_file_is_absolute(cls, value: str | None) -> str | None:
        if value is not None and not Path(value).is_absolute():
            raise ValueError("write an absolute path, such as /var/run/secrets/eks.amazonaws.com/serviceaccount/token")
        return value

    @field_validator("proxy", mode="before")
    @classmethod
    def _proxy_is_a_url(cls, value: Any) -> Any:
        # Never the value in the message: it may hold a password.
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not _is_url(text):
            raise ValueError(
                "write http://host:port or https://host:port, with user:password@ before the host where it asks for it"
            )
        return value

    @field_validator("sts_endpoint")
    @classmethod
    def _sts_endpoint_is_a_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_url(value):
            raise ValueError("write https://host")
        return value

    @model_validator(mode="after")
    def _credentials_fit_together(self) -> AwsAccess:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        if self.role_arn is None:
            for name in ("external_id", "session_name", "web_identity_token_file", "sts_region", "sts_endpoint"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} goes with role_arn")
        if self.web_identity_token_file is not None:
            if self.access_key is not None or self.profile is not None:
                raise ValueError("web_identity_token_file, access_key and profile are different credentials; keep one of them")
            if self.external_id is not None and len(self.role_arns) == 1:
                raise ValueError("external_id is not sent with a web identity; name it for a second role, or leave it out")
        return self

    @property
    def role_arns(self) -> tuple[str, ...]:
        """The roles in the order in which they are assumed; none for the own credentials alone."""
        return _as_tuple(self.role_arn)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        given = [self.access_key, self.secret_key, self.external_id, self.proxy]
        values = [item.get_secret_value() for item in given if item is not None]
        password = urlsplit(self.proxy.get_secret_value()).password if self.proxy else None
        return (*values, password) if password else tuple(values)


# The keys of lakehouse.yaml that say it.
ACCESS_KEYS = tuple(AwsAccess.model_fields)


def _as_tuple(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _is_url(text: Any) -> bool:
    try:
        parts = urlsplit(text)
        return isinstance(text, str) and parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, AttributeError, TypeError):
        return False
