"""Tells what changed in ``marts.daily_costs``: source, month, old and new total. Other work can hang on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import dagster as dg

from cost_lakehouse.orchestration.assets.load_metadata import plain

DAILY_COSTS = dg.AssetKey(["marts", "daily_costs"])
# A first load of many months publishes more than one tick handles; the rest follows in the next.
EVENTS_A_TICK = 200
INTERVAL_SECONDS = 60


def changes_of(materialization: dg.AssetMaterialization) -> list[Mapping[str, Any]]:
    """What one publication changed: source, month (``YYYY-MM``), currency, old and new total (text; old may be None)."""
    value = materialization.metadata.get("changes")
    changes = value.value if isinstance(value, dg.JsonMetadataValue) else []
    return [change for change in changes if isinstance(change, dict)] if isinstance(changes, list) else []


def change_lines(changes: list[Mapping[str, Any]]) -> Iterator[str]:
    """One line a change, for people."""
    for change in changes:
        was = "was not there" if change["old"] is None else f"was {plain(Decimal(change['old']))}"
        yield f"{change['source']} {change['month']}: {plain(Decimal(change['new']))} {change['currency']} ({was})"


def daily_cost_sensor() -> dg.SensorDefinition:
    """The sensor ``daily_costs_changed``; its cursor is the id of the last event that it told.

    Dagster's own asset sensor hands over only the latest event of a tick, which would lose all other months.
    """

    @dg.sensor(
        name="daily_costs_changed",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs what each publication of marts.daily_costs changed; a place to hang notifications and exports on.",
    )
    def daily_costs_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        after = int(context.cursor) if context.cursor else None
        found = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=DAILY_COSTS, after_storage_id=after), limit=EVENTS_A_TICK, ascending=True
        )
        lines = []
        for record in found.records:
            if record.asset_materialization is not None:
                lines += list(change_lines(changes_of(record.asset_materialization)))
        for line in lines:
            context.log.info(line)
        cursor = str(found.records[-1].storage_id) if found.records else context.cursor
        return dg.SensorResult(skip_reason="\n".join(lines) or "marts.daily_costs did not change.", cursor=cursor)

    return daily_costs_changed
