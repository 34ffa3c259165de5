"""``cost-lakehouse push``, and what ``run`` does at its end: published months that changed go to the push targets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, console, print_problem, say, size
from cost_lakehouse.cli.progress import working
from cost_lakehouse.config import Settings
from cost_lakehouse.config.push import POSTGRES
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.publish.due import targets_due


def push_months(config: Path | None, name: str | None, again: bool) -> int:
    """Push to one target or to all that are not paused; the exit code."""
    settings = settings_of(config)
    database = [POSTGRES] if settings.publish.postgres is not None else []
    if name in database:
        chosen = database
    elif name:
        chosen = [settings.push_target(name).name]
    else:
        chosen = [target.name for target in settings.push if not target.paused] + database
    if not chosen:
        raise ConfigurationError(
            f"There is nowhere to push to in {settings.file}.",
            "Add `push:` (docs/backbone.md) or `publish:` (docs/postgres.md).",
        )
    return 0 if push_targets(settings, chosen, again) else EXIT_FAILED


def push_what_is_due(lake: Lake) -> bool:
    """Push to every target that lacks a published month; whether all went well."""
    due = targets_due(lake, datetime.now(UTC).date())
    return push_targets(lake.settings, [target.name for target in due if target.months])


def push_targets(settings: Settings, names: Sequence[str], again: bool = False) -> bool:
    """Push to each, one run each, and say what was sent. One target's failure does not keep the others from getting theirs."""
    if not names:
        return True
    with working("Starting Dagster", console(stderr=True)):
        from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs
        from cost_lakehouse.orchestration.push_runs import PushRuns
    all_well = True
    with command_instance(settings) as instance:
        end_dead_runs(instance)
        runs = PushRuns(settings, instance)
        for name in names:
            with working(f"Pushing to {name}", console(stderr=True)):
                outcome = runs.push(name, again)
            if outcome.ok:
                facts = outcome.facts
                files = (
                    f"{facts['files']} files, {size(facts['bytes'])}"
                    if "files" in facts
                    else f"{facts['dagster/row_count']:,} rows"
                )
                sent = f"{facts['months']} months sent, {files}"
                say(f"Pushed to {name}: {sent if facts['months'] else 'nothing new'}.")
            else:
                all_well = False
                print_problem(outcome.problem if name in outcome.problem else f"{name}: {outcome.problem}", outcome.fix)
    return all_well
