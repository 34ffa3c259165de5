"""Only what was built from one load is published."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.stale import proven_receipts, unmoved
from tests.builders import Workshop, line

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def test_a_slice_that_was_loaded_again_during_a_build_is_not_published_from_it(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    for month in (SEPTEMBER, OCTOBER):
        workshop.write([line()], month=month)
        workshop.load(month=month)
    before = proven_receipts(workshop.lake)
    workshop.load(month=OCTOBER, force=True)

    now = proven_receipts(workshop.lake)

    slices = [Slice("acme", SEPTEMBER), Slice("acme", OCTOBER)]
    assert unmoved(before, before, slices) == slices
    assert unmoved(before, now, slices) == slices[:1]
    assert unmoved({}, now, slices) == []
