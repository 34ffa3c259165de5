"""One asset a source: a partition is a month's line items, loaded whole from what the provider delivered, or not at all."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

import time
from collections.abc import Iterator, Mapping
from datetime import date

import dagster as dg
from pydantic import Field

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryRefused
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import CurrencyTotal, totals_by_delivery
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import month_text
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.orchestration.assets.increments import ON_MATERIALIZE, ProgressFactory, increment_asset
from cost_lakehouse.orchestration.assets.load_metadata import (
    cost_metadata,
    files_table,
    proof_metadata,
    receipt_metadata,
    services_table,
)
from cost_lakehouse.orchestration.assets.mirrors import mirror_key_for
from cost_lakehouse.orchestration.constants import (
    FAILURE_TAG,
    LINE_ITEMS,
    PROCESS_TAG,
    TABLE_NAME,
    line_items_key,
    line_items_op,
)
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.load_failures import CHECK, NothingDelivered, load_failure, refused_check
from cost_lakehouse.orchestration.reads import Reads
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import kind_of, open_source

LoadEvent = dg.MaterializeResult[None] | dg.AssetCheckEvaluation
# A manifest that changes while its files are read means that AWS is just delivering: look again, a few times, at once.
STARTS = 3
LOAD_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


class LoadConfig(dg.Config):
    """How one load is run."""

    force: bool = Field(
        default=False,
        description=(
            "Load again, also where the lake holds exactly this delivery. A newer delivery is never replaced by an older one."
        ),
    )


class LogProgress:
    """Progress as a log line every few seconds, for runs that nobody watches on a terminal."""

    seconds_between = 10.0

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._label, self._total = "", 0
        self._bytes = self._rows = 0
        self._started = self._told = time.monotonic()

    def start(self, label: str, total_bytes: int) -> None:
        """Remember what is loaded."""
        self._label, self._total = label, total_bytes
        self._bytes = self._rows = 0
        self._started = self._told = time.monotonic()

    def advance(self, bytes_read: int, rows: int) -> None:
        """Count, and tell now and then."""
        self._bytes += bytes_read
        self._rows += rows
        now = time.monotonic()
        if now - self._told >= self.seconds_between:
            self._told = now
            speed = self._rows / (now - self._started)
            self._log.info(f"{self._label}: {self._rows:,} rows, {self._bytes:,} of {self._total:,} bytes, {speed:,.0f} rows/s")

    def finish(self) -> None:
        """Nothing to tidy."""


def line_item_assets(
    settings: Settings,
    months: dg.MonthlyPartitionsDefinition,
    retry_policy: dg.RetryPolicy | None = LOAD_RETRIES,
    progress: ProgressFactory = LogProgress,
) -> list[dg.AssetsDefinition]:
    """An asset for every configured source, paused ones too: what they delivered stays visible."""
    return [
        increment_asset(settings, source, months, retry_policy, progress, mirror_key_for(settings, source))
        if kind_of(source).adds_files
        else line_item_asset(settings, source, months, retry_policy, progress)
        for source in settings.sources
    ]


def line_item_asset(
    settings: Settings,
    source: SourceSettings,
    months: dg.MonthlyPartitionsDefinition,
    retry_policy: dg.RetryPolicy | None,
    progress: ProgressFactory,
) -> dg.AssetsDefinition:
    """The asset of one source."""
    key, kind = line_items_key(source.name), kind_of(source)

    @dg.asset(
        key=key,
        partitions_def=months,
        group_name=f"{LINE_ITEMS}_{kind.provider}",
        kinds={kind.provider, "iceberg"},
        owners=["team:finops"],
        description=f"{kind.description.format(place=source.place, source=source.name)} {ON_MATERIALIZE}",
        tags={"source": source.name, "kind": source.kind},
        metadata={TABLE_NAME: kind.tables[0], "location": source.place},
        op_tags={"source": source.name},
        pool=line_items_op(source.name),
        retry_policy=retry_policy,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=key,
                blocking=True,
                description=(
                    "Every amount of the delivery is in the lake, exactly: delivered = stored + rounding. Fails where a "
                    "delivery is refused, and names file, record, column and value; the month stays as it was."
                ),
            )
        ],
    )
    def line_items(context: dg.AssetExecutionContext, config: LoadConfig) -> Iterator[LoadEvent]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        month = date.fromisoformat(context.partition_key)
        reads = Reads(context.log.info, progress(context))
        try:
            delivery, result = _load(settings, source, month, config.force, reads)
        except CostLakehouseError as error:
            context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
            if isinstance(error, DeliveryRefused):
                yield refused_check(key, error, month_text(month))
            raise load_failure(error, source.name, month_text(month)) from error
        yield _materialization(settings, source, delivery, result, reads.metadata)

    return line_items


def _load(settings: Settings, source: SourceSettings, month: date, force: bool, reads: Reads) -> tuple[Delivery, LoadResult]:
    """Find the month's newest complete delivery and load it, anew where it is replaced meanwhile."""
    lake = Lake(settings)
    for start in range(1, STARTS + 1):
        delivery = _newest_delivery(settings, source, month)
        try:
            opened = open_source(settings, source)
            result = load_delivery(lake, opened, delivery, force=force, progress=reads.follow(opened))
        except DeliveryChanged:
            if start == STARTS:
                raise
            continue
        opened.forget(month)
        return delivery, result
    raise AssertionError("unreachable: the last start returns or raises")


def _newest_delivery(settings: Settings, source: SourceSettings, month: date) -> Delivery:
    """The delivery to load.

    Raises NothingDelivered with the reason where there is none to load.
    """
    listed = open_source(settings, source).list_deliveries(month).months
    findings = [entry for entry in listed if entry.billing_period in (month, None)]
    for finding in findings:
        if finding.delivery is not None and finding.status is Status.NEW:
            return finding.delivery
    reason = findings[0].reason if findings else "no manifest yet"
    raise NothingDelivered(
        f"Nothing to load for {source.name} {month_text(month)} at {source.place}: {reason}.",
        "Nothing was changed. Wait for the provider's delivery, or check the location with `cost-lakehouse doctor`.",
    )


def _materialization(
    settings: Settings,
    source: SourceSettings,
    delivery: Delivery,
    result: LoadResult,
    more: Mapping[str, dg.MetadataValue],
) -> dg.MaterializeResult[None]:
    """What a load reports; where nothing was loaded, what the lake holds already."""
    receipt = result.receipt
    slice_ = Slice(receipt.source, receipt.billing_period)
    proven = totals_by_delivery(Lake(settings), slice_).get((slice_, receipt.delivery_id), {})
    metadata: dict[str, dg.MetadataValue] = {
        **receipt_metadata(settings, receipt, result.status, result.seconds),
        **cost_metadata({currency: item.stored for currency, item in proven.items()}),
        **more,
    }
    if receipt.delivery_id == delivery.delivery_id:
        metadata["files"] = files_table(delivery.objects)
    services = result.top_services.get(receipt.billing_period)
    if services:
        metadata["top_services"] = services_table(services)
    return dg.MaterializeResult(
        metadata=metadata,
        data_version=dg.DataVersion(receipt.delivery_id),
        check_results=[_check_result(proven)],
    )


def _check_result(proven: Mapping[str, CurrencyTotal]) -> dg.AssetCheckResult:
    """The proof that the receipt holds, of the unblended cost.

    The load itself compares every metric of every group before it commits; a load that does not add up never comes here.
    """
    metadata, holds = proof_metadata(proven)
    return dg.AssetCheckResult(check_name=CHECK, passed=holds, metadata=metadata)
