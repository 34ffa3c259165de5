"""Where an export goes: a folder, or a prefix of a bucket that is reached as the lake's store is."""

from __future__ import annotations

from pathlib import Path

from cost_lakehouse.config import Settings
from cost_lakehouse.config.places import Place
from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.lake.warehouse import FolderWarehouse, Warehouse


def open_target(settings: Settings, to: str) -> Warehouse:
    """The place that ``--to`` names. A folder is made, and relative to the working folder; a bucket is asked for nothing yet.

    Raises ConfigurationError where it lies inside the lake or cannot be written, LakeError where the store has no credentials.
    """
    scheme, separator, rest = to.partition("://")
    if not to.strip() or (separator and (scheme != "s3" or not rest.strip("/"))):
        raise ConfigurationError(f"--to {to!r} is no place to export to.", "Write a folder, or s3://bucket/prefix.")
    _refuse_the_lake(settings, to)
    if separator:
        return S3Warehouse(to, settings.store if settings.lake.is_s3 else StoreSettings())
    folder = Path(to).expanduser().resolve()
    try:
        target = FolderWarehouse(folder)
        target.write(".export", b"", only_new=False)
        (folder / ".export").unlink()
    except OSError as error:
        raise ConfigurationError(
            f"--to {folder} cannot be written: {error.strerror}.", "Name a folder that you may write, with room in it."
        ) from None
    return target


def _refuse_the_lake(settings: Settings, to: str) -> None:
    """What an export writes or removes must not be the lake's."""
    endpoint = settings.store.endpoint if settings.lake.is_s3 else None
    warehouse = Place.of(settings.lake.warehouse, settings.base, endpoint)
    if warehouse.holds(Place.of(to, Path.cwd(), endpoint)):
        raise ConfigurationError(
            f"--to {to} lies inside the lake ({settings.lake.warehouse}).",
            "Name a place outside of it: maintenance removes files there that no table knows.",
        )
