"""The ledgers say the same after their files were merged as before: what a load proved belongs to that load, not to a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.lake import ledger
from cost_lakehouse.lake.data_files import load_of, stored_deliveries
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.rewrite import new_rewrite_id
from cost_lakehouse.loading import load as loading_load
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.summaries.stale import proven_receipts
from tests.builders import Workshop, line
from tests.maintenance.rows import file_count, rows, rules


@pytest.fixture(params=["ledgers as they were written", "ledgers merged", "ledgers and line items merged"])
def merge(request: pytest.FixtureRequest) -> Callable[[Workshop], None]:
    """What happens to the files between two loads: nothing must depend on it."""

    def nothing(workshop: Workshop) -> None:
        return None

    def ledgers(workshop: Workshop) -> None:
        before = rows(workshop.lake)
        report = maintain(workshop.lake, LEDGERS, rules=rules(keep=timedelta(days=30)))
        assert report.ok, report
        assert rows(workshop.lake) == before

    def everything(workshop: Workshop) -> None:
        ledgers(workshop)
        rename_line_items(workshop)

    return {"ledgers as they were written": nothing, "ledgers merged": ledgers}.get(request.param, everything)


def rename_line_items(workshop: Workshop) -> None:
    """The line items in files whose names tell no load, as every rewriting leaves them."""
    lake = workshop.lake
    for slice_ in stored_deliveries(lake):
        old = data_files(lake.table("raw.aws_cur"), [slice_])
        new = []
        for file in old:
            path = Path(file.file_path.removeprefix("file://"))
            copy = path.with_name(f"{new_rewrite_id()}-00000.parquet")
            copy.write_bytes(path.read_bytes())
            new.append(f"file://{copy}")
        gone = {old_file.file_path for old_file in old}
        replace_files(lake, "raw.aws_cur", [slice_], new, lambda table, file, gone=gone: file.file_path in gone)  # type: ignore[misc]


def deliver(workshop: Workshop, number: int) -> None:
    workshop.write([line(UnblendedCost=str(number)), line(UnblendedCost="0.5")], assembly=f"A{number:04d}")


def ledger_rows(workshop: Workshop) -> Mapping[str, list[tuple[Any, ...]]]:
    """Delivery ids (and states) on record, sorted; a control total or file each."""
    found = rows(workshop.lake)
    return {
        "receipts": sorted((entry[2], entry[4]) for entry in found["raw.receipts"]),
        "totals": sorted(
            (entry[2], entry[9]) for entry in found["raw.control_totals"] if entry[8] == "line_item_unblended_cost"
        ),
        "files": sorted((entry[2],) for entry in found["raw.files"]),
    }


class Killed(BaseException):
    """Stands for ``kill -9``: nothing of ours handles it."""


def killed_before_its_commit(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that put itself on record and was killed before its rows were committed."""

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loading_load, "replace_files", kill)
        # A killed process tidies up nothing.
        patch.setattr(loading_load, "remove_files_of_killed_loads", lambda *_: [])
        with pytest.raises(Killed):
            workshop.load()


@pytest.fixture(scope="module")
def three_loads(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where a lake with three loads was made, and a copy of it: its tables hold paths, so it works in that place only."""
    home, kept = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("kept")
    made = Workshop(home)
    for number in (1, 2, 3):
        deliver(made, number)
        made.load()
    shutil.copytree(home, kept, dirs_exist_ok=True)
    return home, kept


@pytest.fixture
def workshop(three_loads: tuple[Path, Path]) -> Workshop:
    """The lake with three loads, as if nobody had touched it since."""
    home, kept = three_loads
    shutil.rmtree(home)
    shutil.copytree(kept, home)
    return Workshop(home)


def test_a_current_delivery_is_not_loaded_again(workshop: Workshop, merge: Callable[[Workshop], None]) -> None:
    merge(workshop)
    assert workshop.load().status is Status.UNCHANGED
    assert len(proven_receipts(workshop.lake)) == 1


def test_a_repeated_load_takes_the_place_of_its_totals_and_files_and_of_no_others(
    workshop: Workshop, merge: Callable[[Workshop], None]
) -> None:
    merge(workshop)
    assert workshop.load(force=True).status is Status.LOADED
    merge(workshop)
    deliver(workshop, 4)
    assert workshop.load().status is Status.LOADED
    assert ledger_rows(workshop) == {
        "receipts": [
            ("A0001", "accepted"),
            ("A0002", "accepted"),
            ("A0003", "accepted"),
            ("A0003", "accepted"),
            ("A0004", "accepted"),
        ],
        "totals": [("A0001", 2), ("A0002", 2), ("A0003", 2), ("A0004", 2)],
        "files": [("A0001",), ("A0002",), ("A0003",), ("A0004",)],
    }


def test_a_refused_load_leaves_its_receipt_and_nothing_else(workshop: Workshop, merge: Callable[[Workshop], None]) -> None:
    merge(workshop)
    workshop.write([line(UnblendedCost="bad")], assembly="A0004")
    with pytest.raises(DeliveryRefused):
        workshop.load()
    merge(workshop)
    deliver(workshop, 5)
    workshop.load()
    found = ledger_rows(workshop)
    assert found["receipts"][3:] == [("A0004", "refused"), ("A0005", "accepted")]
    assert found["files"] == [("A0001",), ("A0002",), ("A0003",), ("A0005",)]


def test_a_load_refused_after_it_was_put_on_record_is_taken_back_even_if_its_rows_were_merged_meanwhile(
    workshop: Workshop, merge: Callable[[Workshop], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(workshop)
    deliver(workshop, 4)

    def refuse(*_: object, **__: object) -> None:
        merge(workshop)
        raise DeliveryRefused("another source came first")

    with monkeypatch.context() as patch:
        patch.setattr(loading_load, "replace_files", refuse)
        with pytest.raises(DeliveryRefused):
            workshop.load()

    found = ledger_rows(workshop)
    assert found["receipts"] == [("A0001", "accepted"), ("A0002", "accepted"), ("A0003", "accepted"), ("A0004", "refused")]
    assert found["totals"] == [("A0001", 2), ("A0002", 2), ("A0003", 2)]
    assert found["files"] == [("A0001",), ("A0002",), ("A0003",)]
    assert workshop.load().status is Status.LOADED


def test_what_a_killed_load_put_on_record_goes_with_the_next_load(
    workshop: Workshop, merge: Callable[[Workshop], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(workshop, 4)
    killed_before_its_commit(workshop, monkeypatch)
    merge(workshop)
    deliver(workshop, 5)
    assert workshop.load().status is Status.LOADED
    assert ledger_rows(workshop) == {
        "receipts": [("A0001", "accepted"), ("A0002", "accepted"), ("A0003", "accepted"), ("A0005", "accepted")],
        "totals": [("A0001", 2), ("A0002", 2), ("A0003", 2), ("A0005", 2)],
        "files": [("A0001",), ("A0002",), ("A0003",), ("A0005",)],
    }


def test_a_killed_repetition_is_not_taken_for_the_load_whose_rows_are_there(
    workshop: Workshop, merge: Callable[[Workshop], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The files were replaced under the same delivery id: only the load tells that the slice's rows are the old ones.
    workshop.write([line(UnblendedCost="7")], assembly="A0003")
    killed_before_its_commit(workshop, monkeypatch)
    merge(workshop)
    assert proven_receipts(workshop.lake) == {}

    assert workshop.load().status is Status.LOADED

    assert [ledger_row[0] for ledger_row in ledger_rows(workshop)["receipts"]] == ["A0001", "A0002", "A0003", "A0003"]
    assert Decimal(7) in rows(workshop.lake)["raw.aws_cur"][0]
    assert len(proven_receipts(workshop.lake)) == 1


def test_a_commit_that_meets_files_merged_in_between_looks_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def merged_first(lake: Any, name: str, *rest: Any, **more: Any) -> None:
        looked.append(name)
        if looked == ["raw.receipts"]:
            maintain(lake, [name], rules=rules(keep=timedelta(days=30)))
        replace_files(lake, name, *rest, **more)

    deliver(workshop, 4)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "replace_files", merged_first)
        workshop.load()

    assert looked[:2] == ["raw.receipts", "raw.receipts"]
    assert ledger_rows(workshop)["files"] == [("A0001",), ("A0002",), ("A0003",), ("A0004",)]


def test_merged_files_tell_no_load_by_their_name(workshop: Workshop) -> None:
    maintain(workshop.lake, rules=rules(keep=timedelta(days=30)))
    for name in LEDGERS:
        assert file_count(workshop.lake, name) == 1
        assert [load_of(data_file) for data_file in data_files(workshop.lake.table(name))] == [None]
