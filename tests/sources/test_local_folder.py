"""A folder read like a bucket: its root, links, and files that change under the reader."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_root import find_bucket_root
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import StoredObject
from tests.sources.places import OCTOBER, FolderPlace, Report, manifest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bucket" / "a" / "b").mkdir(parents=True)
    (tmp_path / "bucket" / "a" / "one").write_bytes(b"1")
    (tmp_path / "bucket" / "a" / "b" / "two").write_bytes(b"22")
    (tmp_path / "bucket" / "ab").write_bytes(b"333")
    return tmp_path / "bucket"


def listed(store: LocalFolder, key: str) -> StoredObject:
    found = store.head(key)
    assert found is not None
    return found


def test_files_are_listed_like_keys(root: Path) -> None:
    store = LocalFolder(root)
    assert [entry.key for entry in store.list("")] == ["a/b/two", "a/one", "ab"]
    assert [entry.key for entry in store.list("a")] == ["a/b/two", "a/one", "ab"]
    assert [entry.key for entry in store.list("a/")] == ["a/b/two", "a/one"]
    assert [entry.key for entry in store.list("a/b/t")] == ["a/b/two"]
    assert [entry.key for entry in store.list("nowhere/")] == []
    level = store.list_folder("a/")
    assert ([stored_object.key for stored_object in level.objects], level.folders) == (["a/one"], ("a/b/",))
    assert store.list_folder("").folders == ("a/",)
    assert store.head("a") is None
    assert store.head("a/one/deeper") is None


def test_an_etag_is_size_and_modification_time(root: Path) -> None:
    os.utime(root / "ab", ns=(0, 1_790_000_000_123_456_789))
    found = listed(LocalFolder(root), "ab")
    assert (found.etag, found.size) == ("3-1790000000123456789", 3)
    assert found.last_modified.replace(microsecond=0) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def _become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "rewritten": lambda path: path.write_bytes(b"444"),
    "longer": lambda path: path.write_bytes(b"4444"),
    "cut": lambda path: path.write_bytes(b"4"),
    "gone": lambda path: path.unlink(),
    "now a folder": _become_a_folder,
}


def _age(path: Path) -> None:
    """Set a file's time back, as two writes within one tick of the clock look alike."""
    os.utime(path, ns=(0, 1_790_000_000_000_000_000))


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_after_it_was_listed_is_not_read(root: Path, change: str) -> None:
    _age(root / "ab")
    store = LocalFolder(root)
    found = listed(store, "ab")
    CHANGES[change](root / "ab")
    with pytest.raises(DeliveryChanged, match="was changed or removed"):
        store.open(found)


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_noticed_at_its_end(root: Path, change: str) -> None:
    (root / "ab").write_bytes(b"x" * 3_000_000)
    _age(root / "ab")
    store = LocalFolder(root)
    with store.open(listed(store, "ab")) as stream:
        stream.read(10)
        CHANGES[change](root / "ab")
        with pytest.raises(DeliveryChanged):
            stream.read()


def test_a_file_is_read_to_its_end_in_small_steps(root: Path) -> None:
    store = LocalFolder(root)
    with store.open(listed(store, "a/b/two")) as stream:
        assert [stream.read(1), stream.read(1), stream.read(1)] == [b"2", b"2", b""]


def test_a_link_within_the_root_is_followed(root: Path) -> None:
    (root / "link").symlink_to(root / "a")
    (root / "a" / "round").symlink_to(root)
    store = LocalFolder(root)
    assert store.read(listed(store, "link/one")) == b"1"
    assert "link/b/two" in [entry.key for entry in store.list("")]


def test_nothing_outside_of_the_root_is_opened_or_entered(root: Path) -> None:
    (root.parent / "secret").write_bytes(b"secret")
    (root / "file").symlink_to(root.parent / "secret")
    (root / "folder").symlink_to(root.parent)
    store = LocalFolder(root)
    level = store.list_folder("")
    assert level.folders == ("a/", "folder/")
    with pytest.raises(DeliveryFailed, match="leads out of"):
        store.open(next(stored_object for stored_object in level.objects if stored_object.key == "file"))
    for key in ("file", "folder/secret", "../secret", "/etc/passwd"):
        with pytest.raises(DeliveryFailed, match="leads out of"):
            store.head(key)
    for folder in ("folder/", "../"):
        with pytest.raises(DeliveryFailed, match="leads out of"):
            store.list_folder(folder)


def test_a_month_behind_a_link_out_of_the_root_fails_with_the_way_out(folder_report: Report, tmp_path: Path) -> None:
    folder_report.deliver("a")
    (tmp_path / "elsewhere").mkdir()
    month = tmp_path / "bucket" / folder_report.location / "20261101-20261201"
    month.symlink_to(tmp_path / "elsewhere")
    october, november = folder_report.discover()
    assert october.status is Status.NEW
    assert november.status is Status.FAILED
    assert "leads out of" in november.reason
    assert "instead of linking" in november.reason


def _deny(*args: object, **kwargs: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")  # A folder's mode would not stop the superuser.


def test_a_folder_that_may_not_be_listed_is_an_error_of_the_source(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cost_lakehouse.storage.local_folder.os.listdir", _deny)
    with pytest.raises(SourceError, match=r"cannot be listed: Permission denied\. Give this user the right"):
        LocalFolder(root).list_folder("a/")


def test_a_file_that_may_not_be_read_fails_its_delivery(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalFolder(root)
    found = listed(store, "ab")
    monkeypatch.setattr(Path, "open", _deny)
    with pytest.raises(DeliveryFailed, match="ab cannot be opened: Permission denied"):
        store.open(found)


@pytest.mark.parametrize("prefix", ["cur", "deep/er/cur", "hourly"])
def test_the_root_is_the_ancestor_under_which_the_keys_exist(tmp_path: Path, prefix: str) -> None:
    report = Report(FolderPlace(tmp_path / "bucket"), prefix=prefix)
    report.deliver("a")
    assert find_bucket_root(tmp_path / "bucket" / prefix / "hourly") == tmp_path / "bucket"


def test_the_root_is_told_by_an_older_delivery_while_the_newest_has_no_file_yet(tmp_path: Path) -> None:
    report = Report(FolderPlace(tmp_path / "bucket"))
    report.deliver("a")
    report.deliver("b", missing=[1])
    report.place.put(f"{report.folder(OCTOBER)}c/hourly-Manifest.json", b"{")
    assert find_bucket_root(tmp_path / "bucket" / "cur" / "hourly") == tmp_path / "bucket"


def test_a_copy_under_another_name_is_told_by_its_manifest(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    place.put(
        "copy/hourly/20261001-20261101/hourly-Manifest.json", manifest("hourly", "a", ["cur/hourly/20261001-20261101/f.gz"])
    )
    (finding,) = open_source(place.settings(), place.source("copy/hourly")).list_deliveries().months
    assert finding.status is Status.FAILED
    assert "'cur/hourly/20261001-20261101/f.gz', which is outside of this location" in finding.reason


def test_a_location_that_is_no_folder_is_an_error_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for wrong, said in (("nothing", f"There is no folder {tmp_path}/nothing"), ("file", f"{tmp_path}/file is a file; ")):
        with pytest.raises(SourceError, match=said):
            open_source(FolderPlace(tmp_path).settings(), FolderPlace(tmp_path).source(wrong)).list_deliveries()


def test_a_relative_location_is_relative_to_the_configuration(tmp_path: Path) -> None:
    report = Report(FolderPlace(tmp_path / "bucket"))
    report.deliver("a")
    settings = Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml")
    source = AwsCurSettings(name="acme", kind="aws_cur", location="bucket/cur/hourly/")
    assert [month.status for month in open_source(settings, source).list_deliveries().months] == [Status.NEW]
