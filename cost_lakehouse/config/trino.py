"""How Trino is reached: address, authentication, TLS and session properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from cost_lakehouse.config.yaml_file import Strict

HTTP_PORT = 8080
HTTPS_PORT = 443
_PROPERTY = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?"


class NoAuth(Strict):
    """Trino believes whatever user it is told."""

    method: Literal["none"] = "none"


class BasicAuth(Strict):
    """A name and a password, checked by Trino's password authenticator (a file, LDAP)."""

    method: Literal["basic"]
    user: str | None = None  # who logs in, where it is not `trino.user`
    password: SecretStr


class JwtAuth(Strict):
    """A token that was issued elsewhere; an OAuth2 access token too."""

    method: Literal["jwt"]
    token: SecretStr


class CertificateAuth(Strict):
    """A client certificate and its unencrypted key, both PEM files."""

    method: Literal["certificate"]
    cert: str
    key: str


class OAuth2Client(Strict):
    """A process's own credentials at the identity provider."""

    token_url: str
    client_id: str
    client_secret: SecretStr
    scope: str | None = None

    @field_validator("token_url")
    @classmethod
    def _token_url_is_https(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("must start with https://: the client's secret is sent there")
        return value


class OAuth2Auth(Strict):
    """OAuth2: with a client's own credentials for a process, else by a person who follows a link."""

    method: Literal["oauth2"]
    client: OAuth2Client | None = None
    redirect: Literal["browser", "console"] = "console"  # where a person finds the link


Auth = Annotated[NoAuth | BasicAuth | JwtAuth | CertificateAuth | OAuth2Auth, Field(discriminator="method")]


class TrinoSettings(Strict):
    """One Trino coordinator. Scheme and port follow from the authentication where they are not given."""

    host: str
    auth: Auth = NoAuth()
    http_scheme: Literal["http", "https"] = "http"
    port: int = Field(default=HTTP_PORT, ge=1, le=65535)
    user: str = Field(default="cost-lakehouse", min_length=1)
    catalog: str = Field(default="lake", pattern=r"^[a-z0-9_]+$")
    verify: bool | str = True  # a path: PEM file of the authority that signed Trino's certificate
    session_properties: Mapping[str, str] = Field(default_factory=dict)
    request_timeout_seconds: float = Field(default=60, gt=0)
    max_attempts: int = Field(default=5, ge=1, le=50)

    @model_validator(mode="before")
    @classmethod
    def _scheme_and_port_follow(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        auth = given.get("auth")
        secure = isinstance(auth, dict) and auth.get("method") not in (None, "none")
        scheme = given.get("http_scheme", "https" if secure else "http")
        return {"http_scheme": scheme, "port": HTTPS_PORT if scheme == "https" else HTTP_PORT, **given}

    @field_validator("host")
    @classmethod
    def _host_is_a_name(cls, value: str) -> str:
        if not value or "/" in value or "@" in value:
            raise ValueError("write the name or address alone; port and http_scheme have keys of their own")
        return value

    @field_validator("http_scheme")
    @classmethod
    def _secrets_travel_encrypted(cls, value: str, info: ValidationInfo) -> str:
        auth = info.data.get("auth")
        if value == "http" and auth is not None and auth.method != "none":
            raise ValueError(f"authentication by {auth.method} needs https, or everybody on the way could read it")
        return value

    @field_validator("verify")
    @classmethod
    def _verify_is_said_plainly(cls, value: bool | str) -> bool | str:
        if isinstance(value, str) and value.strip().lower() in ("", "true", "false", "yes", "no", "on", "off"):
            raise ValueError("write true, false (without quotes) or the path of a PEM file")
        return value

    @field_validator("session_properties", mode="before")
    @classmethod
    def _properties_are_text(cls, value: Any) -> Any:
        """Trino takes every property as text; YAML's booleans and numbers are written as Trino spells them."""
        if not isinstance(value, dict):
            return value
        return {str(key): str(item).lower() if isinstance(item, bool) else str(item) for key, item in value.items()}

    @field_validator("session_properties")
    @classmethod
    def _properties_have_names(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        wrong = [name for name in value if not re.fullmatch(_PROPERTY, name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no session property; write `name` or `catalog.name`")
        return value
