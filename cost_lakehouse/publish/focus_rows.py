"""The FOCUS rows of slices: as they are published, else built on demand, by one build in a place of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.staging import staging_folder
from cost_lakehouse.summaries.dbt_arguments import focus_arguments
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.dbt_run import run_dbt
from cost_lakehouse.summaries.dbt_target import build_target
from cost_lakehouse.summaries.stale import proven_receipts, stale_slices, unmoved

FOCUS_ROWS = "marts.focus_cost_and_usage"


@contextmanager
def focus_rows(lake: Lake, chosen: Mapping[Slice, Receipt]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which ``marts.focus_cost_and_usage`` holds the rows of these slices, of the loads that receipts prove.

    Rows that are built were compared with the bill, to the digit. Raises LakeError where they do not add up, or where a month
    was loaded again meanwhile.
    """
    if lake.settings.lake.focus == "table" and _are_published(lake, chosen):
        with connect(lake, [FOCUS_ROWS]) as connection:
            yield connection
        return
    with staging_folder("focus") as folder:
        yield from _built(lake, chosen, folder)


def _are_published(lake: Lake, chosen: Mapping[Slice, Receipt]) -> bool:
    if lake.table_or_none(FOCUS_ROWS) is None:
        return False
    return not {stale.slice for stale in stale_slices(lake)}.intersection(chosen)


def _built(lake: Lake, chosen: Mapping[Slice, Receipt], folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    slices = list(chosen)
    names = ", ".join(map(str, slices))
    project = parse_if_stale(lake.settings)
    voiding = [source.name for source in lake.settings.sources if source.voids_corrected]
    with build_target(lake, project.folder, folder / "build") as target:
        run = run_dbt(lake, project, target, focus_arguments(slices, voiding_sources=voiding), slices)
        if run.failures:
            raise LakeError(
                f"The FOCUS rows of {names} were not made: {'; '.join(run.failures)}",
                "Nothing was written. `cost-lakehouse run --force` of this month says more, where its summaries fail too.",
            )
        if not unmoved(chosen, proven_receipts(lake), slices):
            raise LakeError(
                f"{names}: something was loaded again while the FOCUS rows were made.", "Nothing was written: run it again."
            )
        with target.built.connect() as connection:
            yield connection
