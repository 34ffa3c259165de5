"""One look at everything that can fail, and what is told of it: what the sensor does, and the command after its work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from cost_lakehouse.alerts.channels import Channel, channels_of
from cost_lakehouse.alerts.dispatch import Dispatched, dispatch
from cost_lakehouse.alerts.incidents import Incident, Kind, Recovery, Severity, Trouble, fold
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.alert_deliveries import is_due, poll_deliveries
from cost_lakehouse.orchestration.alert_memory import alone, recall, remember
from cost_lakehouse.orchestration.alert_runs import finished_runs, seen_in_run
from cost_lakehouse.orchestration.alert_ticks import seen_in_ticks
from cost_lakehouse.orchestration.assets.pushes import push_names
from cost_lakehouse.orchestration.instance import end_dead_runs

SENSOR = "alerts"
POLL_SECONDS = 30.0  # after which no further message is begun; Dagster ends a tick after 60
WAIT_SECONDS = 10.0  # for another process that looks
# A channel that fails for longer is itself an incident, of which the other channels tell.
CHANNEL_PATIENCE = timedelta(minutes=10)
Seen = Trouble | Recovery


@dataclass(frozen=True)
class CommandEnd:
    """How a command ended that does more than start runs: what it could not even begin has no run that tells of it."""

    command: str
    failed: bool
    problem: str = ""
    fix: str = ""

    def seen(self, now: datetime, runs: Sequence[Seen]) -> Seen | None:
        """What it says beside its runs."""
        if not self.failed:
            return Recovery(Kind.RUN, self.command, now, "It succeeded.")
        if any(isinstance(observed, Trouble) for observed in runs):
            return None
        return Trouble(Kind.RUN, self.command, now, self.problem or "It failed; its output says why.", self.fix)


def poll_and_dispatch(
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    channels: Sequence[Channel] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
    first_seen: datetime | None = None,
    command: CommandEnd | None = None,
) -> tuple[Dispatched, list[Incident]]:
    """Look, remember, tell; what was told, and the incidents that are new.

    What is found is remembered before anything is sent, and what was sent as soon as it was accepted. ``first_seen``: from
    when on failures are news where nothing is remembered yet (now).

    Raises AlertingElsewhere where another process looks meanwhile.
    """
    deadline = clock() + POLL_SECONDS

    def out_of_time() -> bool:
        return clock() >= deadline

    with alone(settings, instance, WAIT_SECONDS):
        moment = now()
        end_dead_runs(instance)
        ways = channels_of(settings) if channels is None else channels
        memory = recall(instance, first_seen or moment)
        before = {incident.id for incident in memory.incidents}
        seen = _seen(settings, instance, memory, moment, command, out_of_time)
        fold(memory.incidents, _wanted(settings, seen))
        fold(memory.incidents, _of_nobody(settings, memory, [channel.name for channel in ways], moment))
        remember(instance, memory)
        new = [incident for incident in memory.incidents if incident.id not in before]
        dispatched = dispatch(
            memory,
            ways,
            moment,
            settings.alerts.dagster_url,
            lambda: remember(instance, memory),
            out_of_time,
        )
        memory.last_poll = moment
        remember(instance, memory)
    return dispatched, new


def close(settings: Settings, instance: dg.DagsterInstance, incident_id: str, now: datetime) -> Incident | None:
    """End an incident that nothing else will end, by its id; None where there is none. Every channel is told.

    Raises AlertingElsewhere where another process looks meanwhile.
    """
    with alone(settings, instance, WAIT_SECONDS):
        memory = recall(instance, now)
        for item in memory.open:
            if item.id == incident_id:
                item.ended, item.how, item.end_run_id = now, "It was closed by hand.", ""
                remember(instance, memory)
                return item
    return None


def _seen(
    settings: Settings,
    instance: dg.DagsterInstance,
    memory: Memory,
    now: datetime,
    command: CommandEnd | None,
    out_of_time: Callable[[], bool],
) -> list[Seen]:
    """Everything that there is to see, runs in the order of their ends."""
    seen: list[Seen] = []
    for record, end in finished_runs(instance, memory):
        seen += seen_in_run(instance, settings, record.dagster_run, end)
    of_command = command.seen(now, seen) if command else None
    seen += [of_command] if of_command else []
    seen += seen_in_ticks(instance, SENSOR, now)
    if is_due(memory, now):
        seen += poll_deliveries(settings, memory, now, out_of_time)
    for name, state in memory.channels.items():
        if state.failing_since is None:
            seen.append(Recovery(Kind.CHANNEL, name, now, "It takes messages again."))
        elif now - state.failing_since >= CHANNEL_PATIENCE:
            seen.append(Trouble(Kind.CHANNEL, name, now, state.problem, state.fix))
    return seen


def _of_nobody(settings: Settings, memory: Memory, channels: Sequence[str], now: datetime) -> list[Recovery]:
    """The end of incidents of what is not configured any more."""
    known = {
        "",
        *(one.name for part in (settings.sources, settings.mirrors, settings.organizations) for one in part),
        *push_names(settings),
    }
    strange = [
        entry
        for entry in memory.open
        if entry.source not in known or (entry.kind is Kind.CHANNEL and entry.what not in channels)
    ]
    how = "It is not configured any more."
    return [
        Recovery(candidate.kind, candidate.what, max(now, candidate.last), how, source=candidate.source)
        for candidate in strange
    ]


def _wanted(settings: Settings, seen: Sequence[Seen]) -> list[Seen]:
    """Without the troubles that nobody wants to be told of."""
    events = settings.alerts.events

    def is_wanted(trouble: Trouble) -> bool:
        if trouble.kind in (Kind.RUN, Kind.TICK):
            return "run_failures" in events
        if trouble.kind is Kind.CHECK:
            return ("failed_checks" if trouble.severity is Severity.ERROR else "check_warnings") in events
        if trouble.kind is Kind.CORRECTION:
            return "late_corrections" in events
        if trouble.kind is Kind.GAP:
            return "gaps" in events
        if trouble.kind is Kind.ANOMALY:
            return "anomalies" in events
        if trouble.kind is Kind.BUDGET:
            return "budgets" in events
        return trouble.kind is not Kind.LATE or "late_deliveries" in events

    return [observed for observed in seen if isinstance(observed, Recovery) or is_wanted(observed)]
