"""How every source does, as OpenCost tells of its cloud integrations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.loading.last_polls import last_polls
from cost_lakehouse.loading.statuses import source_statuses, statuses
from cost_lakehouse.serve.opencost.properties import PROVIDERS
from cost_lakehouse.serve.opencost.windows import Window
from cost_lakehouse.serve.replies import utc_text
from cost_lakehouse.serve.served import Served

_NEVER = "0001-01-01T00:00:00Z"
"""A moment that never was, as Go writes it."""


def status_document(served: Served) -> list[dict[str, Any]]:
    """``/cloudCost/status``. Nothing of where a source is or how it is read is told. Raises LakeError."""
    settings, found = served.lake.settings, statuses(served.lake)
    seen = None if served.sees_all else served.sources()
    interval = timedelta(seconds=settings.polling.interval_seconds)
    document = []
    for source in source_statuses(settings, last_polls(settings), found):
        if seen is not None and source.source not in seen:
            continue
        held = [status for status in found if status.slice_.source == source.source and status.held]
        loads = sorted(receipt.loaded_at for status in held for receipt in status.held)
        months = sorted(status.slice_.billing_period for status in held)
        is_paused = source.state == "paused"
        document.append(
            {
                "key": source.source,
                "source": source.kind,
                "provider": PROVIDERS.get(source.kind.partition("_")[0], source.kind),
                "active": not is_paused,
                "valid": source.state != "failing",
                "lastRun": _moment(source.looked_at or (loads[-1] if loads else None)),
                "nextRun": _moment(source.looked_at + interval if source.looked_at and not is_paused else None),
                "RefreshRate": f"{interval.total_seconds():g}s",
                "created": _moment(loads[0] if loads else None),
                "runs": len(loads),
                "coverage": str(Window(months[0], plus_months(months[-1], 1))) if months else "",
                "connectionStatus": source.problem or {"active": "Connection Successful"}.get(source.state, source.state),
                "config": {},
            }
        )
    return document


def _moment(moment: datetime | None) -> str:
    return _NEVER if moment is None else utc_text(moment)
