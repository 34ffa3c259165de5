"""``cost-lakehouse pack``: the month-close pack of a month, as one archive."""

from __future__ import annotations

from pathlib import Path

from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import print_table, say, size
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.proof.engines import reader_of
from cost_lakehouse.proof.pack import pack

_FILES = (Column("file"), Column("rows", "number"), Column("size", "number"), Column("sha256"))


def pack_month(config: Path | None, month_text: str, output: Path | None) -> int:
    """Write the pack and list what is in it; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    month = month_of(month_text, settings)
    if month is None:
        raise ConfigurationError("Nothing says which month.", "Write it as YYYY-MM, such as 2026-01.")
    target = output or Path(f"cost-lakehouse-{month:%Y-%m}.zip")
    if not target.absolute().parent.is_dir():
        raise ConfigurationError(f"There is no folder {target.absolute().parent}.", "Make it, or choose another --output.")
    lake = Lake(settings)
    with reader_of(lake) as reader:
        files = pack(lake, month, target, reader)
    print_table(_FILES, [(file.name, file.rows, size(file.bytes), file.sha256) for file in files])
    say(f"{target} holds {month:%Y-%m}; the same lake gives the same archive, byte for byte.")
    return 0
