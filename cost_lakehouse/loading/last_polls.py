"""When each source was last looked at, and what was seen: a small file a source in Dagster's home, for ``status``.

It decides nothing: what is new is told by the lake's receipts. Where the home is not shared, only one's own looks are known.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import TypeAdapter

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.loading.holdings import Holdings
from cost_lakehouse.loading.plan import Planned, plan
from cost_lakehouse.sources.delivery import Status

FOLDER = "last-looks"


@dataclass(frozen=True)
class LastPoll:
    """What one look saw. ``newest`` is when the newest complete delivery was made; ``problem`` why nothing could be seen or
    read, ``waits`` why nothing is complete yet; each is "" where nothing is to be said.
    """

    at: datetime
    newest: datetime | None = None
    problem: str = ""
    waits: str = ""


_STORED = TypeAdapter(LastPoll)


def plan_and_note(settings: Settings, source: SourceSettings, held: Holdings, month: date | None = None) -> list[Planned]:
    """``plan``, and what it saw is kept. Raises what ``plan`` does."""
    try:
        planned = plan(settings, source, held, month)
    except CostLakehouseError as error:
        _keep(settings, source.name, LastPoll(datetime.now(UTC), problem=error.problem))
        raise
    _keep(settings, source.name, seen(planned, datetime.now(UTC)))
    return planned


def seen(planned: Sequence[Planned], at: datetime) -> LastPoll:
    """What a look at one source saw. Pure."""
    newest = max((candidate.delivery.delivered_at for candidate in planned if candidate.delivery is not None), default=None)
    broken = [f"{candidate.label}: {candidate.reason}" for candidate in planned if candidate.status is Status.FAILED]
    waiting = [candidate.reason for candidate in planned if candidate.status is Status.WAITING]
    return LastPoll(at, newest, "; ".join(broken), waiting[-1] if waiting and newest is None else "")


def last_polls(settings: Settings) -> dict[str, LastPoll]:
    """The last look at each source that was ever looked at; what cannot be read is left out."""
    found: dict[str, LastPoll] = {}
    for source in settings.sources:
        with suppress(OSError, ValueError):
            found[source.name] = _STORED.validate_json(_file(settings, source.name).read_bytes())
    return found


def _file(settings: Settings, source: str) -> Path:
    return settings.dagster_home / FOLDER / f"{source}.json"


def _keep(settings: Settings, source: str, look: LastPoll) -> None:
    """Written aside and moved into place; a home that cannot be written keeps nobody from loading."""
    file = _file(settings, source)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=file.parent, prefix=f".{source}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(_STORED.dump_json(look))
        Path(aside).replace(file)
