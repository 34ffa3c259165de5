"""What ``--as-of invoiced`` means: of each month the state at which it was first invoiced, and which months have none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.invoiced import AsInvoiced, invoiced_moments
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.publish import all_published_statuses

INVOICED = "invoiced"


def all_as_invoiced(lake: Lake) -> tuple[AsInvoiced, list[Slice]]:
    """All months that are known as invoiced, and the published ones that are not. Raises LakeError where none is."""
    moments = invoiced_moments(lake)
    published = all_published_statuses(lake)
    if not moments:
        reasons = [not_invoiced(slice_, rows) for slice_, rows in sorted(published.items())]
        problem, fix = reasons[0] if reasons else ("Nothing is published yet.", "Run `cost-lakehouse run`.")
        raise LakeError(f"No month is known as it was invoiced. {problem}", fix)
    return AsInvoiced(moments), sorted(slice_ for slice_ in published if slice_ not in moments)


def as_invoiced(lake: Lake, months: Collection[date], is_asked: Callable[[str], bool]) -> AsInvoiced:
    """The moments of every published bill of these months whose source is asked for. Raises LakeError."""
    return as_invoiced_of(months, is_asked, invoiced_moments(lake), all_published_statuses(lake))


def as_invoiced_of(
    months: Collection[date],
    is_asked: Callable[[str], bool],
    moments: Mapping[Slice, datetime],
    published: Mapping[Slice, Sequence[Mapping[str, Any]]],
) -> AsInvoiced:
    """The same of moments, and of the rows of ``bill_status`` of each published month. Pure.

    Raises LakeError where there is no such bill, or one of them is not known as invoiced.
    """
    asked = {slice_ for slice_ in published if slice_.billing_period in months and is_asked(slice_.source)}
    if not asked:
        raise LakeError(
            f"No bill of {', '.join(f'{month:%Y-%m}' for month in sorted(months))} is published that is asked for.",
            "`cost-lakehouse status` shows the months there are.",
        )
    for slice_ in sorted(asked - {*moments}):
        raise LakeError(*not_invoiced(slice_, published[slice_]))
    return AsInvoiced({slice_: moments[slice_] for slice_ in asked})


def not_invoiced(slice_: Slice, status: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Why a published month has no state at which it was first invoiced, and what to do. Pure."""
    state = status[0]["bill_state"] if status else "open"
    # A correction makes a bill corrected, whether or not it was ever invoiced: Oracle's never are.
    if state == "invoiced" or (state == "corrected" and any(row.get("invoice_ids") for row in status)):
        return (
            f"{slice_} is {state}, and how it was first invoiced is not kept any more.",
            f"Ask for a later moment (`--as-of DATE`), or what changed since: `cost-lakehouse diff {slice_}`. "
            "`maintenance: {keep_invoiced: …}` in lakehouse.yaml keeps more months from now on.",
        )
    return (
        f"{slice_} was never invoiced: it is {state}.",
        f"Leave it out (`--where source=…` names the others), or ask without --as-of for what is known of {slice_} now.",
    )
