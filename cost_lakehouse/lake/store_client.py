"""The boto3 client of the warehouse's store: every option of ``lake.store`` shows in what is sent, and how."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import boto3
import botocore.session
import urllib3
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from urllib3.exceptions import InsecureRequestWarning

from cost_lakehouse.config.store import SSE_KEY_BYTES, StoreSettings
from cost_lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_REGION = "us-east-1"
CHUNK = 1024 * 1024
_MAKES_OBJECTS = ("PutObject", "CreateMultipartUpload")
_SENDS_CONTENT = ("PutObject", "UploadPart")
_NEEDS_CUSTOMER_KEY = ("PutObject", "CreateMultipartUpload", "UploadPart", "GetObject", "HeadObject")
trace_log = logging.getLogger("cost_lakehouse.store")


def make_session(store: StoreSettings) -> boto3.session.Session:
    """The session that holds the store's credentials: its keys, or the machine's own role as boto3 finds it.

    Raises botocore's errors (no such profile).
    """
    session = _Session(store.sts_endpoint)
    session.register_component("data_loader", _models())
    return boto3.session.Session(
        botocore_session=session,
        aws_access_key_id=store.access_key.get_secret_value() if store.access_key else None,
        aws_secret_access_key=store.secret_key.get_secret_value() if store.secret_key else None,
        aws_session_token=store.session_token.get_secret_value() if store.session_token else None,
        region_name=store.region,
    )


def make_store_client(store: StoreSettings, session: boto3.session.Session | None = None) -> S3Client:
    """A client on which every option acts, whoever uses it; threads may share it. Asks nobody for anything yet.

    Raises botocore's errors (no such profile), and ConfigurationError where the customer's key cannot be read.
    """
    session = session or make_session(store)
    if store.insecure_skip_verify:
        # It was asked for by name: urllib3 need not repeat with every request what docs/store.md says.
        urllib3.disable_warnings(InsecureRequestWarning)
    client: S3Client = session.client(
        "s3",
        endpoint_url=store.endpoint,
        region_name=session.region_name or DEFAULT_REGION,
        verify=False if store.insecure_skip_verify else store.ca_file,
        config=_config(store),
    )
    _give_parameters(client, _MAKES_OBJECTS, {**store.object_parameters(), **_encryption(store)})
    if store.sse_type == "SSE-C":
        _give_parameters(client, _NEEDS_CUSTOMER_KEY, customer_key(store))
    if store.send_content_md5:
        for operation in (*_SENDS_CONTENT, "DeleteObjects"):
            client.meta.events.register(f"before-call.s3.{operation}", _add_content_md5)
    if store.expect_continue_timeout == 0:
        client.meta.events.register("before-call.s3", _send_at_once)
    _change_pool(client, store)
    if store.trace:
        _show_trace()
    _Watch(client, store).register()
    return client


def customer_key(store: StoreSettings) -> dict[str, Any]:
    """The parameters of SSE-C, with the key of the file.

    Raises ConfigurationError where the file does not hold one.
    """
    file = Path(store.encryption_key or "")
    try:
        key = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The encryption key {file} cannot be read ({error.strerror}).", "Correct `encryption_key` of SSE-C."
        ) from None
    if len(key) != SSE_KEY_BYTES:
        raise ConfigurationError(
            f"The encryption key {file} holds {len(key)} bytes, not {SSE_KEY_BYTES}.",
            "SSE-C takes 256 random bits, as they are.",
        )
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


class _Session(botocore.session.Session):
    """Asks for roles (web identity, profiles) at the configured STS; botocore makes its STS clients through this session."""

    def __init__(self, sts_endpoint: str | None) -> None:
        super().__init__()
        self._sts_endpoint = sts_endpoint

    def create_client(self, service_name: str, *args: Any, **options: Any) -> Any:
        if service_name == "sts" and self._sts_endpoint is not None:
            options.setdefault("endpoint_url", self._sts_endpoint)
        return super().create_client(service_name, *args, **options)


@cache
def _models() -> Loader:
    """AWS's API descriptions, parsed once a process: that is nine tenths of the time a client takes to make."""
    return create_loader()


def _config(store: StoreSettings) -> Config:
    styles = {"auto": "path" if store.is_path_style else "auto", "virtual-hosted": "virtual", "path": "path"}
    checksums: Any = "when_required" if store.send_content_md5 else "when_supported"
    options: dict[str, Any] = {
        # urllib3 counts the TLS handshake as part of connecting. 0 is no limit, as in Go.
        "connect_timeout": store.tls_handshake_timeout or None,
        "read_timeout": store.response_header_timeout or None,
        "retries": {"mode": "standard", "total_max_attempts": store.max_retries},
        "max_pool_connections": store.kept_connections,
        "s3": {"addressing_style": styles[store.bucket_lookup_type]},
        "request_checksum_calculation": checksums,
        "response_checksum_validation": checksums,
        # One place says where the lake is: a variable such as AWS_ENDPOINT_URL would lead DuckDB and boto3 apart.
        "ignore_configured_endpoint_urls": True,
        "use_dualstack_endpoint": not store.disable_dualstack,
        "client_cert": (store.cert_file, store.key_file) if store.cert_file else None,
    }
    return Config(**options)


def _encryption(store: StoreSettings) -> dict[str, Any]:
    if store.sse_type == "SSE-S3":
        return {"ServerSideEncryption": "AES256"}
    if store.sse_type != "SSE-KMS":
        return {}
    encryption: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": store.kms_key_id}
    if store.kms_encryption_context:
        encryption["SSEKMSEncryptionContext"] = base64.b64encode(json.dumps(store.kms_encryption_context).encode()).decode()
    return encryption


def _give_parameters(client: S3Client, operations: tuple[str, ...], given: dict[str, Any]) -> None:
    def add(params: dict[str, Any], **kwargs: Any) -> Any:
        return {**given, **params}

    for operation in operations if given else ():
        client.meta.events.register(f"provide-client-params.s3.{operation}", add)


def _add_content_md5(params: dict[str, Any], **kwargs: Any) -> None:
    """The store checks what arrived against this, and refuses what was damaged on the way."""
    body = params["body"]
    digest = hashlib.md5(usedforsecurity=False)
    if isinstance(body, bytes | bytearray):
        digest.update(body)
    else:
        start = body.tell()
        while chunk := body.read(CHUNK):
            digest.update(chunk)
        body.seek(start)
    params["headers"]["Content-MD5"] = base64.b64encode(digest.digest()).decode()


def _send_at_once(params: dict[str, Any], **kwargs: Any) -> None:
    params["headers"].pop("Expect", None)


def _change_pool(client: S3Client, store: StoreSettings) -> None:
    """What botocore has no option for, and urllib3 below it has."""
    changes: dict[str, Any] = {}
    if store.max_conns_per_host:  # requests beyond that many wait for a connection
        changes |= {"maxsize": store.max_conns_per_host, "block": True}
    if store.server_name is not None:
        changes |= {"server_hostname": store.server_name, "assert_hostname": store.server_name}
    session: Any = client._endpoint.http_session  # type: ignore[attr-defined]
    session._manager.connection_pool_kw.update(changes)


def _show_trace() -> None:
    """Let the trace be seen: on stderr, unless the program that we are part of keeps logs itself."""
    trace_log.setLevel(logging.INFO)
    if not trace_log.hasHandlers():
        shown = logging.StreamHandler()
        shown.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        trace_log.addHandler(shown)


class _Watch:
    """Closes connections that nobody used for a while, and writes down each request where ``trace`` asks for it.

    Never what a request carries besides method, key and status: headers hold signatures, tokens and customer keys.
    """

    def __init__(self, client: S3Client, store: StoreSettings) -> None:
        self._client = client
        self._idle_seconds = store.idle_conn_timeout
        self._traces = store.trace
        self._last_used = time.monotonic()
        self._now = threading.local()

    def register(self) -> None:
        """Have botocore call this object around each attempt of a request; one attempt stays in one thread."""
        self._client.meta.events.register("before-send.s3", self._before)
        self._client.meta.events.register("response-received.s3", self._after)

    def _before(self, request: Any, **kwargs: Any) -> None:
        started = time.monotonic()
        if self._idle_seconds and started - self._last_used > self._idle_seconds:
            self._client.close()
        self._last_used = started
        self._now.request = (request.method, unquote(urlsplit(request.url).path), started)

    def _after(self, response_dict: Any = None, exception: Any = None, **kwargs: Any) -> None:
        self._last_used = time.monotonic()
        if not self._traces:
            return
        method, path, started = self._now.request
        status = response_dict["status_code"] if response_dict else type(exception).__name__
        trace_log.info("%s %s %s %d ms", method, path, status, round((self._last_used - started) * 1000))
