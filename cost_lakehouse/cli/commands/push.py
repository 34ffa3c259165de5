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
from cost_lakehouse.errors import ConfigurationError, PushFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.publish.backbone.push import pushes_due


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


def targets_due(lake: Lake) -> list[str]:
    """The targets that follow runs and lack a published month, by the ledger; PostgreSQL says itself what it has.

    What cannot be asked is due: the push then says why.
    """
    due = [target.name for target in lake.settings.push if target.follows_runs and pushes_due(lake, target)]
    database = lake.settings.publish.postgres
    if database is not None:
        from cost_lakehouse.publish.postgres.publisher import months_due

        try:
            waits = bool(months_due(lake, database, datetime.now(UTC).date()))
        except PushFailed:
            waits = True
        due += [POSTGRES] if waits else []
    return due


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
