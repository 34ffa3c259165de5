"""Troubles, incidents and a channel that remembers, as the tests of alerts need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cost_lakehouse.alerts.incidents import Incident, Kind, Months, Recovery, Trouble, fold
from cost_lakehouse.alerts.messages import Message
from cost_lakehouse.errors import NotSent

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def after(**length: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(**length)


def trouble(**given: Any) -> Trouble:
    """A failed load of acme's October."""
    usual: dict[str, Any] = {
        "kind": Kind.RUN,
        "what": "load_line_items",
        "at": NOON,
        "problem": "hourly-cur-1.csv.gz is cut off.",
        "fix": "Wait for the next delivery.",
        "cause": "DeliveryFailed",
        "source": "acme",
        "months": Months.one("2026-10"),
        "by_month": True,
        "run_id": "run-1",
    }
    return Trouble(**{**usual, **given})


def recovery(**given: Any) -> Recovery:
    """A load of acme's October that went well an hour later."""
    usual: dict[str, Any] = {
        "kind": Kind.RUN,
        "what": "load_line_items",
        "at": after(hours=1),
        "how": "A later run succeeded.",
        "source": "acme",
        "months": Months.one("2026-10"),
        "run_id": "run-9",
    }
    return Recovery(**{**usual, **given})


def incidents(*seen: Trouble | Recovery) -> list[Incident]:
    """What comes of having seen that."""
    found: list[Incident] = []
    fold(found, seen)
    return found


@dataclass
class Listener:
    """A channel that remembers what it was told; ``refusals`` are raised first, one for each message."""

    name: str = "listener"
    goes_to: str = "a test"
    heard: list[Message] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    dead: bool = False

    def send(self, message: Message) -> str:
        if self.dead:
            raise NotSent("Nobody answers.", "Wake somebody.")
        if self.refusals:
            raise self.refusals.pop(0)
        self.heard.append(message)
        return ""

    @property
    def titles(self) -> list[str]:
        """What it heard, in order."""
        return [item.title for item in self.heard]
