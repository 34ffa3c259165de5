"""Dispatches to every channel what it does not know yet: each on its own, and known only once it was accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cost_lakehouse.alerts.channels import Channel
from cost_lakehouse.alerts.incidents import Incident, forget
from cost_lakehouse.alerts.memory import ChannelState, Memory
from cost_lakehouse.alerts.messages import Message, messages_of
from cost_lakehouse.errors import NotSent


@dataclass(frozen=True)
class Unsent:
    """A channel that did not take a message."""

    channel: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"Alerts cannot be sent through {self.channel}: {self.problem} {self.fix}".strip()


@dataclass(frozen=True)
class Dispatched:
    """What one poll sent: the titles of accepted messages by channel, and what could not be sent."""

    accepted: list[tuple[str, str]]
    unsent: list[Unsent]


def dispatch(
    memory: Memory,
    channels: Sequence[Channel],
    now: datetime,
    dagster_url: str | None,
    save: Callable[[], None],
    out_of_time: Callable[[], bool] = lambda: False,
) -> Dispatched:
    """Send what is news for each channel. ``save`` is called after every accepted message: a kill repeats at most one.

    Channels that work come first, so that a dead one costs nobody else's time; what there is no time for follows next.
    """
    dispatched = Dispatched([], [])
    names = [candidate.name for candidate in channels]
    for gone in memory.channels.keys() - names:
        del memory.channels[gone]
    dead = {name for name, item in memory.channels.items() if item.failing_since}
    for channel in sorted(channels, key=lambda one: one.name in dead):
        _dispatch_to(memory, channel, now, dagster_url, save, out_of_time, dispatched)
    forget(memory.incidents, names)
    save()
    return dispatched


def _dispatch_to(
    memory: Memory,
    channel: Channel,
    now: datetime,
    dagster_url: str | None,
    save: Callable[[], None],
    out_of_time: Callable[[], bool],
    dispatched: Dispatched,
) -> None:
    is_new = channel.name not in memory.channels
    if is_new:
        # What was over before anybody could be told through it is no news there.
        for incident in memory.incidents:
            if incident.ended and memory.last_poll and incident.ended <= memory.last_poll:
                incident.notified[channel.name] = incident.stage
    news = [incident for incident in memory.incidents if incident.is_news_for(channel.name)]
    for message, incidents in messages_of(news, dagster_url, at_once=is_new):
        if out_of_time():
            return
        try:
            warning = _sent(channel, message)
        except NotSent as error:
            state = memory.channels.setdefault(channel.name, ChannelState())
            state.failing_since = state.failing_since or now
            state.problem, state.fix = error.problem, error.fix
            dispatched.unsent.append(Unsent(channel.name, error.problem, error.fix))
            save()
            if error.of_message:
                continue
            return
        _mark(incidents, channel.name)
        memory.channels[channel.name] = ChannelState(last_accepted=now, warning=warning)
        dispatched.accepted.append((channel.name, message.title))
        save()
    memory.channels.setdefault(channel.name, ChannelState())


def _sent(channel: Channel, message: Message) -> str:
    """Send; whatever goes wrong in a channel is told as its failure, and must not keep the others from being told."""
    try:
        return channel.send(message)
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - one channel's defect is no reason to be silent on the others
        # Its text may quote an address or a password.
        raise NotSent(
            f"An unexpected {type(error).__name__}.", "Please report it; `cost-lakehouse alerts test` shows it too."
        ) from None


def _mark(incidents: Sequence[Incident], channel: str) -> None:
    for incident in incidents:
        incident.notified[channel] = incident.stage
