"""What is wrong: troubles and their ends as they are seen, folded into incidents, each of which is told once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

PROBLEM_MAX = 2000
DETAILS_MAX = 10
ENDED = -1


class Kind(StrEnum):
    """What sort of trouble it is."""

    RUN = "run"  # a run of a job failed
    CHECK = "check"  # an asset check failed
    LATE = "late"  # a source's deliveries stopped coming
    TICK = "tick"  # a sensor or a schedule fails again and again
    LAKE = "lake"  # the lake cannot be read
    CORRECTION = "correction"  # a delivery changed a month that was invoiced or closed
    GAP = "gap"  # days of a bill have no rows, though the weeks before had
    ANOMALY = "anomaly"  # days cost what nobody expected
    BUDGET = "budget"  # a budget is exceeded, or will be
    CHANNEL = "channel"  # a channel takes no alerts


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Months:
    """A range of months, as ``YYYY-MM``; empty texts where it is about no month."""

    first: str = ""
    last: str = ""

    @classmethod
    def one(cls, month: str) -> Months:
        """A range of one month."""
        return cls(month, month)

    def covers(self, other: Months) -> bool:
        """Whether the other range lies within this one; what is about no month covers everything, and everything covers it."""
        return not self.first or not other.first or (self.first <= other.first and other.last <= self.last)

    def joined(self, other: Months) -> Months:
        """The range that spans both."""
        if not self.first or not other.first:
            return other if not self.first else self
        return Months(min(self.first, other.first), max(self.last, other.last))

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Trouble:
    """Something failed, as it was seen once. ``cause`` is the kind of error: another kind is news, another text is not.

    ``by_month`` says that every month has an incident of its own, as loads do; builds of the summaries span months.
    """

    kind: Kind
    what: str  # the job, the check, the channel
    at: datetime
    problem: str
    fix: str = ""
    cause: str = ""
    source: str = ""
    part: str = ""  # of what the source delivers, such as one kind of report
    months: Months = Months()
    by_month: bool = False
    severity: Severity = Severity.ERROR
    details: tuple[str, ...] = ()
    run_id: str = ""
    since: datetime | None = None  # where it was wrong before it was seen

    @property
    def key(self) -> str:
        """What makes it the same incident."""
        return "|".join((self.kind, self.what, self.source, self.part, str(self.months) if self.by_month else ""))


@dataclass(frozen=True)
class Recovery:
    """Something is well again, as it was seen once.

    ``source`` None: of every source but ``not_of``; ``part`` None: of every part of it.
    """

    kind: Kind
    what: str
    at: datetime
    how: str
    source: str | None = None
    not_of: frozenset[str] = frozenset()
    part: str | None = None
    months: Months = Months()
    run_id: str = ""

    def ends(self, incident: Incident) -> bool:
        """Whether it is what the incident waits for."""
        return (
            incident.ended is None
            and (incident.kind, incident.what) == (self.kind, self.what)
            and (self.source is None or incident.source == self.source)
            and incident.source not in self.not_of
            and (self.part is None or incident.part == self.part)
            and self.months.covers(incident.months)
            and self.at >= incident.last
        )


@dataclass
class Incident:
    """One cause, from its first trouble to its end. ``notified`` says what each channel knows: causes, or the end."""

    key: str
    kind: Kind
    what: str
    source: str
    part: str
    months: Months
    severity: Severity
    since: datetime
    last: datetime
    times: int  # how often it was seen
    problem: str
    fix: str
    run_id: str
    causes: list[str]
    details: list[str] = field(default_factory=list)
    ended: datetime | None = None
    how: str = ""
    end_run_id: str = ""
    notified: dict[str, int] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return " ".join(item for item in (self.source, self.part, str(self.months)) if item)

    @property
    def id(self) -> str:
        """A short name, the same as long as the incident lasts."""
        return sha256(f"{self.key}|{self.since.isoformat()}".encode()).hexdigest()[:12]

    @property
    def stage(self) -> int:
        """What there is to know of it: the number of its causes, or that it ended."""
        return ENDED if self.ended else len(self.causes)

    def concerns(self, channel: str) -> bool:
        """Whether that channel is told at all: none is told through itself that it is dead."""
        return self.kind is not Kind.CHANNEL or self.what != channel

    def is_news_for(self, channel: str) -> bool:
        """Whether that channel does not know all of it."""
        return self.concerns(channel) and self.notified.get(channel) != self.stage


def fold(incidents: list[Incident], seen: Iterable[Trouble | Recovery]) -> None:
    """Put what was seen, oldest first, into the list of incidents."""
    by_key = {candidate.key: candidate for candidate in incidents}
    for observed in seen:
        if isinstance(observed, Recovery):
            for incident in by_key.values():
                if observed.ends(incident):
                    incident.ended, incident.how, incident.end_run_id = (
                        max(observed.at, incident.since),
                        observed.how,
                        observed.run_id,
                    )
            continue
        known = by_key.get(observed.key)
        if known is None:
            by_key[observed.key] = _opened(observed)
            incidents.append(by_key[observed.key])
        elif known.ended:
            _open_again(known, observed)
        else:
            _add(known, observed)


def forget(incidents: list[Incident], channels: Iterable[str]) -> None:
    """Drop what ended and is known to every channel."""
    names = list(channels)
    incidents[:] = [
        incident for incident in incidents if not incident.ended or any(incident.is_news_for(name) for name in names)
    ]


def _opened(trouble: Trouble) -> Incident:
    return Incident(
        key=trouble.key,
        kind=trouble.kind,
        what=trouble.what,
        source=trouble.source,
        part=trouble.part,
        months=trouble.months,
        severity=trouble.severity,
        since=trouble.since or trouble.at,
        last=trouble.at,
        times=1,
        problem=_cut(trouble.problem),
        fix=_cut(trouble.fix),
        run_id=trouble.run_id,
        causes=[trouble.cause],
        details=[_cut(detail) for detail in trouble.details[:DETAILS_MAX]],
    )


def _open_again(known: Incident, trouble: Trouble) -> None:
    """The same trouble came back before every channel knew of its end: who knows of the end is told anew, the others not."""
    notified = {name: 1 for name, stage in known.notified.items() if stage != ENDED}
    known.__dict__.update(_opened(trouble).__dict__ | {"notified": notified})


def _add(known: Incident, trouble: Trouble) -> None:
    known.times += 1
    known.last = max(known.last, trouble.at)
    known.months = known.months.joined(trouble.months)
    if trouble.cause not in known.causes:
        known.causes.append(trouble.cause)
    known.problem, known.fix, known.run_id = _cut(trouble.problem), _cut(trouble.fix), trouble.run_id
    known.details = [_cut(detail) for detail in trouble.details[:DETAILS_MAX]]


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= PROBLEM_MAX else f"{text[: PROBLEM_MAX - 3]}..."
