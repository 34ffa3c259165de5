"""``cost-lakehouse alerts``: what is open and who was told, a test of every channel; and telling after a command's work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, console, noted_problems, print_json, print_problem, print_table, say
from cost_lakehouse.cli.progress import working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError

if TYPE_CHECKING:
    from cost_lakehouse.alerts.incidents import Incident
    from cost_lakehouse.alerts.memory import ChannelState, Memory

NO_CHANNEL = "Nobody is told: there is no channel below `alerts` in {file}."
HOW_TO_ADD = "Add `email`, `webhooks` or `notifications`; docs/alerts.md shows how."


def show_alerts(config: Path | None, as_json: bool) -> int:
    """Print what is open and how the channels do; 1 where a channel takes nothing."""
    from cost_lakehouse.alerts.channels import channels_of

    settings = settings_of(config)
    memory = _memory(settings)
    channels = {channel.name: channel.goes_to for channel in channels_of(settings)}
    dead = [name for name in channels if _state(memory, name).failing_since]
    if as_json:
        print_json([_as_json(item, list(channels), settings) for item in memory.open])
        return EXIT_FAILED if dead else 0
    if memory.last_poll is None:
        say("Nothing was looked at yet: leave `dagster dev` or the daemon running, or use `cost-lakehouse run`.")
    elif not memory.open:
        say(f"Nothing is wrong. Last looked at {_time(memory.last_poll)}.")
    else:
        rows = [_row(item, list(channels), settings) for item in memory.open]
        columns = (Column("id"), Column("since (UTC)", rank=1), Column("what is wrong", "note"), Column("times", "number", 3))
        print_table((*columns, Column("told through", rank=2)), rows, elsewhere="`--json` has them.")
        say(f"Last looked at {_time(memory.last_poll)}.")
    say()
    if not channels:
        say(NO_CHANNEL.format(file=settings.file))
        return 0
    rows = [(name, goes_to, _how(_state(memory, name))) for name, goes_to in channels.items()]
    print_table((Column("channel"), Column("goes to", "note"), Column("state", "note")), rows)
    for name in dead:
        print_problem(f"Alerts cannot be sent through {name}: {_state(memory, name).problem}", _state(memory, name).fix)
    return EXIT_FAILED if dead else 0


def send_test(config: Path | None) -> int:
    """Send a test message through every channel and print how that went; 1 where one did not take it."""
    from cost_lakehouse.alerts.channels import channels_of
    from cost_lakehouse.alerts.messages import trial_message
    from cost_lakehouse.errors import NotSent

    settings = settings_of(config)
    channels = channels_of(settings)
    if not channels:
        raise ConfigurationError(NO_CHANNEL.format(file=settings.file), HOW_TO_ADD)
    message = trial_message(datetime.now(UTC))
    failed = False
    for channel in channels:
        try:
            with working(f"Sending through {channel.name}", console(stderr=True)):
                warning = channel.send(message)
        except NotSent as error:
            failed = True
            say(f"  failed  {channel.name}: {channel.goes_to}")
            print_problem(error.problem, error.fix)
            continue
        say(f"  sent    {channel.name}: {channel.goes_to}{f' ({warning})' if warning else ''}")
    return EXIT_FAILED if failed else 0


def close_alert(config: Path | None, incident_id: str) -> int:
    """End an incident that nothing else will end.

    Raises ConfigurationError where there is none of that id.
    """
    settings = settings_of(config)
    with _instance(settings) as instance:
        from cost_lakehouse.orchestration.alerting import close

        closed = close(settings, instance, incident_id, datetime.now(UTC))
    if closed is None:
        raise ConfigurationError(f"No open alert has the id {incident_id!r}.", "`cost-lakehouse alerts` lists them.")
    say(f"Closed: {_title(closed, settings)}")
    return 0


def with_alerts(config: Path | None, command: str, work: Callable[[], int]) -> int:
    """Do a command's work, then tell whom ``alerts`` names of what failed; the exit code.

    Where no daemon runs, nobody else would; where one does, each is told once all the same.
    """
    settings = settings_of(config)
    if not settings.alerts.has_channels:
        return work()
    begun = datetime.now(UTC)
    with noted_problems() as problems:
        try:
            code = work()
        except ConfigurationError:
            raise
        except CostLakehouseError as error:
            print_problem(error.problem, error.fix)
            code = EXIT_FAILED
    return max(code, _look(settings, begun, f"cost-lakehouse {command}", code != 0, problems))


def _look(settings: Settings, begun: datetime, command: str, failed: bool, problems: list[tuple[str, str]]) -> int:
    """One look at everything, as the sensor ``alerts`` has it."""
    from cost_lakehouse.orchestration.alert_memory import AlertingElsewhere
    from cost_lakehouse.orchestration.alerting import CommandEnd, poll_and_dispatch

    problem = "; ".join(dict.fromkeys(item for item, _ in problems))
    fix = " ".join(dict.fromkeys(item for _, item in problems if item))
    end = CommandEnd(command, failed, problem, fix)
    try:
        with working("Looking whether anybody has to be told", console(stderr=True)), _instance(settings) as instance:
            dispatched, _ = poll_and_dispatch(settings, instance, first_seen=begun, command=end)
    except AlertingElsewhere:
        return 0  # it, or the next look, tells
    except CostLakehouseError as error:
        print_problem(f"Nobody could be told of what failed: {error.problem}", error.fix)
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the work was done, and its result counts; this must be seen all the same
        print_problem(f"Nobody could be told of what failed: an unexpected {type(error).__name__}.", "Please report it.")
        return EXIT_FAILED
    for channel, title in dispatched.accepted:
        console(stderr=True).print(f"Sent through {channel}: {title}", soft_wrap=True)
    for unsent in dispatched.unsent:
        print_problem(f"Alerts cannot be sent through {unsent.channel}: {unsent.problem}", unsent.fix)
    return EXIT_FAILED if dispatched.unsent else 0


def channel_troubles(settings: Settings) -> tuple[tuple[str, str] | None, str, str]:
    """What is wrong with the channels, as problem and fix; what one remarked; and how they do where nothing is wrong."""
    from cost_lakehouse.alerts.channels import channels_of

    memory = _memory(settings)
    states = {channel.name: _state(memory, channel.name) for channel in channels_of(settings)}
    dead = {name: state for name, state in states.items() if state.failing_since}
    if dead:
        said = "; ".join(f"{name}: {state.problem}" for name, state in dead.items())
        return (said, " ".join(dict.fromkeys(state.fix for state in dead.values()))), "", ""
    warned = "; ".join(f"{name}: {state.warning}" for name, state in states.items() if state.warning)
    looked = f"last looked at {_time(memory.last_poll)}" if memory.last_poll else "nothing was looked at yet"
    return None, warned, f"{', '.join(states)}; {len(memory.open)} open, {looked}"


@contextmanager
def _instance(settings: Settings) -> Iterator[Any]:
    from cost_lakehouse.orchestration.instance import command_instance

    with command_instance(settings) as instance:
        yield instance


def _memory(settings: Settings) -> Memory:
    """What is remembered of alerts."""
    with working("Opening Dagster's records", console(stderr=True)), _instance(settings) as instance:
        from cost_lakehouse.orchestration.alert_memory import recall

        return recall(instance, datetime.now(UTC))


def _state(memory: Memory, channel: str) -> ChannelState:
    from cost_lakehouse.alerts.memory import ChannelState

    return memory.channels.get(channel) or ChannelState()


def _how(state: ChannelState) -> str:
    if state.failing_since:
        return f"takes nothing since {_time(state.failing_since)}"
    if state.last_accepted is None:
        return "not used yet; `cost-lakehouse alerts test` tries it"
    return f"last message {_time(state.last_accepted)}{f'; {state.warning}' if state.warning else ''}"


def _title(incident: Incident, settings: Settings) -> str:
    from cost_lakehouse.alerts.messages import item_of

    return item_of(incident, settings.alerts.dagster_url).title


def _row(incident: Incident, channels: list[str], settings: Settings) -> tuple[Any, ...]:
    notified = [name for name in channels if incident.concerns(name) and not incident.is_news_for(name)]
    title = _title(incident, settings)
    return incident.id, f"{incident.since:%Y-%m-%d %H:%M}", title, incident.times, ", ".join(notified) or "nobody"


def _as_json(incident: Incident, channels: list[str], settings: Settings) -> dict[str, Any]:
    from cost_lakehouse.alerts.messages import item_of

    notified = [name for name in channels if incident.concerns(name) and not incident.is_news_for(name)]
    return {**item_of(incident, settings.alerts.dagster_url).row(), "id": incident.id, "told_through": notified}


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
