"""Reading a bucket over real HTTP: paging, conditional reads and broken connections."""

from __future__ import annotations

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed
from cost_lakehouse.storage.object_store import StoredObject
from cost_lakehouse.storage.request_count import requests_sent
from cost_lakehouse.storage.resuming_reader import RESUMES
from cost_lakehouse.storage.s3_client import make_s3_client
from cost_lakehouse.storage.s3_store import S3Store, split_location
from tests.services.cutting_proxy import CuttingProxy
from tests.services.s3 import S3Server
from tests.sources.s3_sources import source_of

BIG = 1_000_000
AFTER = 200_000


@pytest.fixture
def store(s3_server: S3Server, s3_shared_bucket: str) -> S3Store:
    return S3Store.of(source_of(s3_server, s3_shared_bucket))


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex[:12]}/"


def put(server: S3Server, bucket: str, key: str, content: bytes) -> None:
    server.client().put_object(Bucket=bucket, Key=key, Body=content)


def listed(store: S3Store, key: str) -> StoredObject:
    found = store.head(key)
    assert found is not None
    assert list(store.list(key)) == [found]
    return found


def test_more_than_a_thousand_objects_are_listed(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str
) -> None:
    keys = [f"{prefix}{number:04d}/hourly.csv.gz" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(s3_server, s3_shared_bucket, key, b"x"), keys))
    assert [entry.key for entry in store.list(prefix)] == keys
    assert store.list_folder(prefix).folders == tuple(f"{prefix}{number:04d}/" for number in range(1005))


def test_requests_to_a_bills_place_are_counted(store: S3Store, prefix: str) -> None:
    before = requests_sent()

    assert store.head(f"{prefix}not-there") is None
    assert list(store.list(prefix)) == []

    assert requests_sent() - before == 2


def test_small_pages_lose_and_double_nothing(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    names = ["a", "b/1", "b/2", "c", "d/1", "e e+ü&<x>"]
    for name in names:
        put(s3_server, s3_shared_bucket, prefix + name, b"x")
    store = S3Store(s3_server.client(), s3_shared_bucket, page_size=1)
    assert [entry.key for entry in store.list(prefix)] == [prefix + name for name in names]
    level = store.list_folder(prefix)
    assert [stored_object.key for stored_object in level.objects] == [f"{prefix}a", f"{prefix}c", f"{prefix}e e+ü&<x>"]
    assert level.folders == (f"{prefix}b/", f"{prefix}d/")


def test_folder_markers_are_no_objects(s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}folder/", b"")
    put(s3_server, s3_shared_bucket, f"{prefix}folder/file", b"x")
    assert [entry.key for entry in store.list(prefix)] == [f"{prefix}folder/file"]
    assert [stored_object.key for stored_object in store.list_folder(f"{prefix}folder/").objects] == [f"{prefix}folder/file"]


def test_an_object_that_is_not_there_has_no_head(store: S3Store, prefix: str) -> None:
    assert store.head(f"{prefix}nothing") is None
    assert list(store.list(prefix)) == []


def test_an_object_is_read_as_it_was_listed(s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    put(s3_server, s3_shared_bucket, f"{prefix}empty", b"")
    assert store.read(listed(store, f"{prefix}f")) == b"content"
    assert store.read(listed(store, f"{prefix}empty")) == b""
    assert store.describe(f"{prefix}f") == f"s3://{s3_shared_bucket}/{prefix}f"


@pytest.mark.parametrize("replacement", [b"other 2", b"something longer"])
def test_an_object_that_was_replaced_after_it_was_listed_is_not_read(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str, replacement: bytes
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    found = listed(store, f"{prefix}f")
    put(s3_server, s3_shared_bucket, f"{prefix}f", replacement)
    with pytest.raises(DeliveryChanged, match="was changed or removed"):
        store.open(found)


def test_an_object_that_vanished_after_it_was_listed_is_a_change(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    found = listed(store, f"{prefix}f")
    s3_server.client().delete_object(Bucket=s3_shared_bucket, Key=f"{prefix}f")
    with pytest.raises(DeliveryChanged):
        store.open(found)


def pseudo_random(size: int) -> bytes:
    """Bytes of which no two stretches are alike, so that a wrong offset shows."""
    return b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(size // 32 + 1))[:size]


def test_a_connection_that_breaks_is_resumed_where_it_was(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    content = pseudo_random(BIG)
    put(s3_server, s3_shared_bucket, f"{prefix}big", content)
    pauses: list[float] = []
    with CuttingProxy(s3_server.port, after=AFTER, cuts=3) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(client, s3_shared_bucket, pause=pauses.append)
        with store.open(listed(store, f"{prefix}big")) as stream:
            assert stream.read() == content
        assert proxy.cuts_left == 0
    assert pauses == [0.2, 0.4, 0.8]


def test_a_connection_that_keeps_breaking_fails_the_delivery(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}big", pseudo_random(BIG))
    pauses: list[float] = []
    with CuttingProxy(s3_server.port, after=20_000, cuts=1000) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(client, s3_shared_bucket, pause=pauses.append)
        with pytest.raises(DeliveryFailed, match=rf"the connection broke {RESUMES + 1} times, last at byte \d+ of {BIG}"):
            store.open(listed(store, f"{prefix}big")).read()
    assert len(pauses) == RESUMES


def test_an_object_that_is_replaced_while_a_broken_read_pauses_is_not_mixed(
    s3_server: S3Server, s3_shared_bucket: str, prefix: str
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}big", pseudo_random(BIG))
    with CuttingProxy(s3_server.port, after=AFTER, cuts=1) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(
            client, s3_shared_bucket, pause=lambda seconds: put(s3_server, s3_shared_bucket, f"{prefix}big", b"new" * 333_333)
        )
        with pytest.raises(DeliveryChanged):
            store.open(listed(store, f"{prefix}big")).read()


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("s3://b/cur/hourly", ("b", "cur/hourly")),
        ("s3://b/cur/hourly/", ("b", "cur/hourly")),
        ("s3://b//hourly", ("b", "/hourly")),
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
    ],
)
def test_a_location_is_split_into_bucket_and_prefix(location: str, parts: tuple[str, str]) -> None:
    assert split_location(location) == parts
