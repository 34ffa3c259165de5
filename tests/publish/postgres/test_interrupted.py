"""Whatever happens while a month is published: the old or the new one is there, never half. Costs no build."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import PushFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.publish.postgres import months as months_module
from cost_lakehouse.publish.postgres import publisher as publisher_module
from tests.publish.backbone.lakes import NOVEMBER, OCTOBER
from tests.publish.postgres.conftest import FEW_AND_MANY, Database
from tests.services.small_disk import small_disk


@FEW_AND_MANY
@pytest.mark.parametrize("moment", ["fill", "attach", "_status"])
def test_a_connection_that_is_lost_leaves_the_old_month(
    database: Database, monkeypatch: pytest.MonkeyPatch, moment: str, many: int
) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", many)
    database.made.publish(OCTOBER, ["1"])
    database.publish()
    database.made.publish(OCTOBER, ["7", "8"], assembly="20261105T000000Z")
    place: Any = publisher_module._Publisher if moment == "_status" else months_module.MonthTables
    original = getattr(place, moment)

    def cut(self: Any, *arguments: Any) -> Any:
        done = original(self, *arguments)
        database.ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cost-lakehouse'")
        return done

    with monkeypatch.context() as patched:
        patched.setattr(place, moment, cut)
        with pytest.raises(PushFailed, match="the next run tries again") as caught:
            database.publish()

    assert database.settings.secrets[1] not in str(caught.value)
    assert database.costs() == [Decimal(1)]
    assert database.ask("select row_counts[1] from costs.publications") == [(1,)]
    assert database.publish() == ["acme 2026-10"]
    assert database.costs() == [Decimal(7), Decimal(8)]


@FEW_AND_MANY
def test_rows_that_do_not_add_up_are_not_committed(database: Database, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """A trigger that somebody put on every table of the schema changes an amount."""
    monkeypatch.setattr(months_module, "MANY_ROWS", many)
    database.made.publish(OCTOBER, ["1"])
    database.publish()
    statements = (
        "create function costs.more() returns trigger language plpgsql as $$ "
        "begin new.billed_cost := new.billed_cost + 1; return new; end $$",
        "create trigger more before insert on costs.daily_costs_2026_10_rest for each row execute function costs.more()",
        "create function costs.on_new_tables() returns event_trigger language plpgsql as $$ declare made record; begin "
        "for made in select object_identity from pg_event_trigger_ddl_commands() "
        "where object_identity like 'costs.daily_costs_2026_10_%' loop "
        "execute format('create trigger more before insert on %s for each row execute function costs.more()', "
        "made.object_identity); "
        "end loop; end $$",
        "create event trigger on_new_tables on ddl_command_end when tag in ('CREATE TABLE') "
        "execute function costs.on_new_tables()",
    )
    for statement in statements:
        database.server.execute(statement, database.name)
    database.made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")

    with pytest.raises(PushFailed, match="what arrived is not the mart"):
        database.publish()

    assert database.costs() == [Decimal(1)]


@FEW_AND_MANY
def test_two_publishers_at_once_leave_one_whole_month_each(
    database: Database, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", many)
    for month in (OCTOBER, NOVEMBER):
        database.made.publish(month, ["1", "2", "3"])
    lakes = [Lake(load_settings(database.made.config)) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(database.publish, lakes))

    assert sorted(name for names in done for name in names) == ["acme 2026-10", "acme 2026-11"]
    assert database.costs() == [Decimal(1), Decimal(2), Decimal(3)] * 2


def test_a_query_that_reads_on_keeps_its_rows_and_the_change_waits_for_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", 1)
    monkeypatch.setattr(months_module, "TURN_SECONDS", 1)
    monkeypatch.setattr(months_module, "TURNS", 1)
    database.made.publish(OCTOBER, ["1"])
    database.publish()
    database.made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")

    with database.server.connect(database.name) as reader:
        reader.execute(text("begin"))
        assert reader.execute(text("select billed_cost from costs.daily_costs")).scalar() == Decimal(1)
        with pytest.raises(PushFailed, match="daily_costs_2026_10 cannot be changed: queries read there without a pause"):
            database.publish()
        # Nobody waits behind the change.
        assert database.costs() == [Decimal(1)]
        assert reader.execute(text("select billed_cost from costs.daily_costs")).scalar() == Decimal(1)
        reader.execute(text("commit"))

    assert database.publish() == ["acme 2026-10"]
    assert database.costs() == [Decimal(2)]


@FEW_AND_MANY
def test_a_full_disk_leaves_the_old_month(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, many: int
) -> None:
    """A real one: the tables lie on a file system of two megabytes."""
    monkeypatch.setattr(months_module, "MANY_ROWS", many)
    with small_disk(tmp_path / "small", "2m", database.server.user_id) as disk:
        space = f"small_{database.name}"
        database.server.execute(f"create tablespace \"{space}\" location '{disk}'")
        database.server.execute(f'alter database "{database.name}" set default_tablespace = "{space}"')
        old, new = (["1"] * 28, [str(number) for number in range(1, 29)])
        database.made.publish(OCTOBER, old)
        database.publish()
        # No new row goes into a page that has some.
        database.server.execute("alter table costs.daily_costs_2026_10_rest set (fillfactor = 10)", database.name)
        database.server.execute("create table filler (number int)", database.name)
        with pytest.raises(Exception, match="No space left on device"):
            database.server.execute(
                "do $$ begin loop insert into filler select 1 from generate_series(1, 1000); commit; end loop; end $$",
                database.name,
            )
        database.made.publish(OCTOBER, new, assembly="20261105T000000Z")

        with pytest.raises(PushFailed, match="Make room for the database") as caught:
            database.publish()

        assert "No space left on device" in str(caught.value)
        assert database.costs() == [*map(Decimal, old)]
        database.server.execute("drop table filler", database.name)
        assert database.publish() == ["acme 2026-10"]
        assert database.costs() == [*map(Decimal, new)]
        database.server.drop_database(database.name)
        database.server.execute(f'drop tablespace "{space}"')
