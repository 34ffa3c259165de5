"""The sensor ``alerts``: looks at runs, checks and deliveries, and tells people, once per cause."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.alerts.dispatch import Dispatched
from cost_lakehouse.alerts.incidents import Incident
from cost_lakehouse.alerts.messages import item_of
from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.alert_memory import AlertingElsewhere
from cost_lakehouse.orchestration.alerting import SENSOR, poll_and_dispatch

INTERVAL_SECONDS = 60


class AlertsNotSent(Exception):
    """A channel did not take a message: the tick fails, so that the Dagster UI shows it."""


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor. What it remembers is in Dagster's storage, not in its cursor: the command shares it."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells of failed runs, failed checks and deliveries that stopped coming, once per cause, and of their end, through "
            "the channels of `alerts` in lakehouse.yaml. A tick that fails could not send."
        ),
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            dispatched, new = poll_and_dispatch(settings, context.instance)
        except AlertingElsewhere as error:
            return dg.SkipReason(str(error))
        for incident in new:
            context.log.error(item_of(incident, None).title)
        for channel, title in dispatched.accepted:
            context.log.info(f"Sent through {channel}: {title}")
        if dispatched.unsent:
            raise AlertsNotSent("\n".join(str(item) for item in dispatched.unsent))
        return dg.SkipReason(summary(settings, dispatched, new))

    return alerts


def summary(settings: Settings, dispatched: Dispatched, new: list[Incident]) -> str:
    """What a tick did, for the list of ticks."""
    if dispatched.accepted:
        return "\n".join(f"Sent through {channel}: {title}" for channel, title in dispatched.accepted)
    if new and not settings.alerts.has_channels:
        problems = "1 new problem" if len(new) == 1 else f"{len(new)} new problems"
        return f"{problems}; nobody is told: `alerts` of lakehouse.yaml has no channel."
    return "Nothing new to tell."
