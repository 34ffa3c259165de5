"""Costs shared out among teams, as Dagster shows them: an asset beside the marts, with the check that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import dagster as dg

from cost_lakehouse.allocation.share_out import Shared, refresh
from cost_lakehouse.config import Settings
from cost_lakehouse.config.allocations import UNALLOCATED
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ALLOCATED_COSTS
from cost_lakehouse.orchestration.assets.load_metadata import plain
from cost_lakehouse.orchestration.constants import TABLE_NAME
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.orchestration.failures import failure_after_publishing

ALLOCATED_KEY = dg.AssetKey(ALLOCATED_COSTS.split("."))
EQUALS_THE_BILL = "shared_out_equals_the_bill"
_NOT_SHARED = "costs are not shared out among teams"
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def allocation_specs(settings: Settings, months: dg.MonthlyPartitionsDefinition) -> list[dg.AssetSpec]:
    """The asset, where `allocations:` names rules: made after the marts are published, in the same run."""
    if settings.allocations is None:
        return []
    return [
        dg.AssetSpec(
            ALLOCATED_KEY,
            deps=[dg.AssetKey(["marts", "daily_costs"])],
            group_name="marts",
            kinds={"python", "iceberg"},
            owners=["team:finops"],
            description="The published costs shared out among teams and products by the rules of `allocations:`: each month "
            "by the rules that held for it. Every day and currency adds up to the bill.",
            partitions_def=months,
            metadata={TABLE_NAME: ALLOCATED_COSTS},
        )
    ]


def allocation_check_specs(settings: Settings) -> list[dg.AssetCheckSpec]:
    """The check's spec."""
    if settings.allocations is None:
        return []
    return [
        dg.AssetCheckSpec(
            EQUALS_THE_BILL,
            asset=ALLOCATED_KEY,
            blocking=True,
            description="By source, day and currency, what is shared out among teams equals `marts.daily_costs` to the last "
            "digit, in both bases and in lines. Where it does not, nothing is written.",
        )
    ]


def shared_out(lake: Lake, done: Sequence[Slice]) -> Iterator[Event]:
    """Shares out what is new, and says so. Raises a failure where it cannot; the summaries are published all the same."""
    if lake.settings.allocations is None:
        return
    try:
        found = refresh(lake)
    except LakeError as error:
        yield dg.AssetCheckEvaluation(
            asset_key=ALLOCATED_KEY, check_name=EQUALS_THE_BILL, passed=False, metadata={"problem": error.problem}
        )
        raise failure_after_publishing(error, _NOT_SHARED) from None
    except ConfigurationError as error:
        raise failure_after_publishing(error, _NOT_SHARED) from None
    for month in sorted({slice_.billing_period for slice_ in done} | {one.slice.billing_period for one in found}):
        of_month = [one for one in found if one.slice.billing_period == month]
        yield dg.AssetMaterialization(
            asset_key=ALLOCATED_KEY, partition=partition_key(month), metadata=allocation_metadata(of_month)
        )
    yield dg.AssetCheckEvaluation(
        asset_key=ALLOCATED_KEY,
        check_name=EQUALS_THE_BILL,
        passed=True,
        metadata={
            "months": dg.MetadataValue.int(len(found)),
            "days_and_currencies": dg.MetadataValue.int(sum(len(one.totals) for one in found)),
        },
    )


def allocation_metadata(shared: Sequence[Shared]) -> dict[str, dg.MetadataValue]:
    """What each team bears, and what is unallocated, of these months."""
    borne: dict[tuple[str, str], Decimal] = {}
    for one in shared:
        for (team, currency), amounts in one.by_team.items():
            key = (team, currency or "")
            borne[key] = EXACT.add(borne.get(key, Decimal(0)), amounts.billed_cost)
    numbers = {
        f"unallocated {code}": dg.MetadataValue.float(float(cost))
        for (team, code), cost in borne.items()
        if team == UNALLOCATED
    }
    listed = [{"team": team, "currency": code, "billed_cost": plain(cost)} for (team, code), cost in sorted(borne.items())]
    return {
        "dagster/row_count": dg.MetadataValue.int(sum(len(one.rows) for one in shared)),
        **numbers,
        "teams": dg.MetadataValue.json(listed),
    }
