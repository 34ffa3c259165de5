"""The summaries: one dbt build of what is stale, tested in a place of its own, published only where every test passed."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from dagster_dbt.asset_utils import build_dbt_specs
from pydantic import Field

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.allocation import allocation_check_specs, allocation_specs, shared_out
from cost_lakehouse.orchestration.assets.clusters import cluster_check_specs, cluster_specs, clusters_split
from cost_lakehouse.orchestration.assets.dbt_models import LakehouseTranslator
from cost_lakehouse.orchestration.assets.late_corrections import corrections_observed
from cost_lakehouse.orchestration.assets.mart_metadata import Models, built_months, unchanged_months
from cost_lakehouse.orchestration.assets.outlook import OUTLOOK_KEYS, outlook_check_specs, outlook_events, outlook_specs
from cost_lakehouse.orchestration.assets.summary_build import (
    DBT_UNIQUE_ID,
    Build,
    Builder,
    by_source,
    merged_checks,
    scratch_folder,
)
from cost_lakehouse.orchestration.checks import no_gaps, summary_check_specs, summary_checks
from cost_lakehouse.orchestration.constants import PROCESS_TAG, SUMMARIES_POOL, TRIGGER_TAG
from cost_lakehouse.orchestration.decisions import months_between
from cost_lakehouse.orchestration.failures import failure_after_publishing
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.outlook.marts import refresh_outlook
from cost_lakehouse.proof.late_corrections import open_corrections, pending_loads
from cost_lakehouse.proof.settling import refresh_settling
from cost_lakehouse.summaries.dbt_arguments import ACCOUNT_NAMES_TAG, FOCUS_TAG
from cost_lakehouse.summaries.dbt_project import ParsedProject
from cost_lakehouse.summaries.gap_findings import listed_gaps
from cost_lakehouse.summaries.mart_months import mart_months
from cost_lakehouse.summaries.marts import published_marts
from cost_lakehouse.summaries.publish import publish
from cost_lakehouse.summaries.stale import proven_receipts, stale_slices, unmoved

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.AssetObservation


class SummaryConfig(dg.Config):
    """What one build is to rebuild beyond what is stale."""

    force: bool = Field(
        default=False,
        description=(
            "Build every (source, month) of the chosen months again, also where its summaries are up to date with its "
            "line items. Without it, only what is stale is built."
        ),
    )
    slices: list[str] = Field(
        default_factory=list,
        description="Build only these, each written as `acme-payer 2026-01`; empty: every source of the chosen months.",
    )


def chosen_slices(
    stale: Sequence[Slice], held: Sequence[Slice], months: Sequence[date], force: bool, only: Sequence[str]
) -> list[Slice]:
    """The slices to rebuild: of the months, the stale ones, or with ``force`` all that the lake holds."""
    candidates = {*stale, *held} if force else set(stale)
    return sorted(
        candidate for candidate in candidates if candidate.billing_period in months and (not only or str(candidate) in only)
    )


def summary_assets(settings: Settings, months: dg.MonthlyPartitionsDefinition, project: ParsedProject) -> dg.AssetsDefinition:
    """All dbt models as one step: they share a place that is empty at first, so they are built together or not at all."""
    translator = LakehouseTranslator(settings, months)
    focus = settings.lake.focus == "table"
    excluded = (
        ACCOUNT_NAMES_TAG if focus else f"{ACCOUNT_NAMES_TAG} {FOCUS_TAG}"
    )  # names are of no month: an asset of their own
    specs, check_specs = build_dbt_specs(
        translator=translator,
        manifest=project.document,
        select="fqn:*",
        exclude=excluded,
        selector="",
        io_manager_key=None,
        project=None,
    )
    checks = {str(spec.metadata[DBT_UNIQUE_ID]): spec for spec in check_specs}
    keys = {spec.key.path[-1]: spec.key for spec in specs}
    published_tables = published_marts(project.document, focus=focus)
    models = Models(keys, {mart.model: mart.table for mart in published_tables})
    specs = [*specs, *outlook_specs(months), *allocation_specs(settings, months), *cluster_specs(settings, months)]

    @dg.multi_asset(
        name="summaries",
        specs=specs,
        check_specs=[
            *check_specs,
            *summary_check_specs(),
            *outlook_check_specs(),
            *allocation_check_specs(settings),
            *cluster_check_specs(settings),
        ],
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=SUMMARIES_POOL,
        # Whatever is selected, all is built; but only so may a check that dbt skipped be missing from a run.
        can_subset=True,
    )
    def summaries(context: dg.AssetExecutionContext, config: SummaryConfig, lake: dg.ResourceParam[Lake]) -> Iterator[Event]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        asked = context.partition_key_range
        window = months_between(date.fromisoformat(asked.start), date.fromisoformat(asked.end))
        proven = proven_receipts(lake)
        waiting = stale_slices(lake, proven, [mart.table for mart in published_tables])
        stale = [batch.slice for batch in waiting]
        versions = {slice_: receipt.delivery_id for slice_, receipt in proven.items()}
        versions |= {batch.slice: batch.delivery_id for batch in waiting}
        chosen = chosen_slices(stale, list(versions), window, config.force, config.slices)
        rebuilt = {slice_.billing_period for slice_ in chosen}
        if not chosen or (TRIGGER_TAG not in context.run.tags and not config.slices):
            # Whoever asks for months by hand is told of each of them; a sensor's range spans months that it does not mean.
            idle = [month for month in window if month not in rebuilt]
            held = mart_months(lake, published_tables, idle)
            yield from unchanged_months(models, list(context.selected_asset_keys), idle, versions, held)
            if not chosen and context.selected_asset_keys & OUTLOOK_KEYS:
                yield from _looked_ahead(lake, None, [month for month in idle if any(month == key[1] for key in held)])
        if not chosen:
            context.log.info("Every summary of these months is up to date with its line items; nothing to build.")
            return
        context.log.info(f"Building {', '.join(str(entry) for entry in chosen)}")
        failures: dict[str, list[str]] = {}
        done: list[Slice] = []
        with ExitStack() as stack:
            folder = stack.enter_context(scratch_folder(settings, context.instance, context.run.run_id))
            builds = _builds(context, Builder(project, checks, lake, stack), chosen, folder)
            yield from merged_checks([check for build in builds for check in build.checks])
            yield from summary_checks(builds)
            for build in builds:
                if not build.ok:
                    failures[", ".join(by_source(build.slices))] = build.failures
                    continue
                ready = unmoved(proven, proven_receipts(lake), build.slices)
                for slice_ in sorted({*build.slices} - {*ready}):
                    context.log.warning(f"{slice_} was loaded again during the build; it is built again by the next one.")
                try:
                    published = publish(lake, build.built, ready, published_tables)
                except CostLakehouseError as error:
                    failures[", ".join(by_source(build.slices))] = [str(error)]
                    continue
                news = open_corrections(lake, datetime.now(UTC).replace(tzinfo=None))
                yield from corrections_observed(keys["bill_status"], ready, news)
                held_back = pending_loads(lake)
                ready = [slice_ for slice_ in ready if slice_ not in held_back]
                context.log.info(f"Published {', '.join(str(slice_) for slice_ in ready) or 'nothing but bill_status'}")
                done += ready
                held = mart_months(lake, published_tables, {slice_.billing_period for slice_ in ready})
                yield from built_months(models, ready, published, versions, held)
        if done:
            refresh_settling(lake, datetime.now(UTC).date())
            yield no_gaps({slice_: gaps for slice_, gaps in listed_gaps(lake).items() if slice_ in done})
            rebuilt = {slice_.billing_period for slice_ in done}
            yield from _looked_ahead(lake, rebuilt, sorted(rebuilt))
            yield from shared_out(lake, done)
            yield from clusters_split(lake, done)
        if failures:
            raise _failure(failures)

    return summaries


def _looked_ahead(lake: Lake, changed: Collection[date] | None, months: Sequence[date]) -> Iterator[Event]:
    """Forecast, anomalies and budgets of what is published now, recorded for ``months``; nothing where none of it can change.

    Raises a failure where a budget's scope is wrong: the summaries are published all the same.
    """
    try:
        ahead = refresh_outlook(lake, datetime.now(UTC), changed)
    except ConfigurationError as error:
        raise failure_after_publishing(error, "forecast, anomalies and budgets are not") from None
    if ahead is not None:
        yield from outlook_events(ahead, months)


def _builds(context: dg.AssetExecutionContext, builder: Builder, chosen: Sequence[Slice], folder: Path) -> list[Build]:
    """One build of everything; where that fails, one a source, so that a bad bill holds back no other."""
    together = builder.build(chosen, folder / "all")
    sources = by_source(chosen)
    if together.ok or len(sources) == 1:
        return [together]
    context.log.warning(f"The build failed ({'; '.join(together.failures)}); building each source alone.")
    return [builder.build(slices, folder / source) for source, slices in sources.items()]


def _failure(failures: Mapping[str, Sequence[str]]) -> dg.Failure:
    """Names every source that was not published, and why."""
    lines = [f"{source}: {'; '.join(reasons)}" for source, reasons in failures.items()]
    return dg.Failure(
        description=(
            f"Not published: {' | '.join(lines)}. What was published before stays as it was. "
            "Look at the failed checks of the assets, correct the cause and run `cost-lakehouse run` again."
        ),
        metadata={"failed": dg.MetadataValue.json({source: list(reasons) for source, reasons in failures.items()})},
        allow_retries=False,
    )
