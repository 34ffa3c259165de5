"""Bills out of Athena: SQL that really runs, results in Parquet files or pages, the same rows as from the files themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.errors import DeliveryChanged, DeliveryRefused, SourceError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.aws.athena.sql import windows_of
from cost_lakehouse.sources.delivery import Status
from sample_bills import Fault
from tests.services.athena import Query
from tests.services.s3 import S3Server
from tests.sources.athena_workshop import OCTOBER, AthenaWorkshop, athena_server


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

    assert (result.status, result.receipt.rows) == (Status.LOADED, 300)
    assert workshop.rows() == workshop.rows_of_the_files()


@pytest.mark.parametrize("pages", [False, True], ids=["unload", "pages"])
def test_a_table_of_cur_2_gives_the_rows_that_its_files_give(workshop: AthenaWorkshop, pages: bool) -> None:
    workshop.deliver_cur_2()
    workshop.configure(pages=pages)

    result = workshop.load()

    assert (result.status, result.receipt.rows) == (Status.LOADED, 300)
    assert workshop.rows() == workshop.rows_of_the_files("aws_data_export")


def windows_sent(workshop: AthenaWorkshop) -> int:
    """How many queries for the rows of a window were started."""
    return len(workshop.athena.sent('SELECT "identity_line_item_id"'))


def ids(workshop: AthenaWorkshop) -> list[str]:
    return sorted(workshop.read().column("identity_line_item_id").to_pylist())


@pytest.mark.parametrize("pages", [False, True], ids=["unload", "pages"])
@pytest.mark.parametrize("days", [7, 3, 31])
def test_no_row_falls_between_windows_or_is_read_twice(workshop: AthenaWorkshop, days: int, pages: bool) -> None:
    starts: dict[int, datetime | None] = {0: None, 1: datetime(2025, 1, 1), 2: datetime(2027, 5, 5)}
    for window in windows_of(OCTOBER, days):
        if window.end is not None:
            start = datetime(window.end.year, window.end.month, window.end.day)
            for moment in (start, start.replace(day=start.day - 1, hour=23, minute=59, second=59, microsecond=999_999)):
                starts[len(starts)] = moment
    workshop.put(dict.fromkeys(starts, 0.1), starts)
    workshop.configure(pages=pages, window_days=days)

    assert ids(workshop) == [f"id-{number:05d}" for number in starts]
    assert windows_sent(workshop) == len(windows_of(OCTOBER, days))


def test_the_windows_of_every_month_are_open_at_both_ends_and_meet() -> None:
    for month in (date(2026, 2, 1), date(2028, 2, 1), date(2026, 12, 1)):
        for days in (1, 7, 10, 28, 31):
            windows = windows_of(month, days)
            assert (windows[0].first, windows[-1].end) == (None, None)
            assert [window.end for window in windows[:-1]] == [window.first for window in windows[1:]]
            assert len({window.name for window in windows}) == len(windows)


def test_numbers_come_through_to_the_last_digit_in_pages_as_in_parquet(workshop: AthenaWorkshop) -> None:
    costs = dict(enumerate([0.1, 1e-7, 123456789.123456, 1.0 / 3, 4e-10, -0.0125, 1e7, 12345.0]))
    workshop.put(costs)
    workshop.load()
    from_parquet = workshop.rows()
    workshop.configure(pages=True)

    workshop.load(force=True)

    assert workshop.rows() == from_parquet
    stored = [float(cost) for (cost,) in workshop.ask("select line_item_unblended_cost from raw.aws_cur")]
    assert sorted(stored) == sorted(costs.values())


def test_a_month_of_more_rows_than_a_page_is_read_to_its_end(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(2_500), 0.01))
    workshop.configure(pages=True, window_days=31)

    assert workshop.load().receipt.rows == 2_500
    assert workshop.athena.calls.count("GetQueryResults") >= 3


def test_a_window_without_rows_is_empty(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5}, {1: datetime(2026, 10, 20)})

    assert workshop.load().receipt.rows == 1


def test_a_version_is_another_one_whenever_the_data_is(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5})
    first = workshop.delivery()
    again = workshop.delivery()
    workshop.put({1: 0.5, 2: 0.25}, day=4)
    second = workshop.delivery()

    assert (first.delivery_id, first.fingerprint) == (again.delivery_id, again.fingerprint)
    assert first.delivery_id.startswith("20261103T053000Z-")
    assert second.delivery_id.startswith("20261104T053000Z-")
    assert first.delivered_at < second.delivered_at
    assert sum(query.scanned for query in workshop.athena.queries) == 0


def test_another_size_of_windows_is_no_other_delivery(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5})
    workshop.load()
    workshop.configure(window_days=10)

    assert workshop.load().status is Status.UNCHANGED


def test_a_view_does_not_tell_its_files_and_still_has_a_version(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5})
    workshop.athena.tables["billing", "cur"].tells_files = False
    first = workshop.delivery()
    assert workshop.load().status is Status.LOADED
    assert workshop.load().status is Status.UNCHANGED
    workshop.put({1: 0.5, 2: 0.25})
    workshop.athena.tables["billing", "cur"].tells_files = False

    assert workshop.delivery().delivery_id != first.delivery_id
    assert workshop.load().receipt.rows == 2


def test_every_month_of_the_table_is_found_and_nothing_is_loaded_while_aws_replaces_it(workshop: AthenaWorkshop) -> None:
    workshop.deliver(month=date(2026, 9, 1))
    workshop.deliver()
    found = workshop.findings()
    assert [(entry.billing_period, entry.status) for entry in found] == [
        (date(2026, 9, 1), Status.NEW),
        (OCTOBER, Status.NEW),
    ]
    workshop.deliver(faults=frozenset({Fault.REFRESHING}))

    assert {(finding.status, finding.delivery) for finding in workshop.findings()} == {(Status.WAITING, None)}
    assert "UPDATING" in workshop.findings(OCTOBER)[0].reason


def test_a_month_that_is_not_there_waits(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5})

    (finding,) = workshop.findings(date(2026, 11, 1))

    assert (finding.billing_period, finding.status) == (date(2026, 11, 1), Status.WAITING)


def test_windows_that_were_read_are_not_queried_again_after_a_failure(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.athena.fail("03-of-05", "Insufficient permissions on the bill")
    with pytest.raises(SourceError, match="FAILED: Insufficient permissions"):
        workshop.load()
    assert windows_sent(workshop) == 3

    assert workshop.load().receipt.rows == 31
    assert windows_sent(workshop) == 3 + 3


_READ = """
import sys
from datetime import date
from pathlib import Path
from cost_lakehouse.config import load_settings
from cost_lakehouse.sources.registry import open_source

settings = load_settings(Path(sys.argv[1]))
(finding,) = open_source(settings, settings.source("acme")).list_deliveries(date(2026, 10, 1)).months
open_source(settings, settings.source("acme")).open(finding.delivery.objects[0])
"""


def test_a_killed_load_goes_on_where_it_was(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    command = [sys.executable, "-c", _READ, str(workshop.folder / "lakehouse.yaml")]
    killed = subprocess.Popen(command, env={**os.environ, "DAGSTER_HOME": ""})
    workshop.athena.on("04-of-05", lambda _: os.kill(killed.pid, signal.SIGKILL))
    assert killed.wait(60) == -signal.SIGKILL
    assert windows_sent(workshop) == 4

    assert workshop.load().receipt.rows == 31

    # The fourth had run at AWS when the process was killed: its results were taken, and only the fifth was queried.
    assert windows_sent(workshop) == 5


def test_results_of_another_version_are_not_used(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.read()
    workshop.put(dict.fromkeys(range(31), 0.75), day=5)

    workshop.load()

    assert workshop.ask("select distinct line_item_unblended_cost from raw.aws_cur")[0][0] == 0.75
    assert windows_sent(workshop) == 10


def test_a_refresh_while_it_is_read_is_noticed_and_nothing_is_committed(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.athena.on("03-of-05", lambda _: workshop.put(dict.fromkeys(range(40), 0.75), day=5))

    with pytest.raises(DeliveryChanged):
        workshop.load()

    assert workshop.load().receipt.rows == 40
    assert workshop.ask("select distinct line_item_unblended_cost from raw.aws_cur")[0][0] == 0.75


def test_a_refresh_that_begins_while_it_is_read_is_noticed_by_the_status_table(workshop: AthenaWorkshop) -> None:
    workshop.deliver()

    def refresh(_: Query) -> None:
        status = next((workshop.table_folder / "cost_and_usage_data_status").iterdir())
        pq.write_table(pa.table({"status": ["UPDATING"]}), status)

    workshop.athena.on("03-of-05", refresh)
    with pytest.raises(DeliveryChanged):
        workshop.load()


def test_windows_that_are_not_the_whole_month_are_refused_and_read_anew(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))

    def lose_a_row(query: Query) -> None:
        query.sql = query.sql.replace(" WHERE ", " WHERE \"identity_line_item_id\" <> 'id-00010' AND ")

    workshop.athena.on("02-of-05", lose_a_row)
    with pytest.raises(DeliveryRefused, match="31 rows, of which 30 were read.*15.5.*15.0"):
        workshop.load()

    assert workshop.load(force=True).receipt.rows == 31


def test_too_large_a_month_is_refused_before_anything_is_queried(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.configure(max_scanned_gb=1e-6)

    with pytest.raises(DeliveryRefused, match="max_scanned_gb is 1e-06"):
        workshop.load()

    assert windows_sent(workshop) == 0
    assert workshop.ask("select state, count(*) from raw.receipts group by state") == [("refused", 1)]


def test_a_load_stops_before_the_window_that_would_go_over_the_cap(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    size = workshop.delivery().bytes
    workshop.configure(max_scanned_gb=2.5 * size / 1e9)

    with pytest.raises(DeliveryRefused, match="may scan"):
        workshop.load()
    assert windows_sent(workshop) == 2

    workshop.configure(max_scanned_gb=10 * size / 1e9)
    assert workshop.load().receipt.rows == 31
    assert windows_sent(workshop) == 5


def test_a_query_that_goes_over_the_cap_is_stopped(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))

    def scan_much(query: Query) -> None:
        query.state, query.scanned = "RUNNING", 10**9

    workshop.athena.on("01-of-05", scan_much)
    workshop.configure(max_scanned_gb=0.5)

    with pytest.raises(DeliveryRefused, match="stopped after it had scanned 1,000,000,000 bytes"):
        workshop.load()

    assert workshop.athena.sent("01-of-05")[0].state == "CANCELLED"
    assert workshop.load(force=True).receipt.rows == 31


def test_where_athena_may_not_unload_results_come_in_pages(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.athena.fail("UNLOAD", "Access Denied (Service: Amazon S3; Status Code: 403)", times=99)
    told: list[str] = []
    opened, delivery = workshop.opened(), workshop.delivery()
    opened.table.report_to(told.append, lambda _: None)

    assert load_delivery(Lake(workshop.settings), opened, delivery).receipt.rows == 31

    assert "page by page" in told[0]
    assert [text.split("(")[1].split(")")[0] for text in told[1:]][-5:] == ["20 %", "40 %", "60 %", "80 %", "100 %"]


def test_throttling_and_failures_that_pass_are_waited_out(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.athena.running_looks = 1
    workshop.configure(window_days=31)
    workshop.athena.refuse("StartQueryExecution", "TooManyRequestsException", "Rate exceeded")
    workshop.athena.refuse("GetQueryExecution", "ThrottlingException", "Rate exceeded")
    workshop.athena.fail("UNLOAD", "Query exhausted resources at this scale factor", retryable=True)

    assert workshop.load().receipt.rows == 31


@pytest.mark.parametrize(
    ("action", "kind", "said", "told"),
    [
        (
            "StartQueryExecution",
            "AccessDeniedException",
            "not authorized to perform: athena:StartQueryExecution",
            "Allow athena:",
        ),
        ("StartQueryExecution", "InvalidRequestException", "No output location provided.", "athena.results"),
        ("StartQueryExecution", "InvalidRequestException", "WorkGroup nobody is not found.", "Correct `athena"),
        ("GetTableMetadata", "AccessDeniedException", "not authorized to perform: glue:GetTable", "Allow athena:"),
        ("GetTableMetadata", "MetadataException", "EntityNotFoundException: Entity Not Found", "Correct `athena.database`"),
    ],
)
def test_what_athena_refuses_is_told_with_its_fix(
    workshop: AthenaWorkshop, action: str, kind: str, said: str, told: str
) -> None:
    workshop.put({1: 0.5})
    workshop.athena.refuse(action, kind, said, times=9)

    with pytest.raises(SourceError) as caught:
        workshop.findings()

    assert told in caught.value.fix
    assert workshop.s3.secret_key not in str(caught.value)


def doctor(workshop: AthenaWorkshop) -> Finding:
    return next(examine_one(name, check) for name, check in checks(workshop.settings) if name == "source acme")


def test_doctor_tries_table_and_results(workshop: AthenaWorkshop) -> None:
    workshop.put({1: 0.5})
    assert doctor(workshop).says.endswith(
        f"1 month, newest delivery 2026-11-03 05:30 UTC; results are unloaded to {workshop.results}"
    )

    workshop.athena.fail("UNLOAD", "Access Denied (Service: Amazon S3)", times=2)
    assert "page by page, because UNLOAD is not possible" in doctor(workshop).says
    workshop.configure(unload=True)
    found = doctor(workshop)
    assert (found.state, found.fix[:13]) == ("failed", "Allow athena:")
    assert windows_sent(workshop) == 0

    workshop.configure(table="absent")
    assert doctor(workshop).says == "There is no table billing.absent in Athena."
    workshop.configure(table="cost_and_usage_data_status")
    workshop.deliver()
    assert "is no Cost and Usage Report" in doctor(workshop).says


_DIALECTS = ("trino", "athena", "duckdb")


def test_what_is_sent_is_sql_of_trino_and_of_duckdb(workshop: AthenaWorkshop) -> None:
    workshop.deliver()
    workshop.configure(pages=True)
    workshop.load()

    assert len(workshop.athena.queries) > 8
    for query in workshop.athena.queries:
        for dialect in _DIALECTS:
            sqlglot.parse_one(query.sql, dialect=dialect)
