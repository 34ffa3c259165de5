"""How the warehouse's S3-compatible store is reached: ``lake.store``, in the names of Thanos' schema.

Every option acts on real requests (``lake/store_client.py``), or is refused here by name: none is ignored in silence.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from cost_lakehouse.config.yaml_file import Strict

MEBIBYTE = 1024 * 1024
SMALLEST_PART = 5 * MEBIBYTE
LARGEST_PART = 5 * 1024 * MEBIBYTE
# What botocore waits for a store's "100 Continue"; 0 sends the body at once.
EXPECT_CONTINUE_SECONDS = (0.0, 1.0)
SSE_KEY_BYTES = 32
# What Go keeps of a host where 0 is written.
GO_IDLE_PER_HOST = 2
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)")
_UNREADABLE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
_GRANTS = {
    "x-amz-acl": "ACL",
    "x-amz-grant-full-control": "GrantFullControl",
    "x-amz-grant-read": "GrantRead",
    "x-amz-grant-read-acp": "GrantReadACP",
    "x-amz-grant-write-acp": "GrantWriteACP",
}
_OBJECT_HEADERS = {
    **_GRANTS,
    "x-amz-storage-class": "StorageClass",
    "x-amz-tagging": "Tagging",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
}
_METADATA_PREFIX = "x-amz-meta-"


def parse_duration(value: Any) -> Any:
    """A duration as Go spells it (``1m30s``) in seconds."""
    if isinstance(value, str) and value.strip() == "0":
        return 0.0
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value == 0):
        return float(value)  # What this function gave before, and a plain 0.
    if not isinstance(value, str) or not re.fullmatch(f"(?:{_DURATION_PART.pattern})+", value):
        raise ValueError("write a duration with its unit, such as 90s, 1m30s or 500ms")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(value))


Duration = Annotated[float, BeforeValidator(parse_duration)]


class StoreSettings(Strict):
    """One S3-compatible store; AWS where no endpoint is given. Durations are seconds."""

    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    aws_sdk_auth: bool = False
    sts_endpoint: str | None = None
    bucket_lookup_type: Literal["auto", "virtual-hosted", "path"] = "auto"
    list_objects_version: Literal["v1", "v2"] = "v2"
    disable_dualstack: bool = True
    signature_version2: bool = False

    put_user_metadata: dict[str, str] = Field(default_factory=dict)
    sse_type: Literal["SSE-S3", "SSE-KMS", "SSE-C"] | None = None
    kms_key_id: str | None = None
    kms_encryption_context: dict[str, str] = Field(default_factory=dict)
    encryption_key: str | None = None

    part_size: int = Field(default=64 * MEBIBYTE, ge=SMALLEST_PART, le=LARGEST_PART)
    disable_multipart: bool = False
    send_content_md5: bool = True
    max_retries: int = Field(default=5, ge=1, le=100)

    idle_conn_timeout: Duration = 90.0
    response_header_timeout: Duration = 120.0
    tls_handshake_timeout: Duration = 10.0
    expect_continue_timeout: Duration = 1.0
    max_idle_conns: int = Field(default=100, ge=0)
    max_idle_conns_per_host: int = Field(default=100, ge=0)
    max_conns_per_host: int = Field(default=0, ge=0)

    insecure_skip_verify: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    trace: bool = False

    @field_validator("endpoint", "sts_endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/@\s?#]+/?", value):
            raise ValueError("write https://host or http://host:port, without a path or a password")
        return value.rstrip("/") if value else None

    @field_validator("put_user_metadata")
    @classmethod
    def _headers_are_known(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            _check_header(name, content)
        return value

    @field_validator("expect_continue_timeout")
    @classmethod
    def _is_what_botocore_waits(cls, value: float) -> float:
        if value not in EXPECT_CONTINUE_SECONDS:
            raise ValueError("only 1s (wait one second for the store's consent) and 0s (send at once) can be had")
        return value

    @model_validator(mode="after")
    def _options_fit_together(self) -> StoreSettings:
        self._check_credentials()
        self._check_encryption()
        self._check_tls()
        if not self.disable_dualstack and self.endpoint is not None:
            raise ValueError("disable_dualstack: false is about AWS's own addresses; leave endpoint out, or disable_dualstack")
        return self

    def _check_credentials(self) -> None:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together; leave both out to use the machine's own role")
        if self.access_key is None and self.session_token is not None:
            raise ValueError("session_token goes with access_key and secret_key")
        if self.access_key is not None and self.aws_sdk_auth:
            raise ValueError("aws_sdk_auth uses the machine's own role; leave access_key and secret_key out, or aws_sdk_auth")
        if self.access_key is not None and self.sts_endpoint is not None:
            raise ValueError("sts_endpoint is where the machine's own role is asked for; with access_key nobody asks there")
        if self.signature_version2:
            raise ValueError(
                "signature_version2 cannot be honoured: DuckDB and Trino, which read the store, sign with version 4 only; "
                "leave it out, and enable signature version 4 at the store"
            )

    def _check_encryption(self) -> None:
        if (self.sse_type == "SSE-KMS") != (self.kms_key_id is not None):
            raise ValueError("SSE-KMS and kms_key_id go together")
        if (self.sse_type == "SSE-C") != (self.encryption_key is not None):
            raise ValueError("SSE-C and encryption_key (the file that holds the key) go together")
        if self.kms_encryption_context and self.sse_type != "SSE-KMS":
            raise ValueError("kms_encryption_context goes with SSE-KMS")
        if self.sse_type == "SSE-C" and not self.is_tls and self.endpoint_host not in ("127.0.0.1", "localhost"):
            raise ValueError("SSE-C sends its key with every request, so its endpoint must be https://")

    def _check_tls(self) -> None:
        given = {
            "insecure_skip_verify": self.insecure_skip_verify or None,
            "ca_file": self.ca_file,
            "cert_file": self.cert_file,
            "server_name": self.server_name,
        }
        for name, value in given.items():
            if value is not None and not self.is_tls:
                raise ValueError(f"{name} goes with an endpoint that starts with https://")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if self.insecure_skip_verify and self.ca_file is not None:
            raise ValueError("insecure_skip_verify trusts every certificate, ca_file only one authority's; keep one of them")

    def relative_to(self, base: Path) -> StoreSettings:
        """The same with its files (TLS, encryption key) as absolute paths, taken relative to ``base``."""
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file", "encryption_key")}
        found = {name: str((base / Path(file).expanduser()).resolve()) for name, file in files.items() if file is not None}
        return self.model_copy(update=found)

    @property
    def is_tls(self) -> bool:
        """Whether the store is spoken to over TLS."""
        return self.endpoint is None or self.endpoint.startswith("https://")

    @property
    def needs_own_reader(self) -> bool:
        """Whether an option is set that DuckDB's own S3 client lacks."""
        return self.sse_type == "SSE-C" or self.cert_file is not None or self.server_name is not None

    @property
    def endpoint_host(self) -> str:
        """The endpoint's host without its port; empty where the store is AWS."""
        return (self.endpoint or "").partition("://")[2].partition(":")[0]

    @property
    def is_path_style(self) -> bool:
        """Whether the bucket's name is a part of the path: few stores but AWS serve it as a host name."""
        return self.bucket_lookup_type == "path" or (self.bucket_lookup_type == "auto" and self.endpoint is not None)

    @property
    def kept_connections(self) -> int:
        """How many idle connections are kept: all requests go to one host, so both limits count. 0 as in Go."""
        per_host = self.max_idle_conns_per_host or GO_IDLE_PER_HOST
        return min(self.max_idle_conns or per_host, per_host)

    @property
    def grants_rights(self) -> bool:
        """Whether objects are given an ACL of their own."""
        return any(name.lower() in _GRANTS for name in self.put_user_metadata)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return tuple(item.get_secret_value() for item in (self.secret_key, self.session_token, self.access_key) if item)

    def object_parameters(self) -> dict[str, Any]:
        """What ``put_user_metadata`` gives every new object, as S3's API names it."""
        parameters: dict[str, Any] = {}
        metadata: dict[str, str] = {}
        for name, content in self.put_user_metadata.items():
            known = _OBJECT_HEADERS.get(name.lower())
            if known is None:
                metadata[name.lower().removeprefix(_METADATA_PREFIX)] = content
            else:
                parameters[known] = content
        return {**parameters, "Metadata": metadata} if metadata else parameters


def _check_header(name: str, content: str) -> None:
    lowered = name.lower()
    if not re.fullmatch(r"[!-9;-~]+", name) or not content.isascii() or not content.isprintable():
        raise ValueError(f"{name}: a header's name and value are plain ASCII")
    if lowered.startswith("x-amz-server-side-encryption"):
        raise ValueError(f"{name}: say it with sse_type (sse_config in federated-store.yaml)")
    if lowered == "x-amz-storage-class" and content in _UNREADABLE_CLASSES:
        raise ValueError(f"{name}: what is stored as {content} cannot be read at once; choose another class")
    if lowered in _OBJECT_HEADERS or lowered.startswith(_METADATA_PREFIX):
        return
    if lowered.startswith("x-amz-") or lowered in ("content-encoding", "content-md5", "content-length", "expires", "host"):
        raise ValueError(f"{name} cannot be set on every object; leave it out")
