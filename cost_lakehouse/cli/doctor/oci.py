"""What ``cost-lakehouse doctor`` tries of mirrors: each identity, each bucket of reports, each destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from cost_lakehouse.cli.doctor.findings import Finding, not_writable
from cost_lakehouse.config import Settings
from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import MirrorFailed
from cost_lakehouse.sources.oci.reports import NO_REPORTS

ATTEMPTS = 2


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
        return Finding(name, "warning", f"{place} can be listed, but holds no reports", NO_REPORTS)
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
