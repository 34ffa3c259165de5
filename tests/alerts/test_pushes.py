"""A push that fails is told once, by its target, until that target has what it lacked."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.utils import make_new_run_id

from cost_lakehouse.alerts.messages import Item
from cost_lakehouse.orchestration.assets.pushes import PUSH
from cost_lakehouse.orchestration.constants import PUSH_JOB
from cost_lakehouse.orchestration.push_runs import PushRuns
from tests.alerts.conftest import Office
from tests.publish.backbone.lakes import OCTOBER, PushingLake


@pytest.fixture
def pushing(office: Office) -> PushingLake:
    """The office's lakehouse has a published month and two targets."""
    targets = [{"name": "pane", "to": "pane"}, {"name": "acme-books", "to": "books"}]
    made = PushingLake(office.root, targets)
    made.publish(OCTOBER, ["1"])
    return made


def of_pushes(office: Office) -> list[Item]:
    """What was told of pushes, in order."""
    return [item for message in office.listener.heard for item in message.items if item.what == PUSH_JOB]


def test_a_target_that_takes_nothing_is_told_once_until_it_takes_it(office: Office, pushing: PushingLake) -> None:
    blocked = office.root / "pane"
    blocked.write_text("a file where a folder belongs")
    runs = PushRuns(office.settings, office.instance)
    office.look()
    for _ in range(2):
        assert not runs.push("pane").ok
        assert runs.push("acme-books").ok
        office.look()
    (told,) = of_pushes(office)
    assert told.title.startswith("Push of pane failed: push pane: ")
    assert told.fix

    blocked.unlink()
    assert runs.push("pane").ok
    office.look()

    assert of_pushes(office)[1].title.startswith("Recovered: Push of pane")


def test_a_target_that_is_chosen_by_hand_in_dagster_is_the_same_one(office: Office, pushing: PushingLake) -> None:
    office.look()
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        run_id=make_new_run_id(),
        asset_selection={dg.AssetKey([PUSH, "acme-books"])},
        status=dg.DagsterRunStatus.STARTED,
    )
    office.instance.add_run(run)
    office.instance.report_run_failed(run, message="The process ended without a word.")
    office.look()
    assert [item.what for item in of_pushes(office)] == [PUSH_JOB]

    assert PushRuns(office.settings, office.instance).push("acme-books").ok
    office.look()

    assert [item.event for item in of_pushes(office)] == ["failed", "recovered"]
