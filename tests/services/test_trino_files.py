"""Trino's files are fetched once, whole, and only if they are what they should be."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.services import trino_files as files
from tests.services.trino import TrinoServer, TrinoServerError


class Registry:
    """Stands for the Maven repository: tiny archives that are laid out as the real ones."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.contents = {
            "trino-server-core": _server_archive(
                "lib/a.jar", "plugin/password-authenticators/b.jar", "plugin/geospatial/c.jar"
            ),
            "trino-iceberg": _plugin_archive("d.jar"),
        }

    def context(self, repo_cache: Path, timeout: int) -> SimpleNamespace:
        """As jgo's MavenContext."""

        def project(group: str, artifact: str) -> SimpleNamespace:
            def resolve() -> Path:
                self.before_answer()
                self.fetched.append(artifact)
                repo_cache.mkdir(exist_ok=True)
                (repo_cache / artifact).write_bytes(self.contents[artifact])
                return repo_cache / artifact

            found = SimpleNamespace(artifact=lambda classifier, packaging: SimpleNamespace(resolve=resolve))
            return SimpleNamespace(at_version=lambda version: found)

        return SimpleNamespace(project=project)


def _server_archive(*names: str) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"trino-server-core-{files.VERSION}/{name}"))
    return written.getvalue()


def _plugin_archive(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(f"trino-iceberg-{files.VERSION}/{name}"), "")
    return written.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """An empty cache, and a registry that can fill it."""
    made = Registry()
    monkeypatch.setenv(files.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("jgo.maven.MavenContext", made.context)
    for name in ("SERVER", "ICEBERG"):
        archive: files.Archive = getattr(files, name)
        digest = hashlib.sha256(made.contents[archive.artifact]).hexdigest()
        monkeypatch.setattr(files, name, replace(archive, sha256=digest))
    return made


def test_what_was_fetched_once_is_used_by_the_second_start(registry: Registry) -> None:
    folder = files.trino_files()

    assert files.trino_files() == folder
    assert registry.fetched == ["trino-server-core", "trino-iceberg"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jar")) == [
        "lib/a.jar",
        "plugin/iceberg/d.jar",
        "plugin/password-authenticators/b.jar",
    ]


def test_two_at_once_fetch_once(registry: Registry) -> None:
    both_asked = threading.Barrier(2)
    threads = [threading.Thread(target=lambda: (both_asked.wait(), files.trino_files())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert registry.fetched == ["trino-server-core", "trino-iceberg"]


def test_what_a_killed_fetch_left_is_not_taken_for_the_whole(registry: Registry, tmp_path: Path) -> None:
    left = tmp_path / "cache" / f"trino-{files.VERSION}-{files.LAYOUT}.new-killed"
    (left / "trino" / "lib").mkdir(parents=True)

    assert (files.trino_files() / "plugin" / "iceberg" / "d.jar").exists()
    assert not left.exists()


def test_a_file_that_is_not_the_expected_one_is_refused_and_not_kept(registry: Registry, tmp_path: Path) -> None:
    registry.contents["trino-iceberg"] = _plugin_archive("changed.jar")

    with pytest.raises(files.TrinoFilesError, match=r"io.trino:trino-iceberg:.* is not the file that was expected"):
        files.trino_files()

    assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_machine_without_the_registry_is_told_what_it_lacks(registry: Registry, tmp_path: Path) -> None:
    def unreachable() -> None:
        raise ConnectionError("no route to host")

    registry.before_answer = unreachable

    with pytest.raises(TrinoServerError, match=r"io.trino:trino-server-core:\d+:tar.gz cannot be fetched .*: no route to host"):
        TrinoServer(tmp_path / "trino").start()
