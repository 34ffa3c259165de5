"""A lakehouse without bills, its own Dagster instance, and jobs that fail when told to."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an op's config as types.

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.alerts.channels import Channel
from cost_lakehouse.alerts.dispatch import Dispatched
from cost_lakehouse.alerts.incidents import Incident
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.alert_memory import recall
from cost_lakehouse.orchestration.alerting import poll_and_dispatch
from cost_lakehouse.orchestration.constants import MONTH_TAG, SOURCE_TAG
from cost_lakehouse.orchestration.instance import command_instance
from tests.alerts.builders import Listener

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
CONFIGURATION = """\
sources:
  - {name: acme, kind: aws_cur, location: bills/acme}
  - {name: globex, kind: aws_cur, location: bills/globex}
"""


class WorkConfig(dg.Config):
    """What a step is to do."""

    failure: str = ""
    error: str = ""


@dg.op(name="line_items__acme")
def load_acme(config: WorkConfig) -> None:
    if config.error:
        raise ValueError(config.error)
    if config.failure:
        raise dg.Failure(
            config.failure,
            metadata={
                "source": "acme",
                "month": "2026-10",
                "problem": config.failure,
                "what_to_do": "Wait for the next delivery.",
                "error_kind": "DeliveryFailed",
            },
            allow_retries=False,
        )


@dg.job(name="load_line_items", executor_def=dg.in_process_executor)
def load_job() -> None:
    load_acme()


@dataclass
class Office:
    """A lakehouse and its Dagster instance, in which looks are taken; ``now`` is the clock of the looks."""

    root: Path
    instance: dg.DagsterInstance
    shift: timedelta = timedelta(0)
    listener: Listener = field(default_factory=Listener)

    @property
    def config(self) -> Path:
        return self.root / "lakehouse.yaml"

    @property
    def settings(self) -> Settings:
        return load_settings(self.config)

    @property
    def memory(self) -> Memory:
        return recall(self.instance, datetime.now(UTC))

    def look(self, *channels: Channel) -> tuple[Dispatched, list[Incident]]:
        """What the sensor does at every tick."""
        return poll_and_dispatch(
            self.settings,
            self.instance,
            channels=channels or [self.listener],
            now=lambda: datetime.now(UTC) + self.shift,
        )

    def load(self, failure: str = "", month: str = "2026-10", error: str = "") -> dg.ExecuteInProcessResult:
        """A load of one month of acme, which fails where ``failure`` or ``error`` says why."""
        return load_job.execute_in_process(
            instance=self.instance,
            run_config={**QUIET, "ops": {"line_items__acme": {"config": {"failure": failure, "error": error}}}},
            tags={SOURCE_TAG: "acme", MONTH_TAG: month},
            raise_on_error=False,
        )


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Two sources without deliveries, and an instance in which nothing ran."""
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB"):
        monkeypatch.setenv(name, "")
    config = tmp_path / "lakehouse.yaml"
    config.write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(config))
    with command_instance(load_settings(config)) as instance:
        yield Office(tmp_path, instance)
