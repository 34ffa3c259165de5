"""The deployment of docker-compose.yml started by hand: its commands, its configuration files, other ports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from sample_bills import Bill, BillDelivery
from tests.deploy.by_hand import Deployment
from tests.services.production import ProductionStack

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
BILL = Bill(months=(SEPTEMBER, OCTOBER), rows=200, seed=11)
DELIVERIES = tuple(
    BillDelivery(month=month, delivered_at=datetime(2026, 11, 3, 5, 30, tzinfo=UTC)) for month in (SEPTEMBER, OCTOBER)
)


@pytest.fixture(scope="module")
def deployment(production: ProductionStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One lake in the production setting, with two months of a bill; a test starts the processes."""
    started = Deployment(production, tmp_path_factory.mktemp("deployment"))
    try:
        started.configure(BILL, *DELIVERIES)
        yield started
    finally:
        started.stop()
