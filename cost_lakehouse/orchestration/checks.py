"""The checks that say in plain numbers what dbt's tests prove: a mart equals the raw bill, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from cost_lakehouse.audit.reconciliation import (
    AWS,
    BILLED,
    PROVIDERS,
    Compared,
    Exclusion,
    compared,
    exclusions,
)
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table, plain
from cost_lakehouse.orchestration.assets.summary_build import Build

DAILY_SUMMARIES = {provider: dg.AssetKey(["marts", f"{provider}_daily_summary"]) for provider in PROVIDERS}
EQUALS_RAW = "equals_the_raw_bill"
NOTHING_LEFT_OUT = "nothing_is_left_out"
NO_GAPS = "no_days_without_rows"
DAILY_COSTS = dg.AssetKey(["marts", "daily_costs"])
ROWS_SHOWN = 100
_PLACE: dict[str, type] = {"source": str, "month": str}
COMPARED = _PLACE | dict.fromkeys(("currency", "metric", "expected", "actual", "difference", "days apart"), str)
GAPS = _PLACE | {"gap": str}
LEFT_OUT = _PLACE | dict.fromkeys(("reason", "line item type", "currency", "amount", "example"), str)


def summary_check_specs() -> list[dg.AssetCheckSpec]:
    """The specs of the checks."""
    return [
        *(
            dg.AssetCheckSpec(
                EQUALS_RAW,
                asset=DAILY_SUMMARIES[provider],
                blocking=True,
                description="Per day, currency and line item type, cost and lines of the summary equal the raw bill, which "
                "equals what the receipts of its loads say: the difference is exactly 0.",
            )
            for provider in PROVIDERS
        ),
        dg.AssetCheckSpec(
            NOTHING_LEFT_OUT,
            asset=DAILY_SUMMARIES[AWS],
            description="Lists every raw line whose money a metric leaves out, with reason and amount. There should be none.",
        ),
        dg.AssetCheckSpec(
            NO_GAPS,
            asset=DAILY_COSTS,
            description="Every settled day has rows of each account and service that was there on most days of weeks before. "
            "A source that does not deliver has no gaps: it is late.",
        ),
    ]


def no_gaps(gaps: Mapping[Slice, Sequence[str]]) -> dg.AssetCheckEvaluation:
    """The gaps of the months that were published, as a check that warns."""
    shown: list[dict[str, str | int]] = [
        {"source": slice_.source, "month": slice_.month, "gap": gap} for slice_, found in sorted(gaps.items()) for gap in found
    ]
    return dg.AssetCheckEvaluation(
        asset_key=DAILY_COSTS,
        check_name=NO_GAPS,
        passed=not shown,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"gaps": dg.MetadataValue.int(len(shown)), "list": metadata_table(GAPS, shown[:ROWS_SHOWN])},
    )


def summary_checks(builds: Sequence[Build]) -> list[dg.AssetCheckEvaluation]:
    """What the builds' comparisons say; no result for a provider without bills, or where no build came that far.

    Raises LakeError where a build that ended well cannot be read.
    """
    rows: dict[str, list[Compared]] = {provider: [] for provider in PROVIDERS}
    left_out: list[Exclusion] = []
    for build in builds:
        try:
            if build.built.is_there():
                with build.built.connect() as connection:
                    for provider, found in rows.items():
                        found += compared(connection, provider)
                    left_out += exclusions(connection)
        except LakeError:
            # What broke the build (a Trino that is gone) may keep it from being read; its failures are told elsewhere.
            if build.ok:
                raise
    results = [equals_raw(found, provider) for provider, found in rows.items() if found]
    return [*results, nothing_left_out(left_out)] if rows[AWS] else results


def equals_raw(rows: Sequence[Compared], provider: str) -> dg.AssetCheckEvaluation:
    """The comparison of a provider's bills as a check: each metric's expected and actual amount, differences first."""
    apart = [row for row in rows if row.days_apart]
    ordered = sorted(rows, key=lambda row: (not row.days_apart, row.source, row.billing_period, row.currency_code, row.metric))
    shown: list[dict[str, str | int]] = [
        {
            "source": row.source,
            "month": f"{row.billing_period:%Y-%m}",
            "currency": row.currency_code,
            "metric": row.metric,
            "expected": plain(row.expected),
            "actual": plain(row.actual),
            "difference": plain(row.difference),
            "days apart": f"{row.days_apart} of {row.days}",
        }
        for row in ordered[:ROWS_SHOWN]
    ]
    metadata: dict[str, dg.MetadataValue] = {
        "comparisons": dg.MetadataValue.int(sum(row.days for row in rows)),
        "differences": dg.MetadataValue.int(sum(row.days_apart for row in rows)),
        "expected_and_actual": metadata_table(COMPARED, shown),
    }
    for row in rows:
        if row.metric == BILLED:
            name = f"{row.source} {row.billing_period:%Y-%m} {row.currency_code}"
            metadata[f"expected {name}"] = dg.MetadataValue.text(plain(row.expected))
            metadata[f"actual {name}"] = dg.MetadataValue.text(plain(row.actual))
    return dg.AssetCheckEvaluation(
        asset_key=DAILY_SUMMARIES[provider], check_name=EQUALS_RAW, passed=not apart, metadata=metadata
    )


def nothing_left_out(rows: Sequence[Exclusion]) -> dg.AssetCheckEvaluation:
    """The exclusion list as a check that warns."""
    shown: list[dict[str, str | int]] = [
        {
            "source": row.source,
            "month": f"{row.billing_period:%Y-%m}",
            "reason": row.reason,
            "line item type": row.line_item_type,
            "currency": row.currency_code,
            "amount": plain(row.amount),
            "example": row.example,
        }
        for row in rows[:ROWS_SHOWN]
    ]
    return dg.AssetCheckEvaluation(
        asset_key=DAILY_SUMMARIES[AWS],
        check_name=NOTHING_LEFT_OUT,
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "excluded": dg.MetadataValue.int(len(rows)),
            "list": metadata_table(LEFT_OUT, shown),
        },
    )
