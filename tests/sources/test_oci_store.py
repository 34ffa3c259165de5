"""A tenancy's bucket, read through the official SDK from the local server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.sources.oci.store import OciStore
from tests.services.oci import Fault, OciServer, Seen

CONTENT = bytes(range(256)) * 4096  # 1 MiB


class Pauses(list[float]):
    """What waiting was asked for, without waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def store(oci_server: OciServer, tmp_path: Path, pauses: Pauses) -> OciStore:
    return OciStore.of(oci_server.tenancy, settings_of(oci_server, tmp_path), pause=pauses)


def settings_of(server: OciServer, folder: Path) -> OciSettings:
    key = server.add_user(folder / "oci", profile="REPORTS")
    return OciSettings(config_file=str(key.config_file), profile="REPORTS", endpoint=server.endpoint)


def of_objects(seen: Seen) -> bool:
    return "/o/" in seen.path


def test_lists_any_number_of_objects(oci_server: OciServer, store: OciStore) -> None:
    bucket = oci_server.make_bucket()
    names = [f"reports/cost-csv/{number:07}-00001.csv.gz" for number in range(2001)]
    for name in names:
        oci_server.add_object(bucket, name, b"x")
    oci_server.add_object(bucket, "reports/usage-csv/1.csv.gz", b"x")
    assert [entry.key for entry in store.list("reports/cost-csv/")] == names
    assert len(oci_server.requests("GET", "/o")) == 3


def test_tells_checksums_as_far_as_they_are_of_the_content(oci_server: OciServer, store: OciStore) -> None:
    bucket = oci_server.make_bucket()
    oci_server.add_object(bucket, "parts", CONTENT, part_size=1000)
    oci_server.add_object(bucket, "whole", CONTENT)
    parts, whole = store.list_with_checksums("")
    assert (parts.md5, parts.checksum.endswith("-1049")) == (None, True)
    assert whole.md5 == hashlib.md5(CONTENT, usedforsecurity=False).digest()


def test_shows_one_level(oci_server: OciServer, store: OciStore) -> None:
    bucket = oci_server.make_bucket()
    for name in ("FOCUS Reports/2026/10/01/a.csv.gz", "reports/cost-csv/1.csv.gz", "top"):
        oci_server.add_object(bucket, name, b"x")
    level = store.list_folder("")
    assert level.folders == ("FOCUS Reports/", "reports/")
    assert [stored_object.key for stored_object in level.objects] == ["top"]


def test_reads_an_object_and_a_part_of_it(oci_server: OciServer, store: OciStore) -> None:
    bucket = oci_server.make_bucket()
    made = oci_server.add_object(bucket, "FOCUS Reports/2026/10/01/a b.csv.gz", CONTENT)
    found = store.head(made.name)
    assert found is not None
    assert (found.etag, found.size, found.last_modified) == (made.etag, len(CONTENT), made.modified.replace(microsecond=0))
    assert store.read(found) == CONTENT
    with store.open_range(found, 1000, 5000) as part:
        assert part.read() == CONTENT[1000:5000]
    oci_server.add_object(bucket, "empty", b"")
    (empty,) = store.list("empty")
    assert store.read(empty) == b""
    assert store.head("nothing") is None


def test_a_cut_download_goes_on_where_it_was(oci_server: OciServer, store: OciStore, pauses: Pauses) -> None:
    oci_server.add_object(oci_server.make_bucket(), "cut", CONTENT)
    (found,) = store.list("cut")
    oci_server.fail(Fault(cut_after=300_000, times=3, matches=of_objects))
    assert store.read(found) == CONTENT
    ranges = [request.headers.get("range") for request in oci_server.requests("GET", "/o/")]
    assert ranges == [None, *(f"bytes={at}-1048575" for at in (300_000, 600_000, 900_000))]
    assert len(pauses) == 3


def test_a_connection_that_keeps_breaking_is_told(oci_server: OciServer, store: OciStore) -> None:
    oci_server.add_object(oci_server.make_bucket(), "cut", CONTENT)
    (found,) = store.list("cut")
    oci_server.fail(Fault(cut_after=10, times=1000, matches=of_objects))
    with pytest.raises(DeliveryFailed, match="the connection broke 11 times, last at byte 110"):
        store.read(found)


def test_an_object_that_was_replaced_is_not_mixed_with_the_old_one(oci_server: OciServer, store: OciStore) -> None:
    bucket = oci_server.make_bucket()
    oci_server.add_object(bucket, "replaced", CONTENT)
    (found,) = store.list("replaced")
    oci_server.add_object(bucket, "replaced", CONTENT[::-1])
    with pytest.raises(DeliveryChanged):
        store.read(found)
    bucket.remove("replaced")
    with pytest.raises(DeliveryChanged):
        store.read(found)


def test_throttling_waits_as_long_as_the_service_says(oci_server: OciServer, store: OciStore, pauses: Pauses) -> None:
    oci_server.add_object(oci_server.make_bucket(), "one", b"1")
    oci_server.fail(Fault(429, "TooManyRequests", "Tenant is throttled", retry_after=7, times=2))
    oci_server.fail(Fault(500, "InternalServerError", "Out of luck"))
    assert [entry.key for entry in store.list("")] == ["one"]
    assert pauses[:2] == [7, 7]
    assert 0 < pauses[2] <= 2


def test_a_service_that_stays_broken_is_told(oci_server: OciServer, store: OciStore, pauses: Pauses) -> None:
    oci_server.make_bucket()
    oci_server.fail(Fault(503, times=100))
    with pytest.raises(SourceError, match="throttling or failing \\(503 ServiceUnavailable"):
        list(store.list(""))
    assert len(pauses) == 7
