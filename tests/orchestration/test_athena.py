"""A bill out of Athena through Dagster: found by the sensor, read anew where AWS replaces it, with what it cost on record."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from unittest.mock import ANY

import dagster as dg
import pytest

from cost_lakehouse.orchestration.instance import command_instance
from tests.orchestration.test_loading import Loading, asked
from tests.services.s3 import S3Server
from tests.sources.athena_workshop import AthenaWorkshop, athena_server


@pytest.fixture
def workshop(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AthenaWorkshop]:
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB"):
        monkeypatch.setenv(name, "")
    with athena_server(s3_server) as server:
        made = AthenaWorkshop(tmp_path, server, s3_server, s3_shared_bucket)
        monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(tmp_path / "lakehouse.yaml"))
        yield made


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


def test_a_month_is_asked_for_loaded_with_its_price_and_then_left_alone(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    size = workshop.delivery().bytes
    with command_instance(workshop.settings) as instance:
        loading = Loading(workshop, instance)  # type: ignore[arg-type]  # all that it needs are settings
        tick = loading.tick()
        assert asked(tick) == ["acme 2026-10-01 1"]

        (result,) = loading.run(tick.run_requests or [])

        assert result.success
        told = metadata_of(result)
        assert (told["dagster/row_count"], told["athena_windows"], told["athena_windows_kept"]) == (31, 5, 0)
        assert told["athena_bytes_scanned"] == 6 * size  # five windows, and the sums that they are compared with
        assert told["athena_queries"] == 5 + 2
        assert told["athena_estimated_price_usd"] == pytest.approx(7 * 10e6 * 5 / 1e12)
        taken = workshop.ask("select requests, seconds, athena_bytes, athena_cost_usd from raw.receipts")
        assert taken == [(told["requests"], ANY, 6 * size, Decimal("0.00035"))]
        assert int(str(told["requests"])) > 2 * 7  # each query is begun and asked after
        assert not (workshop.settings.dagster_home / "athena/acme/2026-10").exists()
        assert asked(loading.tick()) == []


def test_a_refresh_while_it_is_read_is_read_again_in_the_same_run(workshop: AthenaWorkshop) -> None:
    workshop.put(dict.fromkeys(range(31), 0.5))
    workshop.athena.on("03-of-05", lambda _: workshop.put(dict.fromkeys(range(40), 0.75), day=5))
    with command_instance(workshop.settings) as instance:
        loading = Loading(workshop, instance)  # type: ignore[arg-type]  # all that it needs are settings
        (result,) = loading.run(loading.tick().run_requests or [])

    assert result.success
    told = metadata_of(result)
    assert (told["dagster/row_count"], told["athena_reads"], told["athena_windows"]) == (40, 2, 5)
    assert workshop.ask("select count(*), sum(line_item_unblended_cost) from raw.aws_cur") == [(40, 30)]
