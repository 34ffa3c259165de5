"""``cost-lakehouse allocate``: costs shared out among teams by rules, or what another set of rules would change."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.allocation.comparison import team_changes
from cost_lakehouse.allocation.share_out import Shared, needed, published_bills, rules_in_use, share_out, write
from cost_lakehouse.cli.choices import month_of, settings_of, sources_of
from cost_lakehouse.cli.output import amount_shown, print_json, print_table, print_wrapped
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config.allocations import AllocationSettings, VersionSettings, read_allocations
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice

_LOCK_WAIT_SECONDS = 600.0


def allocate_costs(
    config: Path | None, source: str | None, month: str | None, rules: str, basis: str, preview: Path | None, as_json: bool
) -> int:
    """Share months out and write them, or print what ``preview`` would change; the exit code.

    Raises ConfigurationError, LakeError.
    """
    settings = settings_of(config)
    if rules not in ("then", "now"):
        raise ConfigurationError(f"--rules {rules!r} is not known.", "Use then (of each month) or now (the newest).")
    if basis not in ("billed", "effective"):
        raise ConfigurationError(f"--basis {basis!r} is not known.", "Use billed or effective.")
    lake = Lake(settings)
    names = {one.name for one in sources_of(settings, source, None)}
    wanted = month_of(month, settings)
    in_use = rules_in_use(lake)
    if preview is not None:
        other = read_allocations(preview.expanduser().resolve())
        months = _chosen(lake, names, wanted)
        now = [] if in_use is None else _shared(lake, months, in_use, rules)
        return _print_changes(now, _shared(lake, months, other, rules), basis, preview, as_json)
    file = needed(in_use)
    with lake.lock("publish", "Sharing costs out", _LOCK_WAIT_SECONDS):
        done = _shared(lake, _chosen(lake, names, wanted), file, rules)
        write(lake, done)
    _print_shared(done, basis, as_json)
    return 0


def _chosen(lake: Lake, names: set[str], month: date | None) -> list[Slice]:
    found = [one for one in sorted(published_bills(lake)) if one.source in names and month in (None, one.billing_period)]
    if not found:
        raise LakeError(
            "No such bill is published.", "`cost-lakehouse status` shows which are; `cost-lakehouse run` builds them."
        )
    return found


def _shared(lake: Lake, months: list[Slice], file: AllocationSettings, rules: str) -> list[Shared]:
    return [share_out(lake, one, file, _version(file, one.billing_period, rules)) for one in months]


def _version(file: AllocationSettings, month: date, rules: str) -> VersionSettings:
    return file.versions[-1] if rules == "now" else file.version_of(month)


def _print_shared(done: list[Shared], basis: str, as_json: bool) -> None:
    changes = team_changes([], done, basis)
    if as_json:
        print_json([{"team": one.team, "currency_code": one.currency_code, "cost": one.then} for one in changes])
        return
    rows = [(one.team, amount_shown(one.then), one.currency_code or "") for one in changes]
    print_table([Column("team"), Column(basis, "number"), Column("currency")], rows)
    versions = ", ".join(sorted({f"{one.valid_from:%Y-%m}" for one in done}))
    print_wrapped(f"{len(done)} months are shared out by the rules of {versions}: exactly what the bills come to, day by day.")


def _print_changes(now: list[Shared], then: list[Shared], basis: str, preview: Path, as_json: bool) -> int:
    changes = team_changes(now, then, basis)
    if as_json:
        print_json(
            [
                {"team": one.team, "currency_code": one.currency_code, "now": one.now, "then": one.then, "change": one.change}
                for one in changes
            ]
        )
        return 0
    rows = [
        (one.team, amount_shown(one.now), amount_shown(one.then), amount_shown(one.change), one.currency_code or "")
        for one in changes
    ]
    columns = [Column("team"), *(Column(name, "number") for name in ("now", preview.name, "change")), Column("currency")]
    print_table(columns, rows)
    print_wrapped(f"Nothing was written. {len(then)} months, {basis} cost.")
    return 0
