"""What finished runs say of troubles and their ends: which step failed where and why, and what works again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from cost_lakehouse.alerts.incidents import Kind, Months, Recovery, Severity, Trouble
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.assets.mirrors import MIRROR, MIRROR_JOB, mirror_op
from cost_lakehouse.orchestration.assets.outlook import OUTLOOK_KEYS
from cost_lakehouse.orchestration.assets.pushes import PUSH, push_names, push_op
from cost_lakehouse.orchestration.constants import (
    ACCOUNTS_JOB,
    LINE_ITEMS,
    LOAD_JOB,
    MONTH_TAG,
    PUSH_JOB,
    RANGE_END_TAG,
    RANGE_START_TAG,
    REPORT_TAG,
    SOURCE_TAG,
    SUMMARY_JOB,
    line_items_op,
)
from cost_lakehouse.sources.registry import kind_of

# Runs are written down by machines whose clocks differ a little: so far back is looked again, past what was seen.
OVERLAP = timedelta(minutes=15)
RUNS_A_POLL = 200
SUMMARIES_STEP = "summaries"
PARTITION_TAG = "dagster/partition"
_EVENTS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}
# The step that makes an asset, by the first part of its key.
_STEP_OF: Mapping[str, Callable[[str], str]] = {
    LINE_ITEMS: line_items_op,
    MIRROR: mirror_op,
    PUSH: push_op,
    **dict.fromkeys(("staging", "intermediate", "marts"), lambda name: SUMMARIES_STEP),
}
Seen = Trouble | Recovery


def finished_runs(instance: dg.DagsterInstance, memory: Memory) -> list[tuple[dg.RunRecord, datetime]]:
    """Runs that ended since the last look, oldest first, each with its end; the memory knows then that they were seen.

    More than one look can take are left for the next.
    """
    since = memory.runs_seen_until - OVERLAP
    records = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS], updated_after=since)
    )
    ended = [(candidate, datetime.fromtimestamp(candidate.end_time, UTC)) for candidate in records if candidate.end_time]
    # An old run that is tagged anew is updated, not ended; and what ended before the first look is nobody's news.
    new = [
        (record, end)
        for record, end in ended
        if end >= max(since, memory.begun) and record.dagster_run.run_id not in memory.runs_seen
    ]
    taken = sorted(new, key=lambda one: one[1])[:RUNS_A_POLL]
    for record, end in taken:
        memory.runs_seen[record.dagster_run.run_id] = end
        memory.runs_seen_until = max(memory.runs_seen_until, end)
    oldest = memory.runs_seen_until - OVERLAP
    memory.runs_seen = {run_id: end for run_id, end in memory.runs_seen.items() if end >= oldest}
    return taken


def seen_in_run(instance: dg.DagsterInstance, settings: Settings, run: dg.DagsterRun, end: datetime) -> list[Seen]:
    """What one finished run says: a trouble for each failed step and check, a recovery for each that went well."""
    entries = instance.all_logs(run.run_id, of_type=_EVENTS)
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    return _RunReader(settings, run, end).read(events)


@dataclass(frozen=True)
class _Subject:
    """What a step works on: the job or step as it is told, and of which source."""

    what: str
    source: str
    by_month: bool = False


class _RunReader:
    """Reads the events of one run."""

    def __init__(self, settings: Settings, run: dg.DagsterRun, end: datetime) -> None:
        self._run = run
        self._end = end
        self._part = run.tags.get(REPORT_TAG, "")
        self._sources = {line_items_op(source.name): source for source in settings.sources}
        self._mirrors = {mirror_op(mirror.name): mirror.name for mirror in settings.mirrors}
        self._pushes = {push_op(name): name for name in push_names(settings)}
        self._months = months_of(run.tags)

    def read(self, events: Sequence[dg.DagsterEvent]) -> list[Seen]:
        """Everything, in the order in which it is to be taken."""
        evaluations = [
            dagster_event.asset_check_evaluation_data
            for dagster_event in events
            if dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]
        # Anomalies and budgets are told one by one, whatever run sees them.
        evaluations = [entry for entry in evaluations if entry.asset_key not in OUTLOOK_KEYS]
        failed_checks = [evaluation for evaluation in evaluations if not evaluation.passed]
        broken = [dagster_event for dagster_event in events if dagster_event.is_step_failure]
        seen: list[Seen] = []
        for event in events:
            if event.is_step_success and event.step_key:
                seen.append(self._recovery(self._subject(event.step_key)))
        for event in broken:
            seen += self._troubles(event, failed_checks)
        if self._run.status is dg.DagsterRunStatus.FAILURE and not broken:
            seen += self._of_dead_run(events)
        # What failed in a run that failed is part of the run's trouble; two messages of one cause are one too many.
        if self._run.status is dg.DagsterRunStatus.SUCCESS:
            seen += [self._check_trouble(failed_check) for failed_check in failed_checks]
        return seen + [self._check_recovery(evaluation) for evaluation in evaluations if evaluation.passed]

    def _subject(self, step: str) -> _Subject:
        if step.startswith(f"{LINE_ITEMS}__"):
            source = self._sources.get(step)
            name = source.name if source else self._run.tags.get(SOURCE_TAG, step.removeprefix(f"{LINE_ITEMS}__"))
            return _Subject(LOAD_JOB, name, by_month=source is None or not kind_of(source).adds_files)
        if step in self._mirrors:
            return _Subject(MIRROR_JOB, self._mirrors[step])
        if step in self._pushes:
            return _Subject(PUSH_JOB, self._pushes[step])
        if step == SUMMARIES_STEP:
            return _Subject(SUMMARY_JOB, "")
        # Dagster's own job of assets that were chosen by hand has no name that says anything.
        job = self._run.job_name
        return _Subject(step if job.startswith("__") else job, self._run.tags.get(SOURCE_TAG, ""))

    def _recovery(self, subject: _Subject, source: str | None = None, not_of: frozenset[str] = frozenset()) -> Recovery:
        return Recovery(
            kind=Kind.RUN,
            what=subject.what,
            at=self._end,
            how="A later run succeeded.",
            source=source or subject.source or None,
            not_of=not_of,
            part=self._part or None,
            months=self._months if subject.by_month or subject.what == SUMMARY_JOB else Months(),
            run_id=self._run.run_id,
        )

    def _troubles(self, event: dg.DagsterEvent, failed_checks: Sequence[dg.AssetCheckEvaluation]) -> Iterator[Seen]:
        subject = self._subject(event.step_key or "")
        problem, fix, cause, facts = _why(event)
        details = tuple(_check_line(asset_check_evaluation) for asset_check_evaluation in failed_checks)
        failed = facts.get("failed")
        if subject.what == SUMMARY_JOB and isinstance(failed, Mapping) and failed:
            # The build says which sources it did not publish, and publishes the others.
            reasons = {name: lines for names, lines in failed.items() for name in str(names).split(", ")}
            for source, lines in reasons.items():
                yield self._trouble(subject, source, "; ".join(str(line) for line in lines), fix, cause, details)
            yield self._recovery(subject, not_of=frozenset(reasons))
            return
        source = str(facts.get("source") or facts.get("mirror") or subject.source)
        yield self._trouble(subject, source, problem, fix, cause, details)

    def _of_dead_run(self, events: Sequence[dg.DagsterEvent]) -> Iterator[Trouble]:
        """A run that ended without a failed step: its process was killed, or it never came to its first step."""
        message = (
            next(
                (
                    dagster_event.message
                    for dagster_event in events
                    if dagster_event.event_type is dg.DagsterEventType.RUN_FAILURE
                ),
                "",
            )
            or ""
        )
        fix = "It is tried again where it is due; if it happens again, look at the machine's memory and logs."
        source = self._run.tags.get(SOURCE_TAG, "")
        chosen = sorted(self._run.asset_selection or (), key=lambda key: key.path)
        steps = [_STEP_OF[key.path[0]](key.path[-1]) for key in chosen if key.path[0] in _STEP_OF]
        if self._run.job_name == LOAD_JOB and source:
            steps = [line_items_op(source)]
        elif self._run.job_name == ACCOUNTS_JOB:
            steps = []  # its mart is none of the summaries: the run is told by its job and organisation
        subjects = [self._subject(step) for step in dict.fromkeys(steps)]
        for subject in subjects or [_Subject(self._run.job_name, source)]:
            yield self._trouble(subject, subject.source, message or "The run failed.", fix, "RunFailure", ())

    def _trouble(self, subject: _Subject, source: str, problem: str, fix: str, cause: str, details: tuple[str, ...]) -> Trouble:
        return Trouble(
            kind=Kind.RUN,
            what=subject.what,
            at=self._end,
            problem=problem,
            fix=fix,
            cause=cause,
            source=source,
            part=self._part,
            months=self._months if subject.by_month or subject.what == SUMMARY_JOB else Months(),
            by_month=subject.by_month,
            details=details,
            run_id=self._run.run_id,
        )

    def _check_trouble(self, each: dg.AssetCheckEvaluation) -> Trouble:
        is_error = each.severity is dg.AssetCheckSeverity.ERROR
        source = _source_of(each)
        return Trouble(
            kind=Kind.CHECK,
            what=_check_name(each),
            at=self._end,
            problem=each.description or _told_facts(each.metadata) or "The check did not pass.",
            fix="Look at the check's evaluation in Dagster; `cost-lakehouse status` says what the lake holds.",
            source=source,
            months=Months.one(each.partition[:7]) if each.partition else self._months,
            by_month=bool(source),
            severity=Severity.ERROR if is_error else Severity.WARNING,
            run_id=self._run.run_id,
        )

    def _check_recovery(self, each: dg.AssetCheckEvaluation) -> Recovery:
        return Recovery(
            kind=Kind.CHECK,
            what=_check_name(each),
            at=self._end,
            how="The check passes again.",
            source=_source_of(each) or None,
            months=Months.one(each.partition[:7]) if each.partition else self._months,
            run_id=self._run.run_id,
        )


def months_of(tags: Mapping[str, str]) -> Months:
    """The months that a run is about, of its tags."""
    one = tags.get(MONTH_TAG) or tags.get(PARTITION_TAG, "")
    if re.match(r"\d{4}-\d{2}", one):
        return Months.one(one[:7])
    first, last = tags.get(RANGE_START_TAG, ""), tags.get(RANGE_END_TAG, "")
    return Months(first[:7], last[:7]) if first and last else Months()


def _why(event: dg.DagsterEvent) -> tuple[str, str, str, Mapping[str, Any]]:
    """Problem, fix, kind of error and all facts of a failed step."""
    data = event.step_failure_data
    if data.user_failure_data is not None:
        facts = {name: item.value for name, item in data.user_failure_data.metadata.items()}
        problem = str(facts.get("problem") or data.user_failure_data.description or "The step failed.")
        cause = str(facts.get("error_kind") or "Failure")
        fix = str(facts.get("what_to_do") or "The run's events in Dagster say more.")
        return problem, fix, cause, facts
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "The step failed.", "The run's events in Dagster say why.", "", {}
    fix = "This is unexpected: the run's events in Dagster show where it happened."
    return error.message.strip() or "The step failed.", fix, error.cls_name or "", {}


def _check_name(each: dg.AssetCheckEvaluation) -> str:
    return f"{each.asset_key.to_user_string()}: {each.check_name}"


def _check_line(each: dg.AssetCheckEvaluation) -> str:
    facts = each.description or _told_facts(each.metadata)
    return f"check {_check_name(each)} failed{f': {facts}' if facts else ''}"


def _told_facts(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    """The short facts of a check, on one line."""
    short = [f"{name} {item.value}" for name, item in metadata.items() if isinstance(item.value, str | int | float)]
    return ", ".join(text for text in short if len(text) <= 100 and "\n" not in text)[:500]


def _source_of(each: dg.AssetCheckEvaluation) -> str:
    path = each.asset_key.path
    return path[-1] if path[0] == LINE_ITEMS and len(path) == 2 else ""
