"""A bill in increments makes many small files: merged, they hold the same rows, and later loads still find their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.delivery import Status
from tests.maintenance.rows import file_count, rules
from tests.oci_builders import Mirror, cost_line

SUM = "select billing_period::varchar, sum(cost_my_cost), count(*)::int from raw.oci_cost group by all order by all"


def test_merged_files_hold_the_same_rows_and_a_file_that_comes_again_replaces_its_own(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    for number in range(5):
        lines = [cost_line(cost=str(2**number)), cost_line(cost="100", start="2026-09-30T23:00Z", reference=f"V2.{number}")]
        mirror.write(f"{number:04d}-00001.csv.gz", lines)
        mirror.load()
    before = mirror.ask(SUM)
    assert before == [("2026-09-01", Decimal("500"), 5), ("2026-10-01", Decimal("31"), 5)]

    maintain(mirror.lake, rules=rules())
    maintain(mirror.lake, rules=rules(), now=datetime.now(UTC) + timedelta(hours=100))

    assert file_count(mirror.lake, "raw.oci_cost") == 2
    assert mirror.ask(SUM) == before
    assert mirror.load() == []  # what was committed is still known, though no file's name tells its load

    mirror.write("0001-00001.csv.gz", [cost_line(cost="7")], written=datetime(2026, 10, 8, tzinfo=UTC))
    mirror.load()
    assert mirror.ask(SUM) == [("2026-09-01", Decimal("400"), 4), ("2026-10-01", Decimal("36"), 5)]
    mirror.load(standing=Status.CURRENT)
    assert mirror.ask(SUM) == [("2026-09-01", Decimal("400"), 4), ("2026-10-01", Decimal("36"), 5)]
