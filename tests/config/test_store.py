"""The store's options: every name is known, what cannot be honoured is refused by name, and no secret is ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.federated_store import read_federated_store
from cost_lakehouse.config.store import MEBIBYTE, StoreSettings
from cost_lakehouse.errors import ConfigurationError
from tests.docs.pages import ROOT, blocks

WAREHOUSE = "s3://acme-lake/warehouse"
# As Kubecost's documentation has it.
KUBECOST = """
type: S3
config:
  bucket: acme-lake
  endpoint: s3.amazonaws.com
  region: eu-central-1
  access_key: AKIAEXAMPLE
  secret_key: ${STORE_SECRET}
  insecure: false
  signature_version2: false
  put_user_metadata:
    "X-Amz-Acl": "bucket-owner-full-control"
  http_config:
    idle_conn_timeout: 90s
    response_header_timeout: 2m
    insecure_skip_verify: false
  trace:
    enable: true
  part_size: 134217728
"""
# As Thanos' documentation has it: everything, at its default.
THANOS = """
type: S3
config:
  bucket: ""
  endpoint: "127.0.0.1:8333"
  region: ""
  disable_dualstack: false
  aws_sdk_auth: false
  access_key: ""
  insecure: true
  signature_version2: false
  secret_key: ""
  session_token: ""
  put_user_metadata: {}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 2m
    insecure_skip_verify: false
    tls_handshake_timeout: 10s
    expect_continue_timeout: 1s
    max_idle_conns: 100
    max_idle_conns_per_host: 100
    max_conns_per_host: 0
    tls_config: {ca_file: "", cert_file: "", key_file: "", server_name: "", insecure_skip_verify: false}
    disable_compression: false
  trace: {enable: false}
  list_objects_version: ""
  bucket_lookup_type: auto
  send_content_md5: true
  disable_multipart: false
  part_size: 67108864
  sse_config: {type: "", kms_key_id: "", kms_encryption_context: {}, encryption_key: ""}
  sts_endpoint: ""
  max_retries: 0
prefix: ""
"""


def read(tmp_path: Path, text: str, warehouse: str = WAREHOUSE) -> StoreSettings:
    file = tmp_path / "federated-store.yaml"
    file.write_text(text)
    return read_federated_store(file, warehouse)


def changed(**options: Any) -> str:
    """The Thanos example with some of ``config`` (and, as ``http_config``, of that) written otherwise."""
    document = yaml.safe_load(THANOS)
    document["config"]["http_config"].update(options.pop("http_config", {}))
    document["config"].update(options)
    return yaml.safe_dump(document)


def test_kubecosts_own_example_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_SECRET", "planted-secret")
    store = read(tmp_path, KUBECOST)
    assert (store.endpoint, store.region, store.is_path_style) == (None, "eu-central-1", False)
    assert store.secret_key is not None
    assert store.secret_key.get_secret_value() == "planted-secret"
    assert store.object_parameters() == {"ACL": "bucket-owner-full-control"}
    assert (store.part_size, store.trace, store.response_header_timeout) == (128 * MEBIBYTE, True, 120)
    assert "planted-secret" not in repr(store)


def test_the_example_of_the_docs_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIO_ACCESS_KEY", "a")
    monkeypatch.setenv("MINIO_SECRET_KEY", "b")
    (example,) = [block for block in blocks("yml") if block.page.name == "store.md"]
    assert read(tmp_path, example.text).trace


def test_the_docs_name_every_option() -> None:
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    assert [name for name in StoreSettings.model_fields if f"`{name}`" not in text] == []


def test_thanos_file_of_all_defaults_is_what_nothing_says(tmp_path: Path) -> None:
    assert read(tmp_path, THANOS) == StoreSettings(endpoint="http://127.0.0.1:8333")


@pytest.mark.parametrize(
    ("endpoint", "region", "is_dual"),
    [
        ("s3.amazonaws.com", None, False),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1", False),
        ("s3-us-west-2.amazonaws.com:443", "us-west-2", False),
        ("s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1", True),
    ],
)
def test_awss_own_addresses_tell_the_region(tmp_path: Path, endpoint: str, region: str | None, is_dual: bool) -> None:
    store = read(tmp_path, f"{{type: S3, config: {{endpoint: {endpoint}}}}}")
    assert (store.endpoint, store.region, store.disable_dualstack) == (None, region, not is_dual)


@pytest.mark.parametrize(
    ("said", "seconds"), [("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("0", 0), ("0s", 0), ("1.5s", 1.5), ("1d", 86400)]
)
def test_durations_are_gos(tmp_path: Path, said: str, seconds: float) -> None:
    store = read(tmp_path, changed(http_config={"response_header_timeout": said}))
    assert store.response_header_timeout == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"http_config": {"response_header_timeout": "2 minutes"}}, "config.http_config.response_header_timeout: write a dura"),
        ({"http_config": {"response_header_timeout": 30}}, "config.http_config.response_header_timeout: write a duration"),
        ({"http_config": {"expect_continue_timeout": "5s"}}, "config.http_config.expect_continue_timeout: only 1s"),
        ({"http_config": {"force_attempt_http2": True}}, "config.http_config.force_attempt_http2: cannot be honoured"),
        ({"http_config": {"tls_config": {"insecure_skip_verify": True}}}, "contradicts http_config.insecure_skip_verify"),
        ({"http_config": {"insecure_skip_verify": True}}, "insecure_skip_verify goes with"),
        ({"signature_version2": True}, "signature_version2 cannot be honoured"),
        ({"endpoint": "http://127.0.0.1"}, "config.endpoint: write host or host:port"),
        ({"endpoint": ""}, "config.endpoint"),
        ({"part_size": 1000}, "config.part_size"),
        ({"sse_config": {"type": "SSE-X"}}, "config.sse_config.type"),
        ({"sse_config": {"type": "SSE-KMS"}}, "SSE-KMS and kms_key_id go together"),
        ({"sse_config": {"type": "SSE-C"}}, "SSE-C and encryption_key"),
        ({"access_key": "a"}, "access_key and secret_key go together"),
        ({"access_key": "a", "secret_key": "b", "aws_sdk_auth": True}, "aws_sdk_auth uses the machine's own role"),
        ({"access_key": "a", "secret_key": "b", "sts_endpoint": "https://sts"}, "sts_endpoint is where"),
        ({"put_user_metadata": {"X-Amz-Copy-Source": "a"}}, "config.put_user_metadata: X-Amz-Copy-Source cannot be set"),
        ({"put_user_metadata": {"X-Amz-Server-Side-Encryption": "AES256"}}, "say it with sse_type"),
        ({"put_user_metadata": {"X-Amz-Storage-Class": "GLACIER"}}, "cannot be read at once"),
        ({"nonsense": 1}, "config.nonsense: unknown key"),
        ({"bucket": "another"}, "names the bucket 'another'"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        read(tmp_path, changed(**options))
    assert words in str(told.value)


@pytest.mark.parametrize("text", ["type: GCS\nconfig: {endpoint: a}", "[]", "", "config: {endpoint: a}", "type: [", "type: S3"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path, text)


def test_a_contradicting_prefix_is_refused_and_the_same_one_is_fine(tmp_path: Path) -> None:
    read(tmp_path, THANOS.replace('prefix: ""', "prefix: warehouse/"))
    with pytest.raises(ConfigurationError, match="names the prefix 'other'"):
        read(tmp_path, THANOS.replace('prefix: ""', "prefix: other"))


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORE_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match=r"config\.secret_key needs the environment variable STORE_SECRET"):
        read(tmp_path, KUBECOST)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absent.yaml cannot be read"):
        read_federated_store(tmp_path / "absent.yaml", WAREHOUSE)


def test_lakehouse_yaml_leads_to_the_file_and_its_files_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    secure = changed(insecure=False, http_config={"tls_config": {"ca_file": "ca.pem"}})
    (tmp_path / "stores" / "store.yaml").write_text(secure)
    (tmp_path / "lakehouse.yaml").write_text(f"lake: {{warehouse: {WAREHOUSE}, store_config: stores/store.yaml}}")
    store = load_settings(tmp_path / "lakehouse.yaml").store
    assert (store.endpoint, store.ca_file) == ("https://127.0.0.1:8333", str(tmp_path / "stores" / "ca.pem"))


def test_the_flat_block_has_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text(
        f"lake: {{warehouse: {WAREHOUSE}, store: {{endpoint: 'https://store', ca_file: ca.pem, idle_conn_timeout: 5s, "
        "put_user_metadata: {X-Amz-Acl: private, team: finance}}}"
    )
    store = load_settings(tmp_path / "lakehouse.yaml").store
    assert (store.ca_file, store.idle_conn_timeout) == (str(tmp_path / "ca.pem"), 5)
    assert store.object_parameters() == {"ACL": "private", "Metadata": {"team": "finance"}}
    assert store.grants_rights


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("store: {endpoint: ftp://a}", "lake.store.endpoint: write https://host"),
        ("store: {endpoint: 'https://user:pw@a'}", "without a path or a password"),
        ("store: {ca_file: a, insecure_skip_verify: true}", "keep one of them"),
        ("store: {cert_file: a}", "cert_file and key_file go together"),
        ("store: {unknown: a}", "lake.store.unknown: unknown key"),
        ("store: {}, store_config: a", "keep one of them"),
    ],
)
def test_contradictions_in_lakehouse_yaml_are_named(tmp_path: Path, said: str, words: str) -> None:
    (tmp_path / "lakehouse.yaml").write_text(f"lake: {{warehouse: {WAREHOUSE}, {said}}}")
    with pytest.raises(ConfigurationError) as told:
        load_settings(tmp_path / "lakehouse.yaml")
    assert words in str(told.value)


def test_seconds_that_were_read_once_are_read_again() -> None:
    store = StoreSettings(idle_conn_timeout="5s")  # type: ignore[arg-type]  # as YAML has it
    assert StoreSettings(**store.model_dump()) == store
    with pytest.raises(ValidationError):
        StoreSettings(idle_conn_timeout=True)
