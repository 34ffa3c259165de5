"""What ``cost-lakehouse doctor`` tries of Oracle Cloud: each identity, each bucket of reports, each mirror's destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from cost_lakehouse.cli.doctor.findings import Finding, not_writable
from cost_lakehouse.errors import MirrorFailed
from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.settings.mirror import MirrorSettings

ATTEMPTS = 2
_EMPTY = (
    "A new tenancy's first reports come within a day. Else compare the tenancy's OCID with the console, and the region with "
    "its home region."
)


def oci_source(settings: Settings, source: SourceSettings) -> Finding:
    """Whether a source of Oracle's reports can be listed, and what lies there."""
    from cost_lakehouse.sources.discovery import discover_reports

    name = f"source {source.name}"
    found = {table: objects for table, objects in discover_reports(settings, source).items() if objects}
    if not found:
        fix = _EMPTY if source.tenancy else "Let the mirror copy first (`cost-lakehouse mirror`), or correct `location`."
        return Finding(name, "warning", f"{source.place} can be listed, but holds no reports", fix)
    newest = max(each.last_modified for objects in found.values() for each in objects)
    counts = ", ".join(f"{len(objects)} for {table}" for table, objects in found.items())
    return Finding(name, "ok", f"{source.place}: reports: {counts}; the newest of {newest:%Y-%m-%d %H:%M} UTC")


def mirror_checks(settings: Settings, mirror: MirrorSettings) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """Both sides of a mirror."""
    name = f"mirror {mirror.name}"
    if mirror.paused:
        yield name, lambda: Finding(name, "ok", "paused; not looked at")
        return
    yield f"{name}: reports", lambda: _reports(settings, mirror)
    if mirror.vault is not None:
        yield f"{name}: vault", lambda: _vault(settings, mirror)
    yield f"{name}: destination", lambda: _destination(settings, mirror)


def _reports(settings: Settings, mirror: MirrorSettings) -> Finding:
    from cost_lakehouse.mirror.run import open_original

    name = f"mirror {mirror.name}: reports"
    store = open_original(settings, mirror, ATTEMPTS)
    there = [prefix.rstrip("/") for prefix in mirror.prefixes if next(islice(store.list(prefix), 1), None) is not None]
    place = f"{store.describe('')} ({mirror.oci.auth.replace('_', ' ')})"
    if not there:
        return Finding(name, "warning", f"{place} can be listed, but holds no reports", _EMPTY)
    return Finding(name, "ok", f"{place} holds {', '.join(there)}")


def _vault(settings: Settings, mirror: MirrorSettings) -> Finding:
    from cost_lakehouse.mirror.vault_keys import with_vault_keys

    with_vault_keys(mirror, mirror.oci.relative_to(settings.base), ATTEMPTS)
    return Finding(f"mirror {mirror.name}: vault", "ok", "both secrets can be read")


def _destination(settings: Settings, mirror: MirrorSettings) -> Finding:
    name = f"mirror {mirror.name}: destination"
    if not mirror.is_s3:
        folder = settings.path(mirror.destination)
        problem = not_writable(folder)
        if problem:
            raise MirrorFailed(f"The folder {folder} cannot be written: {problem}.", "Give this user write access, and room.")
        return Finding(name, "ok", f"{folder} is writable")
    from cost_lakehouse.mirror.s3_destination import S3Destination
    from cost_lakehouse.mirror.vault_keys import with_vault_keys

    keys = with_vault_keys(mirror, mirror.oci.relative_to(settings.base), ATTEMPTS)
    S3Destination.of(keys, ATTEMPTS).probe()
    return Finding(name, "ok", f"{mirror.destination} can be listed and written")
