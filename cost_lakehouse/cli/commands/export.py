"""``cost-lakehouse export focus``: a month as FOCUS files, source by source."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import console, plain_decimal, say
from cost_lakehouse.cli.progress import working
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.publish.focus_export import Exported, export_slice, slices_to_export
from cost_lakehouse.publish.target import open_target


def write_focus(config: Path | None, month: str, source: str | None, to: str, form: Literal["parquet", "csv"]) -> int:
    """Export every source's bill of the month; the exit code. Raises ConfigurationError and LakeError."""
    settings = settings_of(config)
    period = month_of(month, settings)
    if period is None:
        raise ConfigurationError("An export needs a month.", "Write --month YYYY-MM.")
    target = open_target(settings, to)
    lake = Lake(settings)
    chosen = slices_to_export(lake, period, source)
    terminal = console(stderr=True)
    for number, (slice_, receipt) in enumerate(chosen.items(), 1):
        with working(f"[{number}/{len(chosen)}] FOCUS of {slice_}", terminal):
            done = export_slice(lake, target, slice_, receipt, form)
        say(_told(done))
    return 0


def _told(done: Exported) -> str:
    totals = ", ".join(
        f"{currency or 'no currency'} {plain_decimal(billed)} billed and {plain_decimal(effective)} effective"
        for currency, billed, effective in done.totals
    )
    files = "file" if done.files == 1 else "files"
    what = f"{done.rows:,} rows in {done.files} {files}" if done.is_new else f"unchanged, {done.rows:,} rows"
    return f"{done.slice}: {what}{f'; {totals}' if totals else ''}; {done.location}"
