"""``cost-lakehouse run``: loads what is new, each delivery in a Dagster run of its own, then builds the summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cost_lakehouse.cli.choices import month_of, settings_of, sources_of
from cost_lakehouse.cli.commands.discover import plan_all
from cost_lakehouse.cli.commands.push import push_what_is_due
from cost_lakehouse.cli.interrupts import Interruption
from cost_lakehouse.cli.output import EXIT_FAILED, amount_shown, print_problem, print_table, say, size
from cost_lakehouse.cli.progress import LoadBar, working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.plan import Planned
from cost_lakehouse.proof.late_corrections import open_corrections, problem_of
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.summaries.stale import stale_slices

if TYPE_CHECKING:
    from cost_lakehouse.orchestration.runner import InProcess, RunOutcome, SummaryOutcome


_NAMED = 5


@dataclass(frozen=True)
class Loaded:
    """One delivery that was tried, and how that ended."""

    planned: Planned
    outcome: RunOutcome


def run_once(
    config: Path | None,
    source: str | None,
    kind: str | None,
    month_text: str | None,
    summarize: bool,
    force: bool,
    exact: bool,
    interruption: Interruption,
    run_id: str | None = None,
) -> int:
    """Load, summarise, print what happened; the exit code. The first Dagster run has the id ``run_id``, where one is given."""
    begun = datetime.now(UTC).replace(tzinfo=None)
    settings = settings_of(config)
    month = month_of(month_text, settings)
    chosen = sources_of(settings, source, kind)
    for chosen_source in chosen:
        if chosen_source.paused:
            raise ConfigurationError(
                f"Source {chosen_source.name!r} is paused in {settings.file}.", "Remove `paused: true` to load it."
            )
    interruption.says = lambda: "Nothing was loaded: it was still looking for deliveries."
    lake = Lake(settings)
    planned, errors = plan_all(settings, chosen, holdings(lake), month)
    due = [item for item in planned if is_due(item, force)]
    for unread in planned:
        if unread.status is Status.FAILED:
            print_problem(
                f"{unread.label}: {unread.reason}",
                "Nothing was changed for it. Put right what is delivered there, or wait for the next delivery; then run again.",
            )
    for error in errors:
        print_problem(error.problem, error.fix)
    failed = bool(errors) or any(candidate.status is Status.FAILED for candidate in planned)
    if not due:
        say(nothing_new(planned))
    for line in left_out(planned):
        say(line)
    if not due and not (summarize and stale_slices(lake, marts=chosen_marts(settings))):
        pushed = push_what_is_due(lake) if summarize else True
        return EXIT_FAILED if failed or not pushed else 0
    interruption.says = lambda: kept_so_far(due, [])
    with LoadBar() as bar:
        loads, summary = execute(settings, lake, due, summarize, force, bar, interruption, run_id)
    print_loads(loads, exact)
    if summary is not None:
        print_summary(summary, exact)
        print_corrections(lake, begun)
    failed = failed or any(not load.outcome.ok for load in loads) or (summary is not None and not summary.ok)
    if summarize:
        failed = not push_what_is_due(lake) or failed
    return EXIT_FAILED if failed else 0


def print_corrections(lake: Lake, since: datetime) -> None:
    """What waits in closed months, and what changed invoiced ones ``since`` then (UTC without zone); what to do about it."""
    for correction in open_corrections(lake, since):
        if not correction.is_pending and correction.found_at < since:
            continue
        problem, fix, lines = problem_of(correction)
        say(f"Late correction: {problem}")
        for line in lines:
            say(f"  {line}")
        say(f"  {fix}")


def is_due(planned: Planned, force: bool) -> bool:
    """Whether a manual run loads it: what is new, what was refused before, and with ``--force`` what is current too."""
    wanted = {Status.NEW, Status.REFUSED} | ({Status.CURRENT} if force else set())
    return planned.delivery is not None and planned.status in wanted


def nothing_new(planned: Sequence[Planned]) -> str:
    """Why there is nothing to load, for people."""
    current = sum(candidate.status is Status.CURRENT for candidate in planned)
    held = "1 delivery is" if current == 1 else f"{current} deliveries are"
    return f"Nothing new to load; {held} up to date." if current else "Nothing new to load."


def left_out(planned: Sequence[Planned]) -> list[str]:
    """What is there, or ought to be, and is not loaded: a line each, and one a source for months before the first."""
    lines = [
        f"  {candidate.label}: {candidate.status}: {candidate.reason}"
        for candidate in planned
        if candidate.status is Status.WAITING
    ]
    early = [candidate for candidate in planned if candidate.status is Status.EARLY]
    for source in dict.fromkeys(entry.source for entry in early):
        months = [entry.month for entry in early if entry.source == source]
        lines.append(f"  {source}: {', '.join(months)} not loaded: before lake.first_month")
    return lines


def execute(
    settings: Settings,
    lake: Lake,
    due: Sequence[Planned],
    summarize: bool,
    force: bool,
    bar: LoadBar,
    interruption: Interruption,
    run_id: str | None = None,
) -> tuple[list[Loaded], SummaryOutcome | None]:
    """Load everything that is due, one run each, then build what is stale in one more."""
    with working("Starting Dagster", bar.console):
        from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs
        from cost_lakehouse.orchestration.runner import InProcess
    with command_instance(settings) as instance:
        end_dead_runs(instance)
        runner = InProcess(settings, instance, bar.of_run, run_id)
        loads: list[Loaded] = []
        interruption.says = lambda: kept_so_far(due, loads)
        deliveries = [(planned, planned.delivery) for planned in due if planned.delivery is not None]
        for number, (each, delivery) in enumerate(deliveries, start=1):
            bar.position = f"[{number}/{len(deliveries)}] "
            again = force and each.status is Status.CURRENT
            loads.append(Loaded(each, runner.load(delivery, again, each.status is Status.REFUSED)))
            interruption.check()
        summary = _summarize(runner, lake, loads, force, bar) if summarize else None
    return loads, summary


def kept_so_far(due: Sequence[Planned], loads: Sequence[Loaded]) -> str:
    """What is kept where a run is stopped now, and what was not looked at. Pure."""
    good = sum(loaded.outcome.ok for loaded in loads)
    left = [planned.label for planned in due if planned.delivery is not None][len(loads) :]
    kept = f"Kept: {good} load{'' if good == 1 else 's'}" if good else "Nothing was loaded"
    if not left:
        return f"{kept}; the summaries were not finished. Run it again: what is loaded is not loaded twice."
    shown = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" if len(left) > _NAMED else "")
    return f"{kept}; not loaded: {shown}. Run it again: what is loaded is not loaded twice."


def chosen_marts(settings: Settings) -> list[str]:
    """The tables to publish where there are FOCUS rows or models of the user's: a new one is a reason to build every month."""
    if settings.models is None and settings.lake.focus != "table":
        return []
    from cost_lakehouse.summaries.dbt_project import parse_if_stale
    from cost_lakehouse.summaries.marts import published_marts

    return [mart.table for mart in published_marts(parse_if_stale(settings).document, focus=settings.lake.focus == "table")]


def _summarize(runner: InProcess, lake: Lake, loads: Sequence[Loaded], force: bool, bar: LoadBar) -> SummaryOutcome | None:
    """One build of every stale slice, wherever it comes from; forced loads are built again though their id is the same."""
    slices = {stale_slice.slice for stale_slice in stale_slices(lake, marts=chosen_marts(lake.settings))}
    if force:
        slices |= {
            Slice(loaded.planned.source, date.fromisoformat(f"{month}-01"))
            for loaded in loads
            if loaded.outcome.ok
            for month in loaded.outcome.facts
        }
    if not slices:
        return None
    with working(f"Building and checking the summaries of {len(slices)} months of sources", bar.console):
        return runner.summarize(sorted(slices), force)


_COLUMNS = (
    Column("source"),
    Column("month"),
    Column("delivery", "id", 2),
    Column("result"),
    Column("rows", "number", 1),
    Column("bytes", "number", 3),
    Column("cost", "number"),
    Column("seconds", "number", 4),
    Column("rows/s", "number", 5),
)


_MOST_FINDINGS = 5


def print_loads(loads: Sequence[Loaded], exact: bool = False) -> None:
    """A table of what was loaded, and every failure with its fix; costs in cents on a terminal, unless ``exact``."""
    if not loads:
        return
    print_table(_COLUMNS, [row for loaded in loads for row in _rows(loaded, exact)], elsewhere="`status --json` has them.")
    for finding in _findings(loads):
        say(f"  warning: {finding}")
    for loaded in loads:
        if not loaded.outcome.ok:
            problem, label = loaded.outcome.problem, loaded.planned.label
            print_problem(problem if label in problem else f"{label}: {problem}", loaded.outcome.fix)


def _findings(loads: Sequence[Loaded]) -> list[str]:
    """What loads found that is no failure, a sentence each; of many the first ones."""
    texts = [str(facts["findings"]) for loaded in loads for facts in loaded.outcome.facts.values() if "findings" in facts]
    found = list(dict.fromkeys(line.removeprefix("* ") for text in texts for line in text.splitlines()))
    more = [f"and {len(found) - _MOST_FINDINGS:,} more: marts.bill_findings lists them."] if len(found) > _MOST_FINDINGS else []
    return [*found[:_MOST_FINDINGS], *more]


def _rows(loaded: Loaded, exact: bool) -> list[tuple[Any, ...]]:
    """A row for each month that a load touched, or one that says how it ended."""
    planned, facts = loaded.planned, loaded.outcome.facts
    if not facts:
        delivery_id = planned.delivery.delivery_id if planned.delivery else ""
        ended = "unchanged" if loaded.outcome.ok else "failed"
        return [(planned.source, planned.subject, delivery_id, ended, "", "", "", "", "")]
    rows: list[tuple[Any, ...]] = []
    for month, of_month in sorted(facts.items()):
        count, seconds = int(of_month["dagster/row_count"]), float(of_month["seconds"])
        speed = f"{count / seconds:,.0f}" if seconds > 0 and count > 0 and of_month["outcome"] == "loaded" else ""
        costs = ", ".join(_cost(part, exact) for part in of_month["cost"].split(", "))
        done = (of_month["outcome"], f"{count:,}", size(int(of_month["bytes"])), costs, f"{seconds:.1f}", speed)
        rows.append((planned.source, month, of_month["delivery_id"], *done))
    return rows


def _cost(text: str, exact: bool) -> str:
    """One currency's cost, such as ``12.5 USD``."""
    amount, space, currency = text.partition(" ")
    return f"{_amount(amount, exact)} {currency}" if space else text


def _amount(text: str | None, exact: bool) -> str:
    return amount_shown(Decimal(text), exact) if text else ""


def print_summary(summary: SummaryOutcome, exact: bool = False) -> None:
    """What the summaries say now, and every check that found a difference."""
    if summary.changes:
        say()
        rows = [
            (
                change["source"],
                change["month"],
                change["currency"],
                _amount(change["old"], exact),
                _amount(change["new"], exact),
            )
            for change in summary.changes
        ]
        numbers = (Column("was", "number", 1), Column("is now", "number"))
        print_table((Column("source"), Column("month"), Column("currency"), *numbers), rows, "marts.daily_costs, billed cost")
    if summary.checks_passed or summary.failed_checks:
        say()
        warned = f", {len(summary.warnings)} warnings" if summary.warnings else ""
        say(f"{summary.checks_passed} checks passed, {len(summary.failed_checks)} failed{warned}.")
    for failed in summary.failed_checks:
        say(f"  failed: {failed}")
    for warning in summary.warnings:
        say(f"  warning: {warning} (marts.bill_findings lists each)")
    if not summary.ok:
        print_problem(summary.problem)
