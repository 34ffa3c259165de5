"""One asset a source of increments: a run loads the files that are new, whatever months their rows belong to."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import dagster as dg
from pydantic import Field

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryRefused
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import CurrencyTotal, totals_by_load
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import Planned, plan
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.orchestration.assets.load_metadata import (
    cost_metadata,
    files_table,
    proof_metadata,
    receipt_metadata,
    services_table,
)
from cost_lakehouse.orchestration.constants import (
    FAILURE_TAG,
    LINE_ITEMS,
    PROCESS_TAG,
    TABLE_NAME,
    line_items_key,
    line_items_op,
)
from cost_lakehouse.orchestration.decisions import months_between, partition_key
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.load_failures import CHECK, NothingDelivered, load_failure, refused_check
from cost_lakehouse.sources.base import Progress
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import kind_of, open_source

ON_MATERIALIZE = (
    "*Materialize* loads what is new. Where the lake holds it already, nothing is changed and an `unchanged` materialization "
    "says why; `force: true` in the launchpad loads it again."
)
DATA_VERSION_TAG = "dagster/data_version"
STARTS = 3
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation
ProgressFactory = Callable[[dg.AssetExecutionContext], Progress]


class IncrementConfig(dg.Config):
    """How one load is run."""

    force: bool = Field(
        default=False, description="Load every file again that is there, also those that the lake holds already."
    )
    table: str = Field(
        default="", description="Only the reports of this raw table, such as raw.oci_cost; empty: those of all tables."
    )
    refused: bool = Field(default=True, description="Try files again that were refused before.")


def increment_asset(
    settings: Settings,
    source: SourceSettings,
    months: dg.MonthlyPartitionsDefinition,
    retry_policy: dg.RetryPolicy | None,
    progress: ProgressFactory,
    upstream: dg.AssetKey | None = None,
) -> dg.AssetsDefinition:
    """The asset of one source; ``upstream`` is the mirror that it reads from, if one is configured."""
    key, kind = line_items_key(source.name), kind_of(source)
    spec = dg.AssetSpec(
        key,
        partitions_def=months,
        deps=[upstream] if upstream else [],
        group_name=f"{LINE_ITEMS}_{kind.provider}",
        kinds={kind.provider, "iceberg"},
        owners=["team:finops"],
        description=f"{kind.description.format(place=source.place, source=source.name)} {ON_MATERIALIZE}",
        tags={"source": source.name, "kind": source.kind},
        metadata={TABLE_NAME: kind.tables[0], "location": source.place},
    )

    @dg.multi_asset(
        name=line_items_op(source.name),
        specs=[spec],
        op_tags={"source": source.name},
        pool=line_items_op(source.name),
        retry_policy=retry_policy,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # What is materialized are the months that were touched, not those that were asked for.
        can_subset=True,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=key,
                blocking=True,
                description=(
                    "Every amount of the files is in the lake, exactly: delivered = stored + rounding. Fails where files are "
                    "refused, and names file, record, column and value; the months stay as they were."
                ),
            )
        ],
    )
    def line_items(context: dg.AssetExecutionContext, config: IncrementConfig) -> Iterator[Event]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        asked = context.partition_key_range
        window = months_between(date.fromisoformat(asked.start), date.fromisoformat(asked.end))
        failures: list[CostLakehouseError] = []
        touched: set[date] = set()
        for table in [config.table] if config.table else kind.tables:
            try:
                for increment, result in _loads(settings, source, table, window, _wanted(config), progress(context)):
                    touched |= {receipt.billing_period for receipt in result.receipts}
                    for finding in result.findings:
                        context.log.warning(finding)
                    yield from _events(settings, months, key, increment, result)
            except CostLakehouseError as error:
                context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
                failures.append(error)
        if failures:
            # Last, so that no other report's passed check is what the Checks tab shows.
            yield from (refused_check(key, error, _subject(window)) for error in failures if isinstance(error, DeliveryRefused))
            raise load_failure(failures[0], source.name, _subject(window)) from failures[0]
        if not touched:
            context.log.info("No file is new; the lake holds everything that is there.")
            yield from _unchanged(settings, source, key, window)

    return line_items


def _subject(window: list[date]) -> str:
    return " to ".join(dict.fromkeys(f"{month:%Y-%m}" for month in (window[0], window[-1])))


def _wanted(config: IncrementConfig) -> list[Status]:
    """What to load, in this order and apart from each other: a refused file never holds back the new ones."""
    again = [Status.CURRENT] if config.force else []
    return [Status.NEW, *([Status.REFUSED] if config.refused else []), *again]


def _loads(
    settings: Settings, source: SourceSettings, table: str, window: list[date], wanted: list[Status], progress: Progress
) -> Iterator[tuple[Delivery, LoadResult]]:
    """Load what is wanted of one kind of report, anew where files change meanwhile; known months only in ``window``."""
    lake = Lake(settings)
    opened = open_source(settings, source)
    for start in range(1, STARTS + 1):
        offered = plan(settings, source, holdings(lake))
        try:
            for status in wanted:
                for increment in _offers(offered, table, window, status):
                    again = status is Status.CURRENT
                    result = load_delivery(lake, opened, increment, force=again, progress=progress)
                    if result.status is Status.LOADED:
                        yield increment, result
            return
        except DeliveryChanged:
            if start == STARTS:
                raise


def _offers(planned: list[Planned], table: str, window: list[date], status: Status) -> list[Delivery]:
    found = [candidate.delivery for candidate in planned if candidate.status is status]
    own = [entry for entry in found if entry is not None and entry.table == table]
    return [entry for entry in own if entry.billing_period is None or entry.billing_period in window]


def _events(
    settings: Settings, months: dg.MonthlyPartitionsDefinition, key: dg.AssetKey, increment: Delivery, result: LoadResult
) -> Iterator[Event]:
    """A materialization of each month that a load touched, and the proof."""
    lake = Lake(settings)
    proven: dict[str, CurrencyTotal] = {}
    for receipt in result.receipts:
        slice_ = Slice(receipt.source, receipt.billing_period)
        added = totals_by_load(lake, FORMATS[increment.table].cost, increment.table, slice_)[slice_, receipt.load_id]
        for currency, total in added.items():
            proven[currency] = proven[currency].plus(total) if currency in proven else total
        if months.has_partition_key(partition_key(receipt.billing_period)):
            yield _materialization(settings, key, increment, result, receipt, added)
    metadata, holds = proof_metadata(proven)
    yield dg.AssetCheckEvaluation(asset_key=key, check_name=CHECK, passed=holds, metadata=metadata)


def _materialization(
    settings: Settings,
    key: dg.AssetKey,
    increment: Delivery,
    result: LoadResult,
    receipt: Receipt,
    added: Mapping[str, CurrencyTotal],
) -> dg.AssetMaterialization:
    """What a load added to one month; of a month that it replaced whole, what the month is now."""
    month = receipt.billing_period
    costs: dict[str, Decimal] = {}
    if _is_money(increment):  # lines without a currency cost nothing as a rule: then there is nothing to show
        costs = {currency: item.stored for currency, item in added.items() if currency or item.stored}
    shown = receipt
    if increment.billing_period == month:
        shown = replace(receipt, rows=result.rows[month], files=len(increment.objects), bytes=increment.bytes)
        costs = dict(result.totals[month])
    services = result.top_services.get(month, ())
    metadata: dict[str, dg.MetadataValue] = {
        **receipt_metadata(settings, shown, result.status, result.seconds),
        "report": dg.MetadataValue.text(increment.report_name),
        "files": files_table(increment.objects),
        **cost_metadata(costs),
    }
    if result.findings:
        metadata["findings"] = dg.MetadataValue.md("\n".join(f"* {sentence}" for sentence in result.findings))
    if receipt.corrections:
        metadata["corrections"] = dg.MetadataValue.text(receipt.corrections)
    if services and _is_money(increment):
        metadata["top_services"] = services_table(services)
    return dg.AssetMaterialization(
        asset_key=key,
        partition=partition_key(receipt.billing_period),
        metadata=metadata,
        tags={DATA_VERSION_TAG: receipt.delivery_id},
    )


def _is_money(increment: Delivery) -> bool:
    return FORMATS[increment.table].cost.endswith("cost")


def _unchanged(settings: Settings, source: SourceSettings, key: dg.AssetKey, window: list[date]) -> Iterator[Event]:
    """The months that were asked for, as the lake holds them.

    Raises Failure where it holds none of them: a run that says so must not look like a load.
    """
    held = holdings(Lake(settings)).loads
    committed = [item for (name, _), own in held.items() if name == source.name for item in own.committed]
    newest = {receipt.billing_period: receipt for receipt in committed if receipt.billing_period in window}
    if not newest:
        error = NothingDelivered(
            f"Nothing to load for {source.name} {_subject(window)} at {source.place}: no file is new there.",
            "Nothing was changed. Wait for the provider's next files, or check the location with `cost-lakehouse doctor`.",
        )
        raise load_failure(error, source.name, _subject(window))
    for month, receipt in sorted(newest.items()):
        yield dg.AssetMaterialization(
            asset_key=key,
            partition=partition_key(month),
            metadata={
                "unchanged": True,
                "outcome": Status.UNCHANGED.value,
                "reason": "The lake holds every file that is there. To load them all the same, use `force: true`.",
                "delivery_id": receipt.delivery_id,
            },
            tags={DATA_VERSION_TAG: receipt.delivery_id},
        )
    yield dg.AssetCheckEvaluation(asset_key=key, check_name=CHECK, passed=True, metadata={"unchanged": True})
