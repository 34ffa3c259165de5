"""Pushes to folders and a real S3 server: what lies there, what counts, and what is left when it is killed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cost_lakehouse.errors import ConfigurationError, PushFailed
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.lake.small_tables import append_rows
from cost_lakehouse.lake.tables import PUSH_COLUMNS, PUSHES
from cost_lakehouse.lake.warehouse import FolderWarehouse
from cost_lakehouse.publish.backbone import places
from cost_lakehouse.publish.backbone import push as push_module
from cost_lakehouse.publish.backbone.push import push, pushes_due
from cost_lakehouse.sources.lakehouse.layout import MANIFEST, Manifest
from tests.lake.stores import store_of
from tests.publish.backbone.lakes import ACCOUNT, NOVEMBER, OCTOBER, PAYER, PushingLake
from tests.services.s3 import S3Server

TO_FOLDER = {"name": "pane", "to": "out", "writer": "acme-eu", "what": ["daily_costs", "receipts"]}


def pushed_costs(folder: Path) -> list[tuple[Any, ...]]:
    """The daily costs that a reader sees: of the files that the manifest names, each with the digest that it says."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    files = [file for month in manifest["months"] for file in month["files"]["daily_costs"]]
    for file in files:
        assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    paths = [str(folder / file["path"]) for file in files]
    return duckdb.execute(
        "select source, usage_date, billed_cost, payer_account_id, writer from read_parquet(?) order by all", [paths]
    ).fetchall()


def test_a_months_costs_are_there_with_digests_totals_schema_and_receipt(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    receipt = made.publish(OCTOBER, ["1.25", "2.5"])

    report = push(made.lake, made.target("pane"))

    assert [month.label for month in report.months] == ["acme 2026-10"]
    folder = tmp_path / "out" / "acme-eu"
    assert pushed_costs(folder) == [
        ("acme", OCTOBER, Decimal("1.25"), PAYER, "acme-eu"),
        ("acme", OCTOBER.replace(day=2), Decimal("2.5"), PAYER, "acme-eu"),
    ]
    (month,) = Manifest.of_bytes((folder / MANIFEST).read_bytes(), "there").months
    assert (month.delivery_id, month.load_id, month.receipt_digest) == (receipt.delivery_id, receipt.load_id, receipt.digest)
    (total,) = month.totals["daily_costs"]
    assert (total.currency, total.rows) == ("USD", 2)
    assert total.amounts == {"billed_cost": Decimal("3.75"), "effective_cost": Decimal("1.875")}
    assert month.accounts == ((PAYER, ACCOUNT),)
    content = (folder / month.manifest.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == month.manifest.sha256
    told = json.loads(content)
    assert {"name": "billed_cost", "type": "decimal128(38, 20)"} in told["schemas"]["daily_costs"]
    assert told["receipt"]["digest"] == receipt.digest
    assert told["files"]["receipts"][0]["rows"] == 1


def test_what_did_not_change_is_not_sent_again_and_costs_no_file(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    made.publish(NOVEMBER, ["2"])
    push(made.lake, made.target("pane"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}

    again = push(made.lake, made.target("pane"))

    assert (again.months, again.unchanged) == ([], 2)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert pushes_due(made.lake, made.target("pane")) == {}


def test_a_changed_month_alone_is_sent_and_the_other_stays(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    made.publish(NOVEMBER, ["2"])
    push(made.lake, made.target("pane"))
    made.publish(NOVEMBER, ["2", "3"], assembly="20261204T000000Z")

    report = push(made.lake, made.target("pane"))

    assert [month.label for month in report.months] == ["acme 2026-11"]
    assert [row[2] for row in pushed_costs(tmp_path / "out" / "acme-eu")] == [Decimal(1), Decimal(2), Decimal(3)]


def test_the_same_rows_in_new_files_of_the_lake_are_the_same_month(tmp_path: Path) -> None:
    """As after maintenance: the files of the marts are others, what they say is not."""
    made = PushingLake(tmp_path, [TO_FOLDER])
    receipt = made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    made.publish_rows(OCTOBER, receipt, ["1"], "estimated")
    assert pushes_due(made.lake, made.target("pane"))

    report = push(made.lake, made.target("pane"))

    assert (report.months, report.unchanged) == ([], 1)
    assert pushes_due(made.lake, made.target("pane")) == {}


def test_the_ledger_says_what_was_pushed_where(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    report = push(made.lake, made.target("pane"))

    (row,) = [dict(zip(PUSH_COLUMNS.names, row, strict=True)) for row in ledger_rows(made.lake, PUSHES, PUSH_COLUMNS)]

    assert (row["target"], row["source"], row["billing_period"]) == ("pane", "acme", OCTOBER)
    assert (row["push_id"], row["files"], row["rows"]) == (report.months[0].id, 2, 2)


def test_a_target_that_lost_its_files_gets_them_again(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    (tmp_path / "out" / "acme-eu" / MANIFEST).unlink()

    assert [month.label for month in push(made.lake, made.target("pane")).months] == ["acme 2026-10"]


def test_another_lakehouse_of_the_same_name_is_refused_before_it_writes(tmp_path: Path) -> None:
    shared = {**TO_FOLDER, "to": str(tmp_path / "shared")}
    first, second = PushingLake(tmp_path / "one", [shared]), PushingLake(tmp_path / "two", [shared])
    for made in (first, second):
        made.publish(OCTOBER, ["1"])
    push(first.lake, first.target("pane"))
    before = pushed_costs(tmp_path / "shared" / "acme-eu")

    with pytest.raises(PushFailed, match="is written by the lakehouse"):
        push(second.lake, second.target("pane"))

    assert pushed_costs(tmp_path / "shared" / "acme-eu") == before


def test_without_a_writer_lakehouses_of_one_configuration_have_folders_of_their_own(tmp_path: Path) -> None:
    shared = {"name": "pane", "to": str(tmp_path / "shared")}
    for name in ("one", "two"):
        made = PushingLake(tmp_path / name, [shared])
        made.publish(OCTOBER, ["1"])
        push(made.lake, made.target("pane"))

    assert len({path.parent for path in (tmp_path / "shared").glob(f"*/{MANIFEST}")}) == 2


def test_csv_holds_the_same(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [{**TO_FOLDER, "format": "csv", "what": ["daily_costs"]}])
    made.publish(OCTOBER, ["1.25"])
    push(made.lake, made.target("pane"))

    (path,) = (tmp_path / "out").rglob("*.csv.gz")
    assert duckdb.execute(f"select billed_cost, usage_date from read_csv('{path}', all_varchar = true)").fetchall() == [
        ("1.25000000000000000000", "2026-10-01")
    ]


def test_what_nobody_publishes_is_refused_with_what_there_is(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [{**TO_FOLDER, "what": ["daily_cost"]}])

    with pytest.raises(ConfigurationError, match="bill_status, .*cost_changes, daily_costs, focus"):
        push(made.lake, made.target("pane"))


def test_files_that_nothing_names_go_after_a_day(tmp_path: Path) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    old = {path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != MANIFEST}
    made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")
    push(made.lake, made.target("pane"))
    assert all(path.exists() for path in old)
    made.publish(OCTOBER, ["3"], assembly="20261106T000000Z")

    push(made.lake, made.target("pane"), clock=lambda: datetime.now(UTC) + timedelta(days=2))

    assert not any(path.exists() for path in old)
    assert [row[2] for row in pushed_costs(tmp_path / "out" / "acme-eu")] == [Decimal(3)]


class Killed(BaseException):
    """The process ended here."""


class Life:
    """Ends at one of its steps; from then on nothing it does has any effect."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Life:
    """Every effect that a push has on its folder, or on the ledger, is a step, and so is the middle of a file."""
    life = Life(1_000_000)

    class Mortal(FolderWarehouse):
        def keep(self, files: Any, folder: str) -> list[str]:
            life.step()
            return super().keep(files, folder)

        def write(self, name: str, content: bytes, *, only_new: bool) -> None:
            life.step()
            super().write(name, content, only_new=only_new)
            life.step()

    def torn(file: Path, folder: Path, name: str) -> Path:
        life.step()
        (folder / f".pushing-{name}").write_bytes(file.read_bytes()[:10])
        life.step()
        return taken(file, folder, name)

    def recorded(*arguments: Any) -> None:
        life.step()
        append_rows(*arguments)

    taken = places.FilePlace._taken
    monkeypatch.setattr(places, "FolderWarehouse", Mortal)
    monkeypatch.setattr(places.FilePlace, "_taken", staticmethod(torn))
    monkeypatch.setattr(push_module, "append_rows", recorded)
    return life


def test_killed_at_any_step_readers_see_the_old_month_or_the_new_and_the_next_run_ends_it(tmp_path: Path, mortal: Life) -> None:
    made = PushingLake(tmp_path, [TO_FOLDER])
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    folder, killed = tmp_path / "out" / "acme-eu", 0
    states = (["1"], ["7", "8"])
    for steps in range(40):
        old, new = states[killed % 2], states[1 - killed % 2]
        made.publish(OCTOBER, new, assembly=f"20261105T0000{steps:02}Z")
        mortal.left = steps
        try:
            push(made.lake, made.target("pane"))
        except Killed:
            seen = [row[2] for row in pushed_costs(folder)]
            assert seen in ([Decimal(cost) for cost in old], [Decimal(cost) for cost in new])
            mortal.left = 1_000_000
            push(made.lake, made.target("pane"))
            killed += 1
        else:
            break
        assert [row[2] for row in pushed_costs(folder)] == [Decimal(cost) for cost in new]
    assert killed > 8
    assert steps < 39


def test_a_bucket_holds_the_same(tmp_path: Path, s3_server: S3Server, s3_shared_bucket: str) -> None:
    to = f"s3://{s3_shared_bucket}/{tmp_path.name}"
    store = {"endpoint": s3_server.endpoint, "region": s3_server.region}
    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    made = PushingLake(tmp_path, [{**TO_FOLDER, "to": to, "store": {**store, **keys}}])
    made.publish(OCTOBER, ["1.25"])

    push(made.lake, made.target("pane"))

    bucket = S3Warehouse(f"{to}/acme-eu", store_of(s3_server))
    content = bucket.read(MANIFEST)
    assert content is not None
    (month,) = Manifest.of_bytes(content, to).months
    for file in (*month.files["daily_costs"], month.manifest):
        assert hashlib.sha256(bucket.read(file.path) or b"").hexdigest() == file.sha256
    assert push(made.lake, made.target("pane")).months == []
