"""What ``--as-of`` means: a time, or the last moment at which a delivery was the newest of its month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.proof.diff import moment_of

_TIME = re.compile(r"\d{4}-\d\d(-\d\d)?([T ].*)?")


def meant_moment(lake: Lake, text: str) -> datetime:
    """``2026-10-15``, ``2026-10-15T12:00Z``, a delivery id or ``source/delivery-id`` as a moment, UTC without zone.

    Raises ConfigurationError where it is none of them, lies ahead, or names deliveries of several sources.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    known = receipts(lake)
    source, separator, delivery_id = text.partition("/")
    of_source = [receipt for receipt in known if receipt.source == source]
    if separator and of_source:
        return moment_of_delivery(of_source, delivery_id, now)
    if any(receipt.delivery_id == text for receipt in known) or not _TIME.fullmatch(text):
        return moment_of_delivery(known, text, now)
    moment = moment_of(text)
    if moment > now:
        raise ConfigurationError(f"{text} lies ahead: it is {now:%Y-%m-%dT%H:%M}Z.", "Ask for a moment that has passed.")
    return moment


def moment_of_delivery(known: Sequence[Receipt], delivery_id: str, now: datetime) -> datetime:
    """The last moment before another delivery of a month of it was loaded; ``now`` (UTC without zone) where none was. Pure.

    Raises ConfigurationError where nothing of that id was accepted, or it is of several sources.
    """
    loads = [receipt for receipt in known if receipt.delivery_id == delivery_id and receipt.state == ACCEPTED]
    sources = sorted({receipt.source for receipt in loads})
    if not sources:
        raise ConfigurationError(
            f"{delivery_id!r} is neither a moment nor a delivery that was loaded.",
            "Write a date, a UTC time such as 2026-10-15T12:00Z, or an id that `cost-lakehouse history` shows.",
        )
    if len(sources) > 1:
        raise ConfigurationError(
            f"{delivery_id} is a delivery of {', '.join(sources)}.",
            f"Say whose is meant: `--as-of {sources[0]}/{delivery_id}`.",
        )
    last = max(receipt.stored_at for receipt in loads)
    months = {(receipt.raw_table, receipt.billing_period) for receipt in loads}
    later = [
        receipt.stored_at
        for receipt in known
        if receipt.source == sources[0]
        and receipt.state == ACCEPTED
        and (receipt.raw_table, receipt.billing_period) in months
        and receipt.stored_at > last
    ]
    return min(later) - timedelta(microseconds=1) if later else now
