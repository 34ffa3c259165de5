"""What is said of an incident, to a person and to a program; how news is put into messages, so that a storm is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cost_lakehouse.alerts.incidents import ENDED, Incident, Kind, Severity
from cost_lakehouse.alerts.lateness import duration_text

SUBJECT_MAX = 150
# More news than this at once is one message with a line each: a store that is down fails every load.
MOST_SINGLE = 3
LISTED = 50
_JOBS = {
    "load_line_items": "Load",
    "build_summaries": "Build of the summaries",
    "maintain_lake": "Lake maintenance",
    "mirror_reports": "Mirror",
    "push_months": "Push",
    "write_report": "Report",
    "read_account_names": "Reading of account names",
}


@dataclass(frozen=True)
class Item:
    """One incident as it is told. ``event`` is failed, recovered, late, or test."""

    id: str
    event: str
    title: str
    kind: str
    what: str
    source: str
    part: str
    months: str
    severity: str
    since: datetime
    until: datetime | None = None
    times: int = 1
    problem: str = ""
    fix: str = ""
    details: tuple[str, ...] = ()
    run_id: str = ""
    url: str = ""

    def facts(self, brief: bool = False) -> list[tuple[str, str]]:
        """What there is to say, as names and values for people; ``brief`` where it is one of many."""
        where = " ".join(item for item in (self.source, self.part, self.months) if item)
        since = moment(self.since) + (f" ({self.times} times)" if self.times > 1 else "")
        facts = [
            ("What", job_label(self.what)),
            ("Where", where),
            ("Since", since),
            ("Until", moment(self.until) if self.until else ""),
            ("Run", self.url or self.run_id),
            ("Cause", self.problem),
            ("Fix", self.fix),
            *(() if brief else (("Detail", detail) for detail in self.details)),
        ]
        return [(name, value) for name, value in facts if value]

    def row(self) -> dict[str, Any]:
        """The same for a program."""
        row = dict(self.__dict__)
        return {name: item.isoformat() if isinstance(item, datetime) else item for name, item in row.items()} | {
            "details": list(self.details)
        }


@dataclass(frozen=True)
class Message:
    """What is sent at once. ``id`` is the same whenever the same is sent again."""

    id: str
    title: str
    items: tuple[Item, ...]

    @property
    def is_bad(self) -> bool:
        """Whether anything in it is wrong, rather than well again."""
        return any(item.event in ("failed", "late") for item in self.items)

    @property
    def text(self) -> str:
        """The whole message as plain text; its first line is the title."""
        blocks = []
        many = len(self.items) > 1
        for item in self.items[:LISTED]:
            facts = item.facts(brief=many)
            width = max(len(name) for name, _ in facts) + 1
            heading = [item.title] if many else []
            blocks.append("\n".join([*heading, *(f"{f'{name}:':<{width}} {value}" for name, value in facts)]))
        left = len(self.items) - LISTED
        rest = [f"and {left} more: `cost-lakehouse alerts` lists all that is open."] if left > 0 else []
        return "\n\n".join([self.title, *blocks, *rest]) + "\n"


def item_of(incident: Incident, dagster_url: str | None) -> Item:
    """An incident as it stands now."""
    where = incident.where
    recovered = incident.ended is not None
    event = "recovered" if recovered else "late" if incident.kind is Kind.LATE else "failed"
    run_id = incident.end_run_id if recovered else incident.run_id
    title = _recovered_title(incident, where) if recovered else _title(incident, where)
    return Item(
        id=f"{incident.id}-{'recovered' if incident.stage == ENDED else incident.stage}",
        event=event,
        title=_line(title),
        kind=incident.kind.value,
        what=incident.what,
        source=incident.source,
        part=incident.part,
        months=str(incident.months),
        severity=incident.severity.value,
        since=incident.since,
        until=incident.ended,
        times=incident.times if incident.kind in (Kind.RUN, Kind.CHECK) else 1,
        problem=_recovered_problem(incident) if recovered else incident.problem,
        fix="" if recovered else incident.fix,
        details=() if recovered else tuple(incident.details),
        run_id=run_id,
        url=_link(incident, run_id, dagster_url),
    )


def messages_of(
    news: Sequence[Incident], dagster_url: str | None, at_once: bool = False
) -> list[tuple[Message, list[Incident]]]:
    """The messages that tell the news, each with the incidents it tells.

    What one run did is one message; so is everything (``at_once``) where there is more than a person reads one by one.
    """
    groups: dict[tuple[object, ...], list[Incident]] = {}
    for incident in sorted(news, key=lambda one: (one.ended or one.since, one.key)):
        run_id = incident.end_run_id if incident.ended else incident.run_id
        groups.setdefault((bool(incident.ended), run_id or incident.key), []).append(incident)
    if len(groups) > MOST_SINGLE or (at_once and len(news) > 1):
        groups = {(): sorted(news, key=lambda one: (bool(one.ended), one.since, one.key))}
    return [(message_of([item_of(item, dagster_url) for item in group]), group) for group in groups.values()]


def message_of(items: Sequence[Item]) -> Message:
    """One message of all these items."""
    if len(items) == 1:
        return Message(items[0].id, items[0].title, tuple(items))
    bad = [item for item in items if item.event in ("failed", "late")]
    well = len(items) - len(bad)
    counts = [f"{len(bad)} problem{'s' if len(bad) > 1 else ''}"] if bad else []
    counts += [f"{well} recovered"] if well else []
    digest = sha256("|".join(sorted(item.id for item in items)).encode()).hexdigest()[:12]
    return Message(digest, _line(f"{', '.join(counts)}: {'; '.join(item.title for item in (bad or items))}"), tuple(items))


def trial_message(now: datetime) -> Message:
    """What ``cost-lakehouse alerts test`` sends."""
    item = Item(
        id=f"test-{now:%Y%m%dT%H%M%SZ}",
        event="test",
        title="Test: alerts of the cost lakehouse arrive here",
        kind="test",
        what="alerts test",
        source="",
        part="",
        months="",
        severity=Severity.WARNING.value,
        since=now,
        problem="Somebody ran `cost-lakehouse alerts test`.",
        fix="Nothing to do.",
    )
    return message_of([item])


def moment(at: datetime) -> str:
    """A moment for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def job_label(what: str) -> str:
    """A job for people."""
    return _JOBS.get(what, what)


def _title(incident: Incident, where: str) -> str:
    first_line = incident.problem.splitlines()[0] if incident.problem else "no reason given"
    # Many problems say themselves where they are.
    first_line = first_line.removeprefix(f"{where}, ").removeprefix(f"{where}: ") if where else first_line
    if incident.kind is Kind.LATE:
        return f"{where}: {first_line.partition('. ')[0]}"
    if incident.kind is Kind.CORRECTION:
        return f"Late correction of {where}: {first_line}"
    if incident.kind is Kind.GAP:
        return f"Days without rows of {where}: {first_line}"
    if incident.kind is Kind.ANOMALY:
        return f"Unexpected cost: {first_line}"
    if incident.kind is Kind.BUDGET:
        return f"Budget {incident.what}: {first_line}"
    if incident.kind is Kind.LAKE:
        return f"The lake cannot be read: {first_line}"
    if incident.kind is Kind.TICK:
        return f"{incident.what} fails again and again: {first_line}"
    if incident.kind is Kind.CHANNEL:
        return f"Alerts cannot be sent through {incident.what}: {first_line}"
    if incident.kind is Kind.CHECK:
        return f"Check {incident.what} failed{f' for {where}' if where else ''}: {first_line}"
    return f"{job_label(incident.what)}{f' of {where}' if where else ''} failed: {first_line}"


def _recovered_problem(incident: Incident) -> str:
    told = (Kind.CORRECTION, Kind.GAP, Kind.ANOMALY, Kind.BUDGET)
    before = "It was" if incident.kind in told else "It had failed with"
    return f"{incident.how} {before}: {incident.problem}"


def _recovered_title(incident: Incident, where: str) -> str:
    lasted = duration_text((incident.ended or incident.since) - incident.since)
    if incident.kind is Kind.LATE:
        return f"Recovered: {where} delivers again"
    if incident.kind is Kind.CORRECTION:
        return f"Settled: the late correction of {incident.where}"
    if incident.kind is Kind.GAP:
        return f"Settled: the days without rows of {incident.where}"
    if incident.kind is Kind.ANOMALY:
        return f"Settled: the unexpected cost of {incident.part}"
    if incident.kind is Kind.BUDGET:
        return f"Settled: the budget {incident.what}"
    if incident.kind is Kind.LAKE:
        return f"Recovered: the lake can be read again, after {lasted}"
    if incident.kind is Kind.TICK:
        return f"Recovered: {incident.what}, after {lasted}"
    if incident.kind is Kind.CHANNEL:
        return f"Recovered: alerts go out through {incident.what} again, after {lasted}"
    label = f"check {incident.what}" if incident.kind is Kind.CHECK else job_label(incident.what)
    return f"Recovered: {label}{f' of {where}' if where else ''}, after {lasted}"


def _link(incident: Incident, run_id: str, dagster_url: str | None) -> str:
    if not dagster_url:
        return ""
    if run_id:
        return f"{dagster_url}/runs/{run_id}"
    if incident.kind in (Kind.LATE, Kind.CORRECTION, Kind.GAP):
        return f"{dagster_url}/assets/line_items/{incident.source}"
    if incident.kind in (Kind.ANOMALY, Kind.BUDGET):
        return f"{dagster_url}/assets/marts/{'anomalies' if incident.kind is Kind.ANOMALY else 'budgets'}"
    return dagster_url


def _line(text: str) -> str:
    """On one line, short enough for a subject."""
    line = " ".join(text.split())
    return line if len(line) <= SUBJECT_MAX else f"{line[: SUBJECT_MAX - 3].rpartition(' ')[0] or line[: SUBJECT_MAX - 3]}..."
