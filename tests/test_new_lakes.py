"""A lake of a test, whose tables are copied, is the lake that the program makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.builders import Workshop
from tests.new_lakes import copied


def made(folder: Path) -> tuple[list[tuple[Any, ...]], dict[str, dict[str, Any]]]:
    """The catalog's rows of a new lake, and each table's metadata; what names the lake's own place is left out."""
    folder.mkdir()
    lake = Workshop(folder).lake
    with lake.catalog.engine.connect() as connection:
        rows: list[tuple[Any, ...]] = [
            tuple(row) for row in connection.execute(text("select * from iceberg_tables order by 1, 2, 3"))
        ]
        spaces = connection.execute(text("select namespace, property_key from iceberg_namespace_properties order by 1, 2"))
        named: list[tuple[Any, ...]] = [tuple(row) for row in spaces]
    documents = {}
    for _, namespace, name, location, *_ in rows:
        own = f"{lake.warehouse.location}/{namespace}/{name}"
        assert location.startswith(f"{own}/metadata/00000-")
        document = json.loads(Path(location.removeprefix("file://")).read_bytes())
        assert document.pop("location") == own
        documents[f"{namespace}.{name}"] = document
    return [(*row[:3], *row[4:]) for row in rows] + named, documents


def test_a_copy_has_what_a_new_lake_has_and_ids_of_its_own(tmp_path: Path) -> None:
    with copied():
        (rows, first), (copied_rows, second) = made(tmp_path / "first"), made(tmp_path / "second")

    assert copied_rows == rows
    assert len(rows) > 20
    ids = {document.pop("table-uuid") for table in (first, second) for document in table.values()}
    assert len(ids) == 2 * len(first)
    for name, document in first.items():
        assert abs(second[name].pop("last-updated-ms") - document.pop("last-updated-ms")) < 3_600_000
    assert second == first
