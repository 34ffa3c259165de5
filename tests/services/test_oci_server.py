"""Oracle Cloud's local server, asked with the official SDK as it is."""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oci
import pytest

from tests.services.oci import Fault, OciServer

NO_RETRY = oci.retry.NoneRetryStrategy()


@pytest.fixture
def client(oci_server: OciServer, tmp_path: Path) -> Any:
    return object_storage(oci_server, tmp_path)


def object_storage(server: OciServer, folder: Path, **options: Any) -> Any:
    key = server.add_user(folder / "oci", **options)
    config = oci.config.from_file(str(key.config_file), options.get("profile", "DEFAULT"))
    return oci.object_storage.ObjectStorageClient(config, service_endpoint=server.endpoint, retry_strategy=NO_RETRY)


def test_a_listing_comes_in_pages(oci_server: OciServer, client: Any) -> None:
    bucket = oci_server.make_bucket()
    names = [f"reports/cost-csv/{number:06}.csv.gz" for number in range(2345)]
    for name in names:
        oci_server.add_object(bucket, name, b"x")
    listed, start, pages = [], None, 0
    while True:
        page = client.list_objects("bling", bucket.name, prefix="reports/", start=start, fields="name,size,etag,md5").data
        listed += [stored_object.name for stored_object in page.objects]
        pages += 1
        start = page.next_start_with
        if start is None:
            break
    assert listed == names
    assert pages == 3


def test_a_delimiter_gives_folders(oci_server: OciServer, client: Any) -> None:
    bucket = oci_server.make_bucket()
    for name in ("FOCUS Reports/2026/10/01/a.csv.gz", "reports/cost-csv/1.csv.gz", "top"):
        oci_server.add_object(bucket, name, b"x")
    page = client.list_objects("bling", bucket.name, delimiter="/").data
    assert page.prefixes == ["FOCUS Reports/", "reports/"]
    assert [stored_object.name for stored_object in page.objects] == ["top"]


def test_content_ranges_and_checksums(oci_server: OciServer, client: Any) -> None:
    bucket = oci_server.make_bucket()
    content = bytes(range(256)) * 10
    one = oci_server.add_object(bucket, "FOCUS Reports/2026/one file.csv.gz", content)
    parts = oci_server.add_object(bucket, "parts", content, part_size=1000)
    answer = client.get_object("bling", bucket.name, one.name)
    assert answer.data.content == content
    assert answer.headers["content-md5"] == base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    answer = client.get_object("bling", bucket.name, "parts", range="bytes=100-199", if_match=parts.etag)
    assert (answer.status, answer.data.content) == (206, content[100:200])
    assert "content-md5" not in answer.headers
    assert answer.headers["opc-multipart-md5"].endswith("-3")
    with pytest.raises(oci.exceptions.ServiceError) as refused:
        client.get_object("bling", bucket.name, "parts", if_match="another")
    assert (refused.value.status, refused.value.code) == (412, "IfMatchFailed")


def test_a_wrong_key_and_a_wrong_clock_are_refused(
    oci_server: OciServer, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = oci_server.make_bucket()
    wrong = SimpleNamespace(formatdate=lambda usegmt: formatdate(0, usegmt=usegmt))
    monkeypatch.setattr("oci.signer.email", SimpleNamespace(utils=wrong))
    with pytest.raises(oci.exceptions.ServiceError) as refused:
        client.list_objects("bling", bucket.name)
    assert refused.value.status == 401
    assert "clock skew" in refused.value.message
    monkeypatch.undo()
    key = oci_server.add_user(tmp_path / "gone")
    oci_server.directory.forget(key)
    stranger = oci.object_storage.ObjectStorageClient(
        oci.config.from_file(str(key.config_file)), service_endpoint=oci_server.endpoint, retry_strategy=NO_RETRY
    )
    with pytest.raises(oci.exceptions.ServiceError) as refused:
        stranger.list_objects("bling", bucket.name)
    assert (refused.value.status, refused.value.code) == (401, "NotAuthenticated")


def test_another_tenancy_sees_nothing(oci_server: OciServer, tmp_path: Path) -> None:
    bucket = oci_server.make_bucket()
    other = object_storage(oci_server, tmp_path, tenancy=oci_server.new_tenancy(), profile="OTHER")
    with pytest.raises(oci.exceptions.ServiceError) as refused:
        other.list_objects("bling", bucket.name)
    assert (refused.value.status, refused.value.code) == (404, "NotAuthorizedOrNotFound")


def test_throttling_says_when_to_come_back(oci_server: OciServer, client: Any) -> None:
    bucket = oci_server.make_bucket()
    oci_server.fail(Fault(429, "TooManyRequests", "Too many requests for the tenant", retry_after=7))
    with pytest.raises(oci.exceptions.ServiceError) as refused:
        client.list_objects("bling", bucket.name)
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "7")
    assert client.list_objects("bling", bucket.name).data.objects == []


def test_a_secret_and_a_topic(oci_server: OciServer, tmp_path: Path) -> None:
    key = oci_server.add_user(tmp_path / "oci")
    config = oci.config.from_file(str(key.config_file))
    secret, topic = oci_server.add_secret(b"  AKIA\n"), oci_server.make_topic()
    vault = oci.secrets.SecretsClient(config, service_endpoint=oci_server.endpoint)
    content = vault.get_secret_bundle(secret).data.secret_bundle_content
    assert base64.b64decode(content.content) == b"  AKIA\n"
    notifications = oci.ons.NotificationDataPlaneClient(config, service_endpoint=oci_server.endpoint)
    details = oci.ons.models.MessageDetails(title="late", body="acme is late")
    assert notifications.publish_message(topic, details, message_type="RAW_TEXT").status == 202
    assert [(message.title, message.body) for message in oci_server.messages(topic)] == [("late", "acme is late")]
    key.principal.rights.clear()
    with pytest.raises(oci.exceptions.ServiceError, match="NotAuthorizedOrNotFound"):
        vault.get_secret_bundle(secret, retry_strategy=NO_RETRY)
    with pytest.raises(oci.exceptions.ServiceError, match="NotAuthorizedOrNotFound"):
        notifications.publish_message(topic, details, retry_strategy=NO_RETRY)
