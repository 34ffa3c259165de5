"""Reads ``lake.store_config``: a ``federated-store.yaml`` in the schema of Thanos and Kubecost, with its defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from cost_lakehouse.config.store import Duration, StoreSettings
from cost_lakehouse.config.yaml_file import Strict, explain, read_yaml
from cost_lakehouse.errors import ConfigurationError

_AWS_HOST = re.compile(r"s3(?:[.-](?P<dual>dualstack\.)?(?P<region>[a-z]+(?:-[a-z]+)+-\d))?\.amazonaws\.com(?::443)?")
# Where the schema has another name for what StoreSettings checks.
_PLACES = {
    "trace": "trace.enable",
    "sse_type": "sse_config.type",
    **{name: f"sse_config.{name}" for name in ("kms_key_id", "kms_encryption_context", "encryption_key")},
    **{name: f"http_config.tls_config.{name}" for name in ("ca_file", "cert_file", "key_file", "server_name")},
    **{
        name: f"http_config.{name}"
        for name in (
            "idle_conn_timeout",
            "response_header_timeout",
            "insecure_skip_verify",
            "tls_handshake_timeout",
            "expect_continue_timeout",
            "max_idle_conns",
            "max_idle_conns_per_host",
            "max_conns_per_host",
        )
    },
}


class _Tls(Strict):
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False


class _Http(Strict):
    idle_conn_timeout: Duration = 90.0
    response_header_timeout: Duration = 120.0
    insecure_skip_verify: bool = False
    tls_handshake_timeout: Duration = 10.0
    expect_continue_timeout: Duration = 1.0
    max_idle_conns: int = 100
    max_idle_conns_per_host: int = 100
    max_conns_per_host: int = 0
    tls_config: _Tls = _Tls()
    # Answers are always asked for as they are stored. That is what `true` wants, and what `false` allows.
    disable_compression: bool = False
    force_attempt_http2: bool = False

    @field_validator("force_attempt_http2")
    @classmethod
    def _is_http_1(cls, value: bool) -> bool:
        if value:
            raise ValueError("cannot be honoured: the store is spoken to in HTTP/1.1; leave it out")
        return value


class _Trace(Strict):
    enable: bool = False


class _Encryption(Strict):
    type: Literal["", "SSE-S3", "SSE-KMS", "SSE-C"] = ""
    kms_key_id: str = ""
    kms_encryption_context: dict[str, str] = Field(default_factory=dict)
    encryption_key: str = ""


class _Config(Strict):
    bucket: str = ""
    endpoint: str = Field(min_length=1)
    region: str = ""
    disable_dualstack: bool = True
    aws_sdk_auth: bool = False
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")
    insecure: bool = False
    signature_version2: bool = False
    put_user_metadata: dict[str, str] = Field(default_factory=dict)
    http_config: _Http = _Http()
    trace: _Trace = _Trace()
    list_objects_version: Literal["", "v1", "v2"] = ""
    bucket_lookup_type: Literal["auto", "virtual-hosted", "path"] = "auto"
    send_content_md5: bool = True
    disable_multipart: bool = False
    part_size: int = 0
    sse_config: _Encryption = _Encryption()
    sts_endpoint: str = ""
    max_retries: int = 0

    @field_validator("endpoint")
    @classmethod
    def _has_no_scheme(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("write host or host:port; `insecure: true` stands for http://")
        return value.rstrip("/")


class _FederatedStore(Strict):
    type: str
    config: _Config
    prefix: str = ""

    @field_validator("type")
    @classmethod
    def _is_s3(cls, value: str) -> str:
        if value.upper() != "S3":
            raise ValueError("only S3 (and what speaks S3) can hold the lake")
        return value


def read_federated_store(file: Path, place: str, named: str = "lake.warehouse") -> StoreSettings:
    """The store that a ``federated-store.yaml`` describes; ``place`` is the ``s3://bucket/prefix`` that ``named`` says.

    Raises ConfigurationError that names each wrong field, and where bucket or prefix contradict the warehouse's.
    """
    document = read_yaml(file)
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file} must hold `type: S3` and `config:`.", "See docs/store.md.")
    try:
        read = _FederatedStore.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"{file} is wrong.", "; ".join(explain(candidate) for candidate in error.errors())) from None
    _compare(file, read, place, named)
    try:
        return StoreSettings(**_options(read.config)).relative_to(file.parent)
    except ValidationError as error:
        raise ConfigurationError(
            f"{file} is wrong.", "; ".join(_explain_option(candidate) for candidate in error.errors())
        ) from None


def _compare(file: Path, read: _FederatedStore, place: str, named: str) -> None:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    for name, ours, theirs in (("bucket", bucket, read.config.bucket), ("prefix", prefix, read.prefix.strip("/"))):
        if theirs and theirs != ours.strip("/"):
            raise ConfigurationError(
                f"{file} names the {name} {theirs!r}, but {named} is {place}.",
                f"Let both name the same {name}, or leave it out of {file.name}.",
            )


def _options(config: _Config) -> dict[str, Any]:
    """The same options by the flat names. Empty text is nothing, and 0 is the default, as in Thanos."""
    http, tls, encryption = config.http_config, config.http_config.tls_config, config.sse_config
    options: dict[str, Any] = {
        **_address(config),
        "aws_sdk_auth": config.aws_sdk_auth,
        "signature_version2": config.signature_version2,
        "put_user_metadata": config.put_user_metadata,
        "list_objects_version": config.list_objects_version or None,
        "bucket_lookup_type": config.bucket_lookup_type,
        "send_content_md5": config.send_content_md5,
        "disable_multipart": config.disable_multipart,
        "part_size": config.part_size or None,
        "max_retries": config.max_retries or None,
        "sts_endpoint": config.sts_endpoint or None,
        "trace": config.trace.enable,
        "sse_type": encryption.type or None,
        "kms_key_id": encryption.kms_key_id or None,
        "kms_encryption_context": encryption.kms_encryption_context,
        "encryption_key": encryption.encryption_key or None,
        **{name: getattr(config, name) or None for name in ("access_key", "secret_key", "session_token")},
        **{name: getattr(http, name) for name in StoreSettings.model_fields if name in _Http.model_fields},
        **{name: getattr(tls, name) or None for name in ("ca_file", "cert_file", "key_file", "server_name")},
    }
    if tls.insecure_skip_verify and not http.insecure_skip_verify:
        # Thanos lets the outer one decide; whoever reads this file may think otherwise.
        raise ConfigurationError(
            "http_config.tls_config.insecure_skip_verify contradicts http_config.insecure_skip_verify.",
            "Write it as http_config.insecure_skip_verify, or leave it out.",
        )
    return {name: value for name, value in options.items() if value is not None}


def _address(config: _Config) -> dict[str, Any]:
    """Where the store is; AWS's own addresses are left to boto3, which knows the bucket's region. Dual stack is AWS's."""
    aws = None if config.insecure else _AWS_HOST.fullmatch(config.endpoint)
    if aws is None:
        return {"endpoint": f"{'http' if config.insecure else 'https'}://{config.endpoint}", "region": config.region or None}
    is_dual = aws["dual"] is not None or not config.disable_dualstack
    return {"region": config.region or aws["region"], "disable_dualstack": not is_dual}


def _explain_option(error: Any) -> str:
    """As ``explain``, with the option where this file has it."""
    place = error["loc"]
    if place:
        place = ("config", _PLACES.get(str(place[0]), str(place[0])), *place[1:])
    return explain({**error, "loc": place})
