"""Bills out of Athena: SQL that really runs, results in Parquet files or pages, the same rows as from the files themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cost_lakehouse.ingest import Outcome
from tests.services.s3 import S3Server
from tests.sources.athena_workshop import AthenaWorkshop, athena_server


@pytest.fixture
def workshop(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AthenaWorkshop]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with athena_server(s3_server) as server:
        yield AthenaWorkshop(tmp_path, server, s3_server, s3_shared_bucket)


@pytest.mark.parametrize("pages", [False, True], ids=["unload", "pages"])
def test_a_legacy_table_gives_the_rows_that_its_files_give(workshop: AthenaWorkshop, pages: bool) -> None:
    workshop.deliver()
    workshop.configure(pages=pages)

    result = workshop.load()

    assert (result.outcome, result.receipt.rows) == (Outcome.LOADED, 300)
    assert workshop.rows() == workshop.rows_of_the_files()


@pytest.mark.parametrize("pages", [False, True], ids=["unload", "pages"])
def test_a_table_of_cur_2_gives_the_rows_that_its_files_give(workshop: AthenaWorkshop, pages: bool) -> None:
    workshop.deliver_cur_2()
    workshop.configure(pages=pages)

    result = workshop.load()

    assert (result.outcome, result.receipt.rows) == (Outcome.LOADED, 300)
    assert workshop.rows() == workshop.rows_of_the_files("aws_data_export")
