"""Trino's own files: fetched once from the Maven repository, kept in a cache outside the project, shared by all processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.services.process import ServiceError

CACHE_VARIABLE = "COST_LAKEHOUSE_TEST_CACHE"
VERSION = "476"
# Raised when what is unpacked changes: an older cache is then left alone, and made anew beside it.
LAYOUT = 1
TIMEOUT_SECONDS = 60
# Of the server's own plugins those that its tests use; each one that is there makes every start longer.
KEPT_PLUGINS = ("password-authenticators",)
EXCHANGE = "plugin/exchange-filesystem"


@dataclass(frozen=True)
class Archive:
    """One artifact of the Maven repository, and what it has to be."""

    artifact: str
    packaging: str
    sha256: str


SERVER = Archive("trino-server-core", "tar.gz", "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158")
ICEBERG = Archive("trino-iceberg", "zip", "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c")


class TrinoFilesError(ServiceError):
    """Trino's files cannot be had; the message says why."""


def cache_folder() -> Path:
    """Where fetched programs are kept: ``COST_LAKEHOUSE_TEST_CACHE``, else the user's cache folder."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cost-lakehouse"


def trino_files() -> Path:
    """The folder of an unpacked Trino with the Iceberg plugin, fetched where it is not in the cache yet.

    Raises TrinoFilesError where it cannot be fetched.
    """
    return _kept(
        f"trino-{VERSION}-{LAYOUT}", lambda aside, target: _unpack(_fetch(SERVER, aside), _fetch(ICEBERG, aside), target)
    )


def exchange_plugin() -> Path:
    """The plugin that keeps what tasks hand on in a store, of the server's archive; fetched where it is not in the cache yet.

    Not beside the others, as each plugin makes every start longer. Raises TrinoFilesError where it cannot be fetched.
    """

    def unpack(aside: Path, target: Path) -> None:
        target.mkdir()
        with tarfile.open(_fetch(SERVER, aside)) as archive:
            # Its files are links to the server's.
            _extract(archive, target, ("lib", EXCHANGE))
        shutil.rmtree(target / "lib")

    return _kept(f"trino-{VERSION}-exchange-1", unpack) / EXCHANGE


def _kept(name: str, unpack: Callable[[Path, Path], None]) -> Path:
    """A folder of the cache, which ``unpack`` fills below a folder of its own where it is not there.

    Two processes at once fetch it once; a process killed half-way leaves nothing that is taken for the whole.
    """
    cache = cache_folder()
    ready = cache / name
    if ready.is_dir():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{ready.name}.lock"):
        if not ready.is_dir():
            unfinished = f"{ready.name}.new-"
            for leftover in cache.glob(f"{unfinished}*"):
                shutil.rmtree(leftover)
            aside = Path(tempfile.mkdtemp(prefix=unfinished, dir=cache))
            try:
                unpack(aside, aside / "trino")
                (aside / "trino").rename(ready)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    return ready


def _fetch(archive: Archive, folder: Path) -> Path:
    try:
        from jgo.maven import MavenContext
    except ImportError:
        raise TrinoFilesError("There is no `jgo`. Install the development group: `uv sync`.") from None
    context = MavenContext(repo_cache=folder / "maven", timeout=TIMEOUT_SECONDS)
    component = context.project("io.trino", archive.artifact).at_version(VERSION)
    name = f"io.trino:{archive.artifact}:{VERSION}:{archive.packaging}"
    try:
        file = component.artifact("", archive.packaging).resolve()
    except (OSError, RuntimeError) as error:
        raise TrinoFilesError(f"{name} cannot be fetched from the Maven repository: {error}") from error
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != archive.sha256:
        raise TrinoFilesError(f"{name} is not the file that was expected: its SHA-256 is {found}, not {archive.sha256}.")
    return file


def _unpack(server: Path, iceberg: Path, target: Path) -> None:
    """Put the server into ``target`` and the plugin below ``plugin/``; each archive holds one folder."""
    target.mkdir()
    wanted = ("lib", *(f"plugin/{item}" for item in KEPT_PLUGINS))
    with tarfile.open(server) as archive:
        _extract(archive, target, wanted)
    server.unlink()
    with zipfile.ZipFile(iceberg) as zipped:
        zipped.extractall(target)  # noqa: S202 - its digest was checked
    (target / f"trino-iceberg-{VERSION}").rename(target / "plugin" / "iceberg")
    iceberg.unlink()


def _extract(archive: tarfile.TarFile, target: Path, wanted: tuple[str, ...]) -> None:
    """Unpack what lies below the wanted folders. Pythons before 3.11.4 have no filters; the archive's digest was checked."""
    archive.extraction_filter = getattr(tarfile, "data_filter", None)
    archive.extractall(target, members=_members(archive, wanted))  # noqa: S202


def _members(archive: tarfile.TarFile, wanted: tuple[str, ...]) -> Iterable[tarfile.TarInfo]:
    """Those below a wanted folder, without the archive's own top folder in their names."""
    for member in archive:
        inner = member.name.partition("/")[2]
        if inner.startswith(tuple(f"{candidate}/" for candidate in wanted)):
            if member.islnk():
                member.linkname = member.linkname.partition("/")[2]
            member.name = inner
            yield member
