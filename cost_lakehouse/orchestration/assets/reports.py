"""The report of a month as an asset: the page beside the lake, its key figures in the metadata, and by mail at fixed times."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import dagster as dg
from pydantic import Field

from cost_lakehouse.config import Settings
from cost_lakehouse.config.alerts import ReportMailSettings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.orchestration.assets.load_metadata import cost_metadata, metadata_table, plain
from cost_lakehouse.orchestration.constants import FAILURE_TAG, PROCESS_TAG, REPORT_JOB
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.orchestration.failures import lasting_failure
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.schedules import ensure_cron
from cost_lakehouse.orchestration.text_chart import bars, chart
from cost_lakehouse.report.contents import Contents, CurrencyReport, contents_of
from cost_lakehouse.report.mail import mail_report, report_id
from cost_lakehouse.report.page import daily_totals, name_of, page_of

REPORTS = "reports"
REPORT_KEY = dg.AssetKey([REPORTS, "monthly_costs"])
_OP = "__".join(REPORT_KEY.path)
_MOVERS = 5


class ReportConfig(dg.Config):
    """How one report is made, and whether it is sent."""

    basis: str = Field(default="billed", description="Which cost, as `costs --basis` names it.")
    mail: bool = Field(default=False, description="Send it to those who get alerts by mail.")


def report_file(month: date) -> str:
    """Where a month's report lies below the warehouse."""
    return f"{REPORTS}/costs-{month:%Y-%m}.html"


def report_asset(settings: Settings, months: dg.MonthlyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset; a run makes one month's report."""

    @dg.asset(
        key=REPORT_KEY,
        group_name=REPORTS,
        partitions_def=months,
        deps=[dg.AssetKey(["marts", name]) for name in ("daily_costs", "bill_status")],
        kinds={"html"},
        owners=["team:finops"],
        description=(
            "A month's costs as one HTML file: bills and their states, days, services, accounts, regions, what moved, forecast "
            f"and budgets. It lies below `{settings.warehouse}/{REPORTS}`, and opens in any browser. `mail: true` in the "
            "launchpad sends it; `alerts.report` of lakehouse.yaml does so every month."
        ),
        pool=REPORTS,
    )
    def monthly_costs(
        context: dg.AssetExecutionContext, config: ReportConfig, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        month = date.fromisoformat(context.partition_key)
        try:
            contents = contents_of(lake, month, config.basis)
            if not contents.bills:
                raise LakeError(
                    f"The lake holds no bill of {month:%Y-%m}.", "Choose a month that `cost-lakehouse status` shows."
                )
            html = page_of(contents)
            lake.warehouse.write(report_file(month), html.encode(), only_new=False)
            sent = mail_report(settings, contents, html) if config.mail else ""
        except CostLakehouseError as error:
            context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
            raise lasting_failure(error, f"{month:%Y-%m}") from None
        address = f"{lake.warehouse.location}/{report_file(month)}".removeprefix("file://")
        return dg.MaterializeResult(
            metadata=report_metadata(contents, address, sent), data_version=dg.DataVersion(report_id(contents))
        )

    return monthly_costs


def report_metadata(contents: Contents, address: str, sent: str) -> dict[str, dg.MetadataValue]:
    """Where the report lies, and what stands first in it."""
    bills = [{"source": bill.source, "state": bill.state, "delivery_id": bill.delivery_id or ""} for bill in contents.bills]
    moved = [
        {
            "service": mover.name,
            "currency": part.total.currency_code or "",
            "change": plain(mover.row.change or Decimal(0)),
            "kind": mover.kind,
        }
        for part in contents.currencies
        for mover in part.movers[:_MOVERS]
    ]
    return {
        "report": dg.MetadataValue.path(address),
        **cost_metadata({part.total.currency_code or "": part.total.cost for part in contents.currencies}),
        "chart": chart(*(text for part in contents.currencies for text in _charts(part))),
        "bills": metadata_table(dict.fromkeys(("source", "state", "delivery_id"), str), bills),
        **({"moved": metadata_table(dict.fromkeys(("service", "currency", "change", "kind"), str), moved)} if moved else {}),
        **({"mail": dg.MetadataValue.text(sent)} if sent else {}),
    }


def _charts(part: CurrencyReport) -> Sequence[str]:
    currency = part.total.currency_code or "no currency"
    services = next((section.rows for section in part.sections if section.dimension == "service"), ())
    return [
        bars(f"Days, {currency}", daily_totals(part.daily)),
        bars(f"Services, {currency}", [(name_of("service", row), row.cost) for row in services]),
    ]


def report_jobs(report: dg.AssetsDefinition) -> "list[dg.UnresolvedAssetJobDefinition]":
    """The job that writes a month's report."""
    selection = dg.AssetSelection.assets(report)
    return [dg.define_asset_job(REPORT_JOB, selection=selection, description="Writes the report of one month.")]


def report_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule that mails the report of the month before, where one is set. Raises ConfigurationError where it is none."""
    mail = settings.alerts.report
    if mail is None:
        return []
    ensure_cron(mail.schedule, "The schedule of `alerts.report`", "`0 7 3 * *` for the third of every month at 07:00 UTC")
    return [_schedule(mail)]


def _schedule(mail: ReportMailSettings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="mail_report",
        cron_schedule=mail.schedule,
        job_name=REPORT_JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Mails the report of the month before to those who get alerts.",
    )
    def mail_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        before = context.scheduled_execution_time.date().replace(day=1) - timedelta(days=1)
        config = {"ops": {_OP: {"config": {"mail": True, "basis": mail.basis}}}}
        return dg.RunRequest(partition_key=partition_key(before), run_config=config)

    return mail_month
