"""What is remembered from one look to the next, as JSON: it survives every process that looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter

from cost_lakehouse.alerts.incidents import Incident, Kind, Recovery, Trouble

VERSION = 2


@dataclass
class ChannelState:
    """How one channel does. ``failing_since`` is None while it takes what it is given; ``warning`` is what it remarked."""

    failing_since: datetime | None = None
    problem: str = ""
    fix: str = ""
    last_accepted: datetime | None = None
    warning: str = ""


@dataclass
class Memory:
    """Everything that is remembered. ``begun`` is the first look: what failed before it is nobody's news."""

    begun: datetime
    runs_seen_until: datetime
    runs_seen: dict[str, datetime] = field(default_factory=dict)  # of the last minutes, when each ended
    last_poll: datetime | None = None
    deliveries_polled_at: datetime | None = None
    lake_unreadable_since: datetime | None = None
    sources_since: dict[str, datetime] = field(default_factory=dict)  # since when each is configured
    channels: dict[str, ChannelState] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)

    @property
    def open(self) -> list[Incident]:
        """What is wrong now, oldest first."""
        going_on = (incident for incident in self.incidents if incident.ended is None)
        return sorted(going_on, key=lambda incident: (incident.since, incident.key))

    def settled(self, how: Mapping[Kind, str], troubles: Sequence[Trouble], now: datetime) -> list[Recovery]:
        """What of some kinds was wrong and is none of the ``troubles`` that all of them are now; ``how`` it ended, by kind."""
        wrong = {trouble.key for trouble in troubles}
        return [
            Recovery(item.kind, item.what, max(now, item.last), how[item.kind], item.source, part=item.part, months=item.months)
            for item in self.open
            if item.kind in how and item.key not in wrong
        ]


_MEMORY = TypeAdapter(Memory)


def dumped(memory: Memory) -> str:
    """The memory as JSON."""
    return json.dumps({"version": VERSION, "memory": _MEMORY.dump_python(memory, mode="json")}, sort_keys=True)


def loaded(text: str | None, now: datetime) -> Memory:
    """The memory of that JSON; a new one where there is none, or none that this version understands."""
    document = json.loads(text) if text is not None else {}
    if document.get("version") != VERSION:
        return Memory(now, now)
    return _MEMORY.validate_python(document["memory"])
