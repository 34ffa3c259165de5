"""One asset a source: a run loads what its provider delivered of the months it is asked for, whole or not at all."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import dagster as dg
from pydantic import Field

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryRefused
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import Planned, plan
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.loading.share import Sharing
from cost_lakehouse.orchestration.assets.load_events import Event, LoadEvents
from cost_lakehouse.orchestration.assets.mirrors import mirror_key_for
from cost_lakehouse.orchestration.constants import (
    FAILURE_TAG,
    LINE_ITEMS,
    PROCESS_TAG,
    TABLE_NAME,
    line_items_key,
    line_items_op,
)
from cost_lakehouse.orchestration.decisions import months_between
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.load_failures import CHECK, NothingDelivered, load_failure, refused_check
from cost_lakehouse.orchestration.reads import Reads
from cost_lakehouse.orchestration.shard_runs import sharing
from cost_lakehouse.sources.base import Progress
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import kind_of, open_source

ON_MATERIALIZE = (
    "*Materialize* loads what is new. Where the lake holds it already, nothing is changed and an `unchanged` materialization "
    "says why; `force: true` in the launchpad loads it again."
)
# A manifest that changes while its files are read means that AWS is just delivering: look again, a few times, at once.
STARTS = 3
LOAD_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
ProgressFactory = Callable[[dg.AssetExecutionContext], Progress]


class LoadConfig(dg.Config):
    """How one load is run."""

    force: bool = Field(
        default=False,
        description=(
            "Load again, also where the lake holds exactly this delivery. A newer delivery is never replaced by an older one."
        ),
    )
    table: str = Field(
        default="", description="Only the reports of this raw table, such as raw.oci_cost; empty: those of all tables."
    )
    refused: bool = Field(default=True, description="Try again what was refused before.")

    @property
    def statuses(self) -> list[Status]:
        """What to load, in this order and apart from each other: a refused file never holds back the new ones."""
        again = [Status.CURRENT] if self.force else []
        return [Status.NEW, *([Status.REFUSED] if self.refused else []), *again]


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
    *,
    in_process: bool = False,
) -> list[dg.AssetsDefinition]:
    """An asset for every configured source, paused ones too: what they delivered stays visible."""
    return [
        line_item_asset(settings, source, months, retry_policy, progress, in_process=in_process) for source in settings.sources
    ]


def line_item_asset(
    settings: Settings,
    source: SourceSettings,
    months: dg.MonthlyPartitionsDefinition,
    retry_policy: dg.RetryPolicy | None,
    progress: ProgressFactory,
    *,
    in_process: bool = False,
) -> dg.AssetsDefinition:
    """The asset of one source. What a run materializes are the months that its loads touched, or that were asked for."""
    key, kind = line_items_key(source.name), kind_of(source)
    upstream = mirror_key_for(settings, source)
    what, stays = ("files", "the months stay as they were") if kind.adds_files else ("delivery", "the month stays as it was")

    @dg.multi_asset(
        name=line_items_op(source.name),
        specs=[
            dg.AssetSpec(
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
        ],
        op_tags={"source": source.name},
        pool=line_items_op(source.name),
        retry_policy=retry_policy,
        backfill_policy=dg.BackfillPolicy.single_run() if kind.adds_files else None,
        can_subset=True,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=key,
                blocking=True,
                description=(
                    f"Every amount of the {what} is in the lake, exactly: delivered = stored + rounding. Fails where "
                    f"{'files are' if kind.adds_files else 'a delivery is'} refused, and names file, record, column and value; "
                    f"{stays}."
                ),
            )
        ],
    )
    def line_items(context: dg.AssetExecutionContext, config: LoadConfig, lake: dg.ResourceParam[Lake]) -> Iterator[Event]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        asked = context.partition_key_range
        window = months_between(date.fromisoformat(asked.start), date.fromisoformat(asked.end))
        events = LoadEvents(settings, lake, source, months, key)
        workers = sharing(settings, context.instance, in_process=in_process)
        loading = _Loading(settings, lake, source, window, config, Reads(context.log.info, progress(context)), workers)
        failures: list[CostLakehouseError] = []
        for table in [config.table] if config.table else kind.tables:
            try:
                for delivery, result in loading.loads(table):
                    for finding in result.findings:
                        context.log.warning(finding)
                    yield from events.of_load(delivery, result, loading.reads.metadata)
            except CostLakehouseError as error:
                context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
                failures.append(error)
        if failures:
            # Last, so that no other report's passed check is what the Checks tab shows.
            yield from (refused_check(key, error, _subject(window)) for error in failures if isinstance(error, DeliveryRefused))
            raise load_failure(failures[0], source.name, _subject(window)) from failures[0]
        if not loading.touched:
            try:
                yield from events.unchanged(loading.unchanged(), loading.reads.metadata)
            except NothingDelivered as error:
                context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
                raise load_failure(error, source.name, _subject(window)) from error

    return line_items


def _subject(window: Sequence[date]) -> str:
    return " to ".join(dict.fromkeys(f"{month:%Y-%m}" for month in (window[0], window[-1])))


class _Loading:
    """The loads of one run."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        source: SourceSettings,
        window: Sequence[date],
        config: LoadConfig,
        reads: Reads,
        workers: Sharing,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._source = source
        self._window = window
        self._config = config
        self._planned: list[Planned] = []
        self._workers = workers
        self.reads = reads
        self.touched = False  # whether anything was loaded
        self._left: list[LoadResult] = []  # that found its delivery loaded by another run meanwhile

    def loads(self, table: str) -> Iterator[tuple[Delivery, LoadResult]]:
        """Load what is wanted of one raw table, anew where it changes meanwhile; of known months those that are asked for."""
        lake = self._lake
        month = self._window[0] if len(self._window) == 1 else None
        for start in range(1, STARTS + 1):
            self._planned = plan(self._settings, self._source, holdings(lake), month)
            opened = open_source(self._settings, self._source)
            try:
                for status in self._config.statuses:
                    for delivery in self._offers(table, status):
                        force = status is Status.CURRENT
                        progress = self.reads.follow(opened)
                        result = load_delivery(lake, opened, delivery, force=force, progress=progress, workers=self._workers)
                        if result.status is Status.LOADED:
                            self.touched = True
                            yield delivery, result
                        elif result.receipts:
                            self._left.append(result)
                        for receipt in result.receipts:
                            opened.forget(receipt.billing_period)
                return
            except DeliveryChanged:
                if start == STARTS:
                    raise

    def _offers(self, table: str, status: Status) -> list[Delivery]:
        found = [planned.delivery for planned in self._planned if planned.status is status]
        own = [delivery for delivery in found if delivery is not None and delivery.table == table]
        return [delivery for delivery in own if delivery.billing_period is None or delivery.billing_period in self._window]

    def unchanged(self) -> list[LoadResult]:
        """What the lake holds of the months that were asked for, where nothing of them was to be loaded.

        Raises NothingDelivered where it holds none of them: a run that says so must not look like a load.
        """
        held, results = holdings(self._lake), [*self._left]
        stands = {planned.finding.billing_period: planned.status for planned in self._planned}
        for table in kind_of(self._source).tables:
            for month, receipt in held.of(self._source.name, table).newest.items():
                # What adds up stays though its files are gone; a whole month is there as long as it is delivered.
                is_held = FORMATS[table].adds_up or stands.get(month) in (Status.CURRENT, Status.OLDER)
                if is_held and month in self._window:
                    is_older = stands.get(month) is Status.OLDER
                    results.append(LoadResult(Status.OLDER if is_older else Status.UNCHANGED, (receipt,)))
        if not results:
            raise self._nothing()
        return results

    def _nothing(self) -> NothingDelivered:
        reasons = [planned.reason for planned in self._planned if planned.finding.billing_period in (None, *self._window)]
        reason = next(filter(None, reasons), "no file is new there" if kind_of(self._source).adds_files else "no manifest yet")
        return NothingDelivered(
            f"Nothing to load for {self._source.name} {_subject(self._window)} at {self._source.place}: "
            f"{reason.removesuffix('.')}.",
            "Nothing was changed. Wait for the provider's next delivery, or check the location with `cost-lakehouse doctor`.",
        )
