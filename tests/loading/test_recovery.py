"""What a killed load put on record is taken back by the next load of its source, and only that."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.loads import last_load_property
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.loading import load as loading_load
from cost_lakehouse.sources.delivery import Status
from tests.builders import Workshop, line

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


class Killed(BaseException):
    """Stands for ``kill -9``: nothing of ours handles it."""


def ask(workshop: Workshop, sql: str) -> list[tuple[Any, ...]]:
    with connect(workshop.lake) as connection:
        return connection.execute(sql).fetchall()


def kill(workshop: Workshop, patch: pytest.MonkeyPatch, month: date = OCTOBER, *, force: bool = False) -> None:
    """Load until all is on record, and no further."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with patch.context() as patched:
        patched.setattr(loading_load, "replace_files", killed)
        patched.setattr(loading_load, "remove_files_of_killed_loads", lambda *_: [])
        with pytest.raises(Killed):
            workshop.load(month=month, force=force)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.write([line(UnblendedCost="1")], assembly="S1", month=SEPTEMBER)
    made.write([line(UnblendedCost="2")], assembly="O1", month=OCTOBER)
    made.load(month=SEPTEMBER)
    made.load(month=OCTOBER)
    return made


def test_a_killed_load_is_taken_back_by_the_load_of_another_month(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.write([line(UnblendedCost="5")], assembly="O2", month=OCTOBER)
    kill(workshop, monkeypatch)
    workshop.write([line(UnblendedCost="7")], assembly="S2", month=SEPTEMBER)

    workshop.load(month=SEPTEMBER)

    assert ask(workshop, "select delivery_id from raw.receipts order by 1") == [("O1",), ("S1",), ("S2",)]
    assert ask(workshop, "select distinct delivery_id from raw.control_totals order by 1") == [("O1",), ("S1",), ("S2",)]
    assert ask(workshop, "select sum(line_item_unblended_cost)::int from raw.aws_cur") == [(9,)]
    assert workshop.load(month=OCTOBER).status is Status.LOADED
    assert ask(workshop, "select sum(line_item_unblended_cost)::int from raw.aws_cur") == [(12,)]


def test_a_killed_repetition_leaves_the_proof_of_the_load_whose_rows_are_there(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(workshop, monkeypatch, force=True)

    workshop.load(month=SEPTEMBER, force=True)

    assert ask(workshop, "select count(*) from raw.receipts where delivery_id = 'O1'") == [(1,)]
    proof = "select sum(stored)::int from raw.control_totals where delivery_id = 'O1' and metric = 'line_item_unblended_cost'"
    assert ask(workshop, proof) == [(2,)]
    assert ask(workshop, "select sum(rows)::int from raw.files where delivery_id = 'O1'") == [(1,)]
    assert workshop.load(month=OCTOBER).status is Status.UNCHANGED


def test_a_clock_that_goes_back_changes_no_order(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2020, 1, 1, tzinfo=UTC)

    workshop.write([line(UnblendedCost="5")], assembly="O2", month=OCTOBER)
    with monkeypatch.context() as patch:
        patch.setattr(loading_load, "datetime", Earlier)
        workshop.load(month=OCTOBER)

    assert workshop.load(month=OCTOBER).status is Status.UNCHANGED
    assert workshop.load(month=SEPTEMBER).status is Status.UNCHANGED
    assert ask(workshop, "select delivery_id from raw.receipts order by loaded_at") == [("S1",), ("O1",), ("O2",)]


def test_rows_that_no_load_on_record_brought_are_left_alone(workshop: Workshop) -> None:
    nobody = {last_load_property("acme"): "load-0000000000000000"}
    replace_files(workshop.lake, "raw.aws_cur", [], [], lambda table, file: False, table_properties=nobody)
    workshop.write([line(UnblendedCost="5")], assembly="O2", month=OCTOBER)

    with pytest.raises(LakeError, match="raw.aws_cur has rows of acme, and does not name the load on record"):
        workshop.load(month=OCTOBER)

    assert ask(workshop, "select count(*) from raw.receipts") == [(2,)]
