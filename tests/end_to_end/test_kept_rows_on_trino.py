"""Rows that a redelivery keeps are copied in S3 without being decoded: Trino reads them as it reads all others."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.loading import read
from tests.builders import Workshop, line
from tests.loading.test_share import load_with
from tests.loading.workers import HereWorkers
from tests.services.production import ProductionStack

FILES = [[line(UnblendedCost=f"{file}.{row}", ProductCode=f"P{file}") for row in range(1, 4)] for file in (1, 2, 3)]
CHANGED = [line(UnblendedCost="20.5")]


def test_trino_reads_rows_that_were_kept(production: ProductionStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "OWN_GROUPS_BYTES", 0)
    source = {"name": "acme", "kind": "aws_cur", "location": str(tmp_path / "bucket/cur/hourly")}
    config = production.new_lake(tmp_path, [source])
    catalog = production.names(config).catalog
    workshop = Workshop(tmp_path)
    workshop.write(*FILES, assembly="A1")
    load_with(workshop, HereWorkers(workshop))
    workshop.write(FILES[0], CHANGED, FILES[2], assembly="A2")

    workshop.load()

    def ask(sql: str) -> list[list[object]]:
        return production.trino.query(sql, catalog=catalog)

    assert ask("SELECT count(*) FROM raw.files WHERE read_by <> load_id AND delivery_id = 'A2'") == [[2]]
    # 3.6 + 20.5 + 9.6
    assert ask("SELECT sum(line_item_unblended_cost), count(*) FROM raw.aws_cur WHERE delivery_id = 'A2'") == [
        [Decimal("33.7"), 7]
    ]
    assert ask("SELECT count(*) FROM raw.aws_cur WHERE delivery_id = 'A1'") == [[0]]
    kept = ask(
        "SELECT line_item_product_code, sum(row_number), max(line_item_usage_start_date) FROM raw.aws_cur "
        "WHERE file_name LIKE '%/A2/hourly-00003.csv.gz' GROUP BY 1"
    )
    assert [row[:2] for row in kept] == [["P3", 6]]
    assert str(kept[0][2]).startswith("2026-10-05 10:00:00")
