"""Gaps as ``marts.bill_findings`` lists them: found when a month is published, as only then its weeks before are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from hashlib import md5
from typing import Any

import duckdb
import pyarrow as pa

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.gaps import SETTLING_DAYS, Gap, Key, gaps_of

BILL_FINDINGS = "marts.bill_findings"
REASON = "days without rows"
_DAILY_COSTS = "marts.daily_costs"


def findings_with_gaps(
    lake: Lake, scratch: duckdb.DuckDBPyConnection, loaded: Mapping[Slice, tuple[str, date]]
) -> dict[Slice, pa.Table]:
    """The rows of ``bill_findings`` of those slices that have gaps: what was built, and a row for each gap.

    ``loaded`` are the slices that are published, each with its delivery and the day on which that was loaded.
    """
    has_history = lake.table_or_none(_DAILY_COSTS) is not None
    found: dict[Slice, pa.Table] = {}
    with connect(lake, [_DAILY_COSTS] if has_history else []) as published:
        for slice_, (delivery_id, day) in loaded.items():
            days = _days(scratch, slice_)
            before = Slice(slice_.source, (slice_.billing_period - timedelta(days=1)).replace(day=1))
            # A month that is built together with the one before has its history there.
            history = _days(scratch, before) if before in loaded else _days(published, before) if has_history else {}
            for key, of_key in history.items():
                days.setdefault(key, set()).update(of_key)
            gaps = gaps_of(days, slice_.billing_period, day - timedelta(days=SETTLING_DAYS))
            if gaps:
                built = scratch.execute(f"select * from {BILL_FINDINGS} where {slice_.condition}").to_arrow_table()
                rows = [_finding(slice_, delivery_id, gap, built.schema) for gap in gaps]
                found[slice_] = pa.concat_tables([built, pa.Table.from_pylist(rows, schema=built.schema)])
    return found


def listed_gaps(lake: Lake, since: date | None = None) -> dict[Slice, list[str]]:
    """The gaps that ``bill_findings`` lists, by month; of the months from ``since`` on."""
    if lake.table_or_none(BILL_FINDINGS) is None:
        return {}
    with connect(lake, [BILL_FINDINGS]) as connection:
        rows = connection.execute(
            f"select source, billing_period, detail from {BILL_FINDINGS} where reason = ? and billing_period >= ? order by all",
            [REASON, since or date.min],
        ).fetchall()
    found: dict[Slice, list[str]] = {}
    for source, month, detail in rows:
        found.setdefault(Slice(source, month), []).append(detail)
    return found


def said(gap: Gap) -> str:
    """A gap for people. Pure."""
    of_what = "the whole source" if gap.key is None else f"account {gap.key[0] or '(none)'}, {gap.key[1] or '(no service)'}"
    when = f"{gap.first}" if gap.days == 1 else f"{gap.first} to {gap.last}"
    return f"{of_what}: {when}; rows on {gap.usual_days} of the {gap.history_days} days before"


def _days(connection: duckdb.DuckDBPyConnection, slice_: Slice) -> dict[Key, set[date]]:
    rows = connection.execute(
        "select coalesce(account_id, ''), coalesce(service, ''), list(distinct usage_date) "
        f"from {_DAILY_COSTS} where {slice_.condition} group by 1, 2"
    ).fetchall()
    return {(account, service): set(days) for account, service, days in rows}


def _finding(slice_: Slice, delivery_id: str, gap: Gap, schema: pa.Schema) -> dict[str, Any]:
    detail = said(gap)
    grain = "\x1f".join((slice_.source, slice_.billing_period.isoformat(), delivery_id, REASON, detail))
    return dict.fromkeys(schema.names) | {
        "bill_findings_id": md5(grain.encode(), usedforsecurity=False).hexdigest(),
        "source": slice_.source,
        "billing_period": slice_.billing_period,
        "delivery_id": delivery_id,
        "kind": "anomaly",
        "reason": REASON,
        "detail": detail,
        "line_item_count": 0,
        "amount": Decimal(0),
    }
