"""What a load tells Dagster: a materialization of each month that it touched, and the proof as the asset's check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import dagster as dg

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import CurrencyTotal, totals_by_delivery, totals_by_load
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.orchestration.assets.load_metadata import (
    cost_metadata,
    files_table,
    proof_metadata,
    receipt_metadata,
    services_table,
)
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.orchestration.load_failures import CHECK
from cost_lakehouse.sources.delivery import Delivery

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation
DATA_VERSION_TAG = "dagster/data_version"
Metadata = Mapping[str, dg.MetadataValue]


class LoadEvents:
    """The events of one source's asset."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        source: SourceSettings,
        months: dg.MonthlyPartitionsDefinition,
        key: dg.AssetKey,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._source = source
        self._months = months
        self._key = key

    def of_load(self, delivery: Delivery, result: LoadResult, more: Metadata) -> Iterator[Event]:
        """A materialization of each month that a load touched, and the proof. ``more`` is told of each.

        The load itself compares every metric of every group before it commits; a load that does not add up never comes here.
        """
        proven: dict[str, CurrencyTotal] = {}
        for receipt in result.receipts:
            added = self._proven(receipt)
            for currency, total in added.items():
                proven[currency] = proven[currency].plus(total) if currency in proven else total
            if self._months.has_partition_key(partition_key(receipt.billing_period)):
                metadata = self._metadata_of_load(delivery, result, receipt, added)
                yield self._materialization(receipt, {**metadata, **more})
        yield self._check(proven)

    def unchanged(self, results: Sequence[LoadResult], more: Metadata) -> Iterator[Event]:
        """The months that were asked for, as the lake holds them."""
        newest = {receipt.billing_period: (result, receipt) for result in results for receipt in result.receipts}
        proven: dict[str, CurrencyTotal] = {}
        for _, (result, receipt) in sorted(newest.items()):
            metadata = receipt_metadata(self._settings, receipt, result.status, result.seconds)
            if FORMATS[receipt.raw_table].adds_up:
                # A receipt of a slice that adds up is of one load among many: its numbers are not the month's.
                metadata = {name: metadata[name] for name in ("unchanged", "outcome", "delivery_id")}
                metadata["reason"] = dg.MetadataValue.text(
                    "The lake holds every file that is there. To load them all the same, use `force: true`."
                )
            else:
                proven = dict(self._proven(receipt))
                metadata |= cost_metadata({currency: item.stored for currency, item in proven.items()})
            yield self._materialization(receipt, {**metadata, **more})
        yield self._check(proven, {"unchanged": dg.MetadataValue.bool(True)})

    def _metadata_of_load(
        self, delivery: Delivery, result: LoadResult, receipt: Receipt, added: Mapping[str, CurrencyTotal]
    ) -> dict[str, dg.MetadataValue]:
        """What a load added to one month; of a month that it replaced whole, what the month is now."""
        month = receipt.billing_period
        table = FORMATS[delivery.table]
        costs: dict[str, Decimal] = {}
        if table.cost.endswith("cost"):  # lines without a currency cost nothing as a rule: then there is nothing to show
            costs = {currency: item.stored for currency, item in added.items() if currency or item.stored}
        shown = receipt
        if delivery.billing_period == month:
            shown = replace(receipt, rows=result.rows[month], files=len(delivery.objects), bytes=delivery.bytes)
            costs = dict(result.totals[month])
        metadata: dict[str, dg.MetadataValue] = {
            **receipt_metadata(self._settings, shown, result.status, result.seconds),
            "report": dg.MetadataValue.text(delivery.report_name),
            "files": files_table(delivery.objects),
            **cost_metadata(costs),
        }
        if result.findings:
            metadata["findings"] = dg.MetadataValue.md("\n".join(f"* {sentence}" for sentence in result.findings))
        if receipt.corrections:
            metadata["corrections"] = dg.MetadataValue.text(receipt.corrections)
        services = result.top_services.get(month, ())
        if services and table.cost.endswith("cost"):
            metadata["top_services"] = services_table(services)
        return metadata

    def _proven(self, receipt: Receipt) -> Mapping[str, CurrencyTotal]:
        """What a receipt's control totals prove, by currency; of a month that is one delivery, whichever load recorded them."""
        table = FORMATS[receipt.raw_table]
        slice_ = Slice(receipt.source, receipt.billing_period)
        if table.adds_up:
            return totals_by_load(self._lake, table.cost, table.table, slice_).get((slice_, receipt.load_id), {})
        return totals_by_delivery(self._lake, slice_).get((slice_, receipt.delivery_id), {})

    def _materialization(self, receipt: Receipt, metadata: Metadata) -> dg.AssetMaterialization:
        return dg.AssetMaterialization(
            asset_key=self._key,
            partition=partition_key(receipt.billing_period),
            metadata=dict(metadata),
            tags={DATA_VERSION_TAG: receipt.delivery_id},
        )

    def _check(self, proven: Mapping[str, CurrencyTotal], more: Metadata | None = None) -> dg.AssetCheckEvaluation:
        metadata, holds = proof_metadata(proven)
        return dg.AssetCheckEvaluation(
            asset_key=self._key, check_name=CHECK, passed=holds, metadata={**metadata, **(more or {})}, blocking=True
        )
