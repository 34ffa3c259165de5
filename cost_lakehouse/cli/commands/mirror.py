"""``cost-lakehouse mirror``: copies Oracle's reports, each mirror in a Dagster run of its own, and says what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.interrupts import Interruption
from cost_lakehouse.cli.output import EXIT_FAILED, console, print_problem, print_table, say, size
from cost_lakehouse.cli.progress import LoadBar, working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError

if TYPE_CHECKING:
    from cost_lakehouse.orchestration.runner import AssetOutcome

KEYS_SHOWN = 20
_NUMBERS = {  # name -> how early it is left out of a narrow table
    "objects": 3,
    "copied": 0,
    "copied bytes": 2,
    "skipped": 4,
    "only there": 5,
    "deleted": 1,
    "failed": 0,
    "seconds": 6,
}


def mirror_reports(config: Path | None, name: str | None, dry_run: bool, interruption: Interruption) -> int:
    """Copy, print what was done; the exit code. One mirror's failure does not keep the others from running."""
    settings = settings_of(config)
    chosen = _chosen(settings, name)
    if dry_run:
        return _dry_runs(settings, chosen)
    with working("Starting Dagster", console(stderr=True)):
        from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs
        from cost_lakehouse.orchestration.runner import run_mirror_once
    with command_instance(settings) as instance, LoadBar("objects") as bar:
        end_dead_runs(instance)
        outcomes: list[tuple[str, AssetOutcome]] = []
        interruption.says = lambda: _kept_so_far([entry.name for entry in chosen], len(outcomes))
        for entry in chosen:
            outcomes.append((entry.name, run_mirror_once(settings, instance, entry.name, bar.of_run)))
            interruption.check()
    _print([(mirror, outcome.facts, outcome.ok) for mirror, outcome in outcomes])
    for mirror, outcome in outcomes:
        if not outcome.ok:
            problem = outcome.problem if mirror in outcome.problem else f"{mirror}: {outcome.problem}"
            print_problem(problem, outcome.fix)
        elif not outcome.facts.get("objects"):
            say(f"{mirror}: Oracle's bucket holds no reports; see `cost-lakehouse doctor`.")
    return 0 if all(outcome.ok for _, outcome in outcomes) else EXIT_FAILED


def _kept_so_far(names: Sequence[str], finished: int) -> str:
    left = ", ".join(names[finished + 1 :])
    under_way = f" {names[finished]} was under way:" if finished < len(names) else ""
    return (
        f"Kept:{under_way} every object that was copied whole, and the parts of large ones; the next run goes on there."
        f"{f' Not looked at: {left}.' if left else ''}"
    )


def _chosen(settings: Settings, name: str | None) -> list[MirrorSettings]:
    if name is not None:
        mirror = settings.mirror(name)
        if mirror.paused:
            raise ConfigurationError(f"Mirror {name!r} is paused in {settings.file}.", "Remove `paused: true` to copy.")
        return [mirror]
    if not settings.mirrors:
        raise ConfigurationError(
            f"There is no mirror in {settings.file}.", "Add one to `mirrors:`, see lakehouse.example.yaml."
        )
    return [candidate for candidate in settings.mirrors if not candidate.paused]


def _dry_runs(settings: Settings, chosen: Sequence[MirrorSettings]) -> int:
    from cost_lakehouse.mirror.run import run_mirror

    done: list[tuple[str, Mapping[str, Any], bool]] = []
    failed = False
    for mirror in chosen:
        try:
            with working(f"Comparing {mirror.name}", console(stderr=True)):
                report = run_mirror(settings, mirror, dry_run=True)
        except CostLakehouseError as error:
            failed = True
            print_problem(f"{mirror.name}: {error.problem}", error.fix)
            continue
        done.append((mirror.name, report.facts(), True))
        _list("would copy", report.keys)
        _list("would delete", report.deleted_keys)
    _print(done)
    say("Nothing was changed: this was a dry run.")
    return EXIT_FAILED if failed else 0


def _list(what: str, keys: Sequence[str]) -> None:
    for key in keys[:KEYS_SHOWN]:
        say(f"  {what} {key}")
    if len(keys) > KEYS_SHOWN:
        say(f"  … and {len(keys) - KEYS_SHOWN} more")


def _print(done: Sequence[tuple[str, Mapping[str, Any], bool]]) -> None:
    rows = [(name, *_row(facts)) for name, facts, _ in done if "objects" in facts]
    if rows:
        print_table((Column("mirror"), *(Column(item, "number", rank) for item, rank in _NUMBERS.items())), rows)


def _row(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = [f"{facts[name]:,}" for name in ("objects", "copied", "skipped", "kept", "deleted", "failed")]
    objects, copied, skipped, kept, deleted, failed = counts
    return (objects, copied, size(facts["bytes"]), skipped, kept, deleted, failed, f"{facts['seconds']:.1f}")
