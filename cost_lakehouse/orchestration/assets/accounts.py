"""Account names, where they are wanted: an asset an organisation, and ``marts/aws_accounts`` made of them and of the seed."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from cost_lakehouse.accounts.changes import KINDS, AccountChange, read_accounts
from cost_lakehouse.accounts.names import built_from, is_up_to_date, publish_account_names, seed_is_filled
from cost_lakehouse.config import Settings
from cost_lakehouse.config.organizations import OrganizationSettings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.tables import ACCOUNT_NAMES
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table
from cost_lakehouse.orchestration.assets.summary_build import scratch_folder
from cost_lakehouse.orchestration.constants import ACCOUNTS_JOB, FAILURE_TAG, PROCESS_TAG, SOURCE_TAG, TRIGGER_TAG
from cost_lakehouse.orchestration.failures import lasting_failure
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.schedules import ensure_cron
from cost_lakehouse.summaries.dbt_arguments import account_names_arguments
from cost_lakehouse.summaries.dbt_project import parse_if_stale, project_folder
from cost_lakehouse.summaries.dbt_run import run_dbt
from cost_lakehouse.summaries.dbt_target import build_target

ORGANIZATIONS = "organizations"
ACCOUNT_NAMES_KEY = dg.AssetKey(ACCOUNT_NAMES.split("."))
ACCOUNT_NAMES_POOL = "account_names"
_LISTED = 200


def organization_key(name: str) -> dg.AssetKey:
    """The asset of one organisation's accounts."""
    return dg.AssetKey([ORGANIZATIONS, name])


def organization_op(name: str) -> str:
    """A valid op, pool and schedule name for an organisation; their names have no underscore, so two never meet."""
    return f"{ORGANIZATIONS}__{name.replace('-', '_')}"


def account_tags(name: str, trigger: str) -> dict[str, str]:
    """The tags of a run for one organisation: alerts tell by them which one failed, or works again."""
    return {SOURCE_TAG: name, TRIGGER_TAG: trigger}


def account_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """An asset for every organisation, paused ones too, and their names'; none where neither they nor the seed name any."""
    if not settings.organizations and not seed_is_filled(project_folder()):
        return []
    return [*(_organization_asset(settings, organization) for organization in settings.organizations), _names_asset(settings)]


def _organization_asset(settings: Settings, organization: OrganizationSettings) -> dg.AssetsDefinition:
    @dg.asset(
        key=organization_key(organization.name),
        group_name=ORGANIZATIONS,
        kinds={"aws", "iceberg"},
        owners=["team:finops"],
        description=(
            f"The accounts of the organisation `{organization.name}`: names, organisational units and tags. A run puts on "
            "record, in raw.aws_accounts, which are new, changed or gone; what was on record stays as it is."
        ),
        tags={"organization": organization.name},
        pool=organization_op(organization.name),
    )
    def accounts(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            read = read_accounts(lake, settings, organization)
        except CostLakehouseError as error:
            context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
            raise lasting_failure(error, organization.name) from None
        for change in read.changes[:_LISTED]:
            context.log.info(f"{change.account_id} {change.account_name}: {change.what} {change.detail}".strip())
        return dg.MaterializeResult(
            metadata={
                "source": read.name,
                "organization_id": read.organization_id,
                "accounts": read.accounts,
                **{kind: sum(change.what == kind for change in read.changes) for kind in KINDS},
                "changes": changes_table(read.changes),
                "changed_accounts": dg.MetadataValue.json([change.__dict__ for change in read.changes[:_LISTED]]),
            }
        )

    return accounts


def _names_asset(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=ACCOUNT_NAMES_KEY,
        deps=[organization_key(organization.name) for organization in settings.organizations],
        group_name="marts",
        kinds={"dbt", "iceberg"},
        owners=["team:finops"],
        description=(
            "Names of AWS accounts with the days that they hold, from organisations and, for accounts that none of them names, "
            "from the seed `aws_account_names`. Joins daily_costs by account and day."
        ),
        pool=ACCOUNT_NAMES_POOL,
    )
    def aws_accounts(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            with scratch_folder(settings, context.instance, context.run.run_id) as folder:
                rows, differs = build_account_names(lake, folder)
        except CostLakehouseError as error:
            raise lasting_failure(error, context.run.tags.get(SOURCE_TAG, "")) from None
        counted = {"dagster/row_count": rows} if rows is not None else {}
        return dg.MaterializeResult(metadata={**counted, "published": differs})

    return aws_accounts


def build_account_names(lake: Lake, folder: Path) -> tuple[int | None, bool]:
    """Build, test and publish the names: how many rows, and whether they are other ones than before.

    What they are made from is compared first: where it is as it was, dbt is not run, and nobody counts (None). Raises LakeError
    where a model or test fails; the names that were published stay then.
    """
    digest = built_from(lake, project_folder())
    if is_up_to_date(lake, digest):
        return None, False
    project = parse_if_stale(lake.settings)
    with build_target(lake, project.folder, folder) as target:
        failures = run_dbt(lake, project, target, account_names_arguments()).failures
        if failures:
            raise LakeError(
                f"The account names were not published: {'; '.join(failures)}",
                "Correct the seed dbt_project/seeds/aws_account_names.csv, if it is the one that is named. Names that were "
                "published before stay.",
            )
        return publish_account_names(lake, target.built, digest)


def changes_table(changes: Sequence[AccountChange]) -> dg.TableMetadataValue:
    """The changes as a table of the UI; the first of them where there are many."""
    rows: list[dict[str, str | int]] = [
        {"account": change.account_id, "name": change.account_name, "is": change.what, "detail": change.detail}
        for change in changes[:_LISTED]
    ]
    if len(changes) > _LISTED:
        rows.append({"account": "…", "name": f"and {len(changes) - _LISTED} more", "is": "", "detail": ""})
    return metadata_table({"account": str, "name": str, "is": str, "detail": str}, rows)


def account_jobs(assets: Sequence[dg.AssetsDefinition]) -> "list[dg.UnresolvedAssetJobDefinition]":
    """The job that reads and names; none where there is nothing to name."""
    if not assets:
        return []
    return [
        dg.define_asset_job(
            ACCOUNTS_JOB,
            selection=dg.AssetSelection.assets(*assets),
            description="Reads organisations, and brings the names of accounts up to date.",
        )
    ]


def account_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for each organisation that is neither paused nor `schedule: off`.

    Raises ConfigurationError where its ``schedule`` is no cron text.
    """
    made = []
    for organization in settings.organizations:
        if organization.schedule is None or organization.paused:
            continue
        whose = f"The schedule of organisation {organization.name!r}"
        ensure_cron(organization.schedule, whose, "`15 5 * * *` for every day at 05:15 UTC, or `off`")
        made.append(_schedule(organization, organization.schedule))
    return made


def _schedule(organization: OrganizationSettings, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=organization_op(organization.name),
        cron_schedule=cron,
        job_name=ACCOUNTS_JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Reads the accounts of {organization.name}, and brings their names up to date.",
    )
    def read_organization(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        # A run each: an organisation that cannot be read keeps no other one's names from being brought up to date.
        chosen = [organization_key(organization.name), ACCOUNT_NAMES_KEY]
        return dg.RunRequest(asset_selection=chosen, tags=account_tags(organization.name, "schedule"))

    return read_organization
