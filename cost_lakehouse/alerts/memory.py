"""What is remembered from one look to the next, as JSON: it survives every process that looks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cost_lakehouse.alerts.incidents import Incident, Kind, Months, Severity

VERSION = 1


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
    last_look: datetime | None = None
    deliveries_looked_at: datetime | None = None
    lake_unreadable_since: datetime | None = None
    sources_since: dict[str, datetime] = field(default_factory=dict)  # since when each is configured
    channels: dict[str, ChannelState] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)

    @property
    def open(self) -> list[Incident]:
        """What is wrong now, oldest first."""
        return sorted((each for each in self.incidents if each.ended is None), key=lambda each: (each.since, each.key))


def dumped(memory: Memory) -> str:
    """The memory as JSON."""
    return json.dumps(
        {
            "version": VERSION,
            "begun": memory.begun.isoformat(),
            "runs_seen_until": memory.runs_seen_until.isoformat(),
            "runs_seen": _texts(memory.runs_seen),
            "last_look": _text(memory.last_look),
            "deliveries_looked_at": _text(memory.deliveries_looked_at),
            "lake_unreadable_since": _text(memory.lake_unreadable_since),
            "sources_since": _texts(memory.sources_since),
            "channels": {name: _plain(each.__dict__) for name, each in memory.channels.items()},
            "incidents": [_plain(each.__dict__) for each in memory.incidents],
        },
        sort_keys=True,
    )


def loaded(text: str | None, now: datetime) -> Memory:
    """The memory of that JSON; a new one where there is none, or none that this version understands."""
    if text is None:
        return Memory(now, now)
    document = json.loads(text)
    if document.get("version") != VERSION:
        return Memory(now, now)
    return Memory(
        begun=datetime.fromisoformat(document["begun"]),
        runs_seen_until=datetime.fromisoformat(document["runs_seen_until"]),
        runs_seen=_moments(document["runs_seen"]),
        last_look=_moment(document["last_look"]),
        deliveries_looked_at=_moment(document["deliveries_looked_at"]),
        lake_unreadable_since=_moment(document["lake_unreadable_since"]),
        sources_since=_moments(document["sources_since"]),
        channels={
            name: ChannelState(
                **{
                    **each,
                    "failing_since": _moment(each["failing_since"]),
                    "last_accepted": _moment(each["last_accepted"]),
                }
            )
            for name, each in document["channels"].items()
        },
        incidents=[_incident(each) for each in document["incidents"]],
    )


def _incident(row: dict[str, Any]) -> Incident:
    return Incident(
        **{
            **row,
            "kind": Kind(row["kind"]),
            "severity": Severity(row["severity"]),
            "months": Months(*row["months"]),
            "since": datetime.fromisoformat(row["since"]),
            "last": datetime.fromisoformat(row["last"]),
            "ended": _moment(row["ended"]),
        }
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its moments and months as JSON knows them."""
    plain = {name: each.isoformat() if isinstance(each, datetime) else each for name, each in row.items()}
    return {name: [each.first, each.last] if isinstance(each, Months) else each for name, each in plain.items()}


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _texts(moments: dict[str, datetime]) -> dict[str, str]:
    return {name: each.isoformat() for name, each in moments.items()}


def _moments(texts: dict[str, str]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(each) for name, each in texts.items()}
