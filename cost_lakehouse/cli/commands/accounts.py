"""``cost-lakehouse accounts``: reads account names out of AWS Organizations, and says which are new, changed or gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cost_lakehouse.accounts.changes import KINDS, NEW
from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, console, print_problem, print_table, say
from cost_lakehouse.cli.progress import working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.config.organizations import OrganizationSettings
from cost_lakehouse.errors import ConfigurationError


def read_account_names(config: Path | None, name: str | None) -> int:
    """Read each organisation, then build the names; the exit code. One that fails does not keep the others from being read.

    Raises ConfigurationError where neither an organisation nor the seed names anything.
    """
    settings = settings_of(config)
    chosen = _chosen(settings, name)
    with working("Starting Dagster", console(stderr=True)):
        from cost_lakehouse.orchestration.account_runs import AccountRuns
        from cost_lakehouse.orchestration.assets.accounts import account_assets
        from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs
    if not account_assets(settings):
        raise ConfigurationError(
            f"There is no organisation in {settings.file}, and the seed names no account.",
            "Add one to `organizations:`, see lakehouse.example.yaml, or fill dbt_project/seeds/aws_account_names.csv.",
        )
    with command_instance(settings) as instance:
        end_dead_runs(instance)
        runs = AccountRuns(settings, instance)
        read = []
        for entry in chosen:
            with working(f"Reading the accounts of {entry.name}", console(stderr=True)):
                read.append((entry.name, runs.read(entry.name)))
        with working("Building the names", console(stderr=True)):
            built = runs.build_names()
    rows = []
    for organization, outcome in read:
        if not outcome.ok:
            print_problem(_named(organization, outcome.problem), outcome.fix)
            continue
        rows.append((organization, *(outcome.facts[item] for item in ("organization_id", "accounts", *KINDS))))
    if rows:
        counts = (Column(item, "number", rank) for rank, item in enumerate(("accounts", *KINDS)))
        print_table((Column("organisation"), Column("id", "id", 9), *counts), rows)
    for organization, outcome in read:
        for change in outcome.facts.get("changed_accounts", []):
            if change["what"] != NEW:
                detail = f" ({change['detail']})" if change["detail"] else ""
                say(f"  {organization}: {change['account_id']} {change['account_name']}: {change['what']}{detail}")
    if not built.ok:
        print_problem(built.problem, built.fix)
    elif built.facts.get("published"):
        say(f"marts.aws_accounts is up to date: {built.facts['dagster/row_count']} rows.")
    else:
        say("marts.aws_accounts stays as it is: every name is known.")
    return 0 if built.ok and all(outcome.ok for _, outcome in read) else EXIT_FAILED


def _named(organization: str, problem: str) -> str:
    return problem if organization in problem else f"{organization}: {problem}"


def _chosen(settings: Settings, name: str | None) -> Sequence[OrganizationSettings]:
    if name is None:
        return [candidate for candidate in settings.organizations if not candidate.paused]
    organization = settings.organization(name)
    if organization.paused:
        raise ConfigurationError(f"Organisation {name!r} is paused in {settings.file}.", "Remove `paused: true` to read it.")
    return [organization]
