"""What targets lack, and that one which cannot be asked keeps no other from getting its months. Costs no build."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.publish.backbone.push import push
from cost_lakehouse.publish.due import TargetDue, targets_due
from tests.publish.backbone.lakes import NOVEMBER, OCTOBER, PushingLake

TODAY = date(2026, 12, 5)
NOBODY_THERE = "postgresql://publisher:quite-secret@127.0.0.1:1/costs"


def lake_with_a_database_that_is_down(folder: Path, **database: object) -> PushingLake:
    """It pushes to one folder after each run, to another at fixed times, and to a PostgreSQL that nobody answers for."""
    often, seldom = {"name": "often", "to": "often"}, {"name": "seldom", "to": "seldom", "schedule": "0 6 * * *"}
    made = PushingLake(folder, [often, seldom])
    document = yaml.safe_load(made.config.read_text())
    document["publish"] = {"postgres": {"url": NOBODY_THERE, **database}}
    made.config.write_text(yaml.safe_dump(document))
    return made


def lacking(made: PushingLake) -> list[TargetDue]:
    return targets_due(Lake(load_settings(made.config)), TODAY)


def test_a_database_that_cannot_be_reached_holds_back_no_push_and_may_lack_everything(tmp_path: Path) -> None:
    made = lake_with_a_database_that_is_down(tmp_path)
    made.publish(OCTOBER, ["1"])

    folder, database = lacking(made)

    assert (folder.name, list(folder.months), folder.unasked) == ("often", [Slice("acme", OCTOBER)], "")
    assert (database.name, list(database.months)) == ("postgres", [Slice("acme", OCTOBER)])
    assert database.unasked.startswith("postgresql://127.0.0.1:1/costs")
    assert "quite-secret" not in database.unasked


def test_what_is_due_has_another_digest_once_other_months_are(tmp_path: Path) -> None:
    made = lake_with_a_database_that_is_down(tmp_path, history_months=2)
    made.publish(OCTOBER, ["1"])
    before = lacking(made)
    assert lacking(made) == before
    push(made.lake, made.target("often"))
    made.publish(NOVEMBER, ["2"])

    folder, database = lacking(made)

    # The folder has October, and the database keeps none so old.
    assert list(folder.months) == list(database.months) == [Slice("acme", NOVEMBER)]
    assert not {target.digest for target in before} & {folder.digest, database.digest}


def test_nothing_published_is_due_nowhere(tmp_path: Path) -> None:
    made = lake_with_a_database_that_is_down(tmp_path)

    assert [(target.name, dict(target.months)) for target in lacking(made)] == [("often", {}), ("postgres", {})]
