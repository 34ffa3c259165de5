"""Marts as tables of a real PostgreSQL: exact, a month at a time, whatever happens in between. Costs no build."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError, PushFailed
from cost_lakehouse.formats.raw_schema import MONEY
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.publish.postgres import months as months_module
from cost_lakehouse.publish.postgres.publisher import first_kept, months_due
from tests.dbt.building import PROJECT
from tests.publish.backbone.lakes import DAILY, NOVEMBER, OCTOBER, PushingLake
from tests.publish.postgres.conftest import FEW_AND_MANY, NOW, Database
from tests.services.postgres import PostgresServer


def test_marts_are_plain_tables_with_exact_types_partitions_and_indexes(database: Database) -> None:
    receipt = database.made.publish(OCTOBER, ["1.25", "0.00000000000000000002"])
    database.made.publish(NOVEMBER, ["2"])

    assert database.publish() == ["acme 2026-10", "acme 2026-11"]

    assert database.costs() == [Decimal("1.25"), Decimal("0.00000000000000000002"), Decimal(2)]
    types = dict(
        database.ask(
            "select column_name, data_type || coalesce('(' || numeric_precision || ',' || numeric_scale || ')', '') "
            "from information_schema.columns where table_schema = 'costs' and table_name = 'daily_costs'"
        )
    )
    assert (types["billed_cost"], types["usage_date"], types["service"]) == ("numeric(38,20)", "date", "text")
    partitions = database.ask(
        "select relname from pg_class where relkind in ('p', 'r') and relname like 'daily_costs_%' order by 1"
    )
    months = "daily_costs_2026_10", "daily_costs_2026_11"
    assert [row[0] for row in partitions] == [name for month in months for name in (month, f"{month}_rest")]
    indexes = {row[0] for row in database.ask("select indexname from pg_indexes where tablename = 'daily_costs'")}
    assert indexes == {"daily_costs_by_account_id"}
    of_month = database.ask("select indexdef from pg_indexes where tablename = 'daily_costs_2026_10_rest'")
    over = {definition.partition(" USING ")[2] for (definition,) in of_month}
    assert over == {f"btree ({column})" for column in ("source", "usage_date", "account_id", "service")}
    published = database.ask(
        "select source, delivery_id, state, tables, row_counts from costs.publications order by billing_period"
    )
    assert published[0] == ("acme", receipt.delivery_id, "estimated", ["daily_costs", "bill_status"], [2, 1])


def test_what_did_not_change_is_left_alone_and_a_changed_month_replaced(database: Database) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.made.publish(NOVEMBER, ["2"])
    database.publish()
    assert database.publish() == []
    database.made.publish(NOVEMBER, ["3", "4"], assembly="20261204T000000Z")
    assert list(months_due(database.made.lake, database.settings, NOW.date())) == [Slice("acme", NOVEMBER)]

    assert database.publish() == ["acme 2026-11"]
    assert database.costs() == [Decimal(1), Decimal(3), Decimal(4)]


def test_empty_texts_nulls_quotes_and_json_arrive_as_they_are(database: Database) -> None:
    schema = pa.schema(
        [
            pa.field("source", pa.string()),
            pa.field("billing_period", pa.date32()),
            pa.field("service", pa.string()),
            pa.field("tags", pa.string()),
            pa.field("is_odd", pa.bool_()),
            pa.field("seen_at", pa.timestamp("us")),
            pa.field("cost", MONEY),
        ]
    )
    receipt = database.made.publish(OCTOBER, ["1"])
    database.made.lake.create_table("marts.odd", schema)
    odd = 'comma, "quote"\nline \\N é'
    seen = datetime(2026, 10, 1, 4, 5, 6, 789)
    rows = [
        {"service": value, "tags": '{"a": "\\"x\\", y"}', "is_odd": True, "seen_at": seen, "cost": Decimal(1)}
        for value in ("", None, odd)
    ]
    slice_ = Slice("acme", OCTOBER)
    replace_rows(
        database.made.lake,
        "marts.odd",
        schema,
        {slice_: [{"source": "acme", "billing_period": OCTOBER, **row} for row in rows]},
    )
    database.made.publish_rows(OCTOBER, receipt, ["1"], "estimated")
    database.configure(tables=["odd"])

    database.publish()

    found = database.ask("select service, tags ->> 'a', is_odd, seen_at from costs.odd order by service nulls first")
    assert [row[0] for row in found] == [None, "", odd]
    assert {row[1:] for row in found} == {('"x", y', True, seen)}


def test_a_month_of_many_rows_has_a_table_of_its_own_and_keeps_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", 3)
    database.made.publish(NOVEMBER, ["9"])
    parts = "pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'costs.daily_costs_2026_10'::regclass"
    steps = ((["1", "2"], 0), (["3", "4", "5"], 1), (["6", "7", "8", "9"], 1), (["1"], 1))
    for number, (costs, own) in enumerate(steps):
        receipt = database.made.publish(OCTOBER, costs, assembly=f"20261105T0{number}0000Z")

        assert "acme 2026-10" in database.publish()

        assert database.costs() == [*map(Decimal, costs), Decimal(9)]
        assert database.ask("select count(*) from costs.daily_costs_2026_10_rest") == [(0 if own else len(costs),)]
        # By account, and by day and service as its rows lie; nothing is left of those before.
        over = "select split_part(pg_get_indexdef(x.indexrelid), ' USING ', 2) from pg_index x"
        indexes = database.ask(f"{over}, {parts} and c.relname not like '%rest' and x.indrelid = c.oid order by 1")
        assert indexes == [("brin (usage_date, service) WITH (pages_per_range='16')",), ("btree (account_id)",)] * own
        assert database.ask("select count(*) from pg_class where relname ~ 'daily_costs_2026_10_[0-9a-f]{8}$'") == [(own,)]
    database.made.publish_rows(OCTOBER, receipt, [], "estimated")
    assert database.publish() == ["acme 2026-10"]
    assert database.costs() == [Decimal(9)]


def test_rows_of_a_table_of_its_own_lie_by_day_and_in_a_day_by_service(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", 1)
    receipt = database.made.publish(OCTOBER, ["1"])
    lies = [(2, "b"), (1, None), (2, "a"), (1, "b"), (1, "B")]
    row = {"source": "acme", "billing_period": OCTOBER}
    rows = [{**row, "usage_date": OCTOBER.replace(day=day), "service": service} for day, service in lies]
    database.made.publish_rows(OCTOBER, receipt, ["1"], "estimated")
    replace_rows(database.made.lake, "marts.daily_costs", DAILY, {Slice("acme", OCTOBER): rows})

    database.publish()

    found = database.ask("select extract(day from usage_date)::int, service from costs.daily_costs order by ctid")
    assert found == [(1, None), (1, "B"), (1, "b"), (2, "a"), (2, "b")]


def test_a_table_that_somebody_changed_is_told_and_nothing_is_published(database: Database) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.publish()
    database.server.execute("alter table costs.daily_costs alter column line_item_count type numeric", database.name)
    database.made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")

    with pytest.raises(PushFailed, match=r"daily_costs\.line_item_count is numeric there, and bigint in the mart"):
        database.publish()

    assert database.costs() == [Decimal(1)]


def test_a_column_that_is_gone_is_made_and_filled_in_every_month(database: Database) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.made.publish(NOVEMBER, ["2"])
    database.publish()
    database.server.execute("alter table costs.daily_costs drop column region", database.name)

    database.publish()

    assert database.ask("select distinct region from costs.daily_costs") == [("eu-central-1",)]


def test_a_table_that_was_dropped_is_filled_though_the_pass_that_made_it_anew_ended_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.made.publish(NOVEMBER, ["2"])
    database.publish()
    database.server.execute("drop table costs.daily_costs cascade", database.name)
    with monkeypatch.context() as killing:
        killing.setattr(months_module.MonthTables, "fill", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            database.publish()
    assert database.costs() == []

    assert database.publish() == ["acme 2026-10", "acme 2026-11"]

    assert database.costs() == [Decimal(1), Decimal(2)]


def test_months_that_are_older_than_what_is_kept_go(database: Database) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.made.publish(NOVEMBER, ["2"])
    database.publish()
    database.configure(history_months=2)

    database.publish()

    assert first_kept(2, date(2026, 12, 5)) == NOVEMBER
    assert first_kept(13, date(2026, 12, 5)) == date(2025, 12, 1)
    assert database.costs() == [Decimal(2)]
    assert database.ask("select billing_period from costs.publications") == [(NOVEMBER,)]


def test_another_lakehouse_in_the_same_schema_is_refused(database: Database, tmp_path: Path) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.publish()
    other = PushingLake(tmp_path / "other", [])
    other.publish(OCTOBER, ["9"])

    with pytest.raises(PushFailed, match="was published by the lakehouse"):
        database.publish(other.lake)

    assert database.costs() == [Decimal(1)]


def contract(mart: str) -> pa.Schema:
    """A mart's columns as its dbt model promises them."""
    types = {
        "varchar": pa.string(), "date": pa.date32(), "bigint": pa.int64(), "boolean": pa.bool_(),
        "timestamp(6)": pa.timestamp("us"),
    }  # fmt: skip
    models = yaml.safe_load((PROJECT / "models" / "marts" / "_marts__models.yml").read_text())["models"]
    (columns,) = [model["columns"] for model in models if model["name"] == mart]
    return pa.schema([pa.field(column["name"], types.get(column["data_type"], MONEY)) for column in columns])


def test_views_have_kokus_names(database: Database) -> None:
    receipt = database.made.publish(OCTOBER, ["1"])
    slice_ = Slice("acme", OCTOBER)
    for mart, given in (
        ("aws_daily_summary", {"product_code": "AmazonEC2", "unblended_cost": Decimal("1.5"), "tags": '{"team": "web"}'}),
        ("oci_daily_summary", {"service": "COMPUTE", "cost": Decimal("2.5"), "tags": "{}"}),
    ):
        schema = contract(mart)
        row = {"source": "acme", "billing_period": OCTOBER, "usage_date": OCTOBER, "currency_code": "USD", **given}
        database.made.lake.create_table(f"marts.{mart}", schema)
        replace_rows(database.made.lake, f"marts.{mart}", schema, {slice_: [row]})
    database.made.publish_rows(OCTOBER, receipt, ["1"], "estimated")
    database.configure(tables=["aws_daily_summary", "oci_daily_summary"])
    database.publish()

    assert database.ask(
        "select usage_start, product_code, unblended_cost, tags ->> 'team', source_uuid "
        "from costs.reporting_awscostentrylineitem_daily_summary"
    ) == [(OCTOBER, "AmazonEC2", Decimal("1.5"), "web", "acme")]
    assert database.ask(
        "select usage_start, product_service, cost, currency from costs.reporting_ocicostentrylineitem_daily_summary"
    ) == [(OCTOBER, "COMPUTE", Decimal("2.5"), "USD")]


@FEW_AND_MANY
def test_the_rights_that_are_printed_are_enough_and_no_more(
    database: Database, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(months_module, "MANY_ROWS", many)
    database.made.publish(OCTOBER, ["1"])
    writer, reader = f"w_{database.name}"[:40], f"r_{database.name}"[:40]
    own = postgres_server.url(database.name)
    rest = own.rpartition("@")[2]
    database.configure(url=f"postgresql://{writer}:word@{rest}")
    printed = CliRunner().invoke(app, ["policy", "postgres", "--reader", reader, "--config", str(database.made.config)])
    assert printed.exit_code == 0, printed.output
    for statement in printed.stdout.splitlines():
        database.server.execute(statement, database.name)
    for role in (writer, reader):
        database.server.execute(f"alter role \"{role}\" password 'word'", database.name)

    assert database.publish() == ["acme 2026-10"]
    database.made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")
    assert database.publish() == ["acme 2026-10"]

    database.server.execute(f'set role "{reader}"; select count(*) from costs.daily_costs', database.name)
    with pytest.raises(Exception, match="permission denied"):
        database.server.execute(f'set role "{reader}"; delete from costs.daily_costs', database.name)
    with pytest.raises(Exception, match="permission denied"):
        database.server.execute(f'set role "{writer}"; create schema elsewhere', database.name)
    for role in (writer, reader):
        database.server.execute(f'drop owned by "{role}"; drop role "{role}"', database.name)


def test_the_command_publishes_and_says_so(database: Database) -> None:
    database.made.publish(OCTOBER, ["1", "2"])

    first = CliRunner().invoke(app, ["push", "--config", str(database.made.config)])
    second = CliRunner().invoke(app, ["push", "--name", "postgres", "--config", str(database.made.config)])

    assert first.exit_code == 0, first.output
    assert "Pushed to postgres: 1 months sent, 3 rows." in first.stdout
    assert "Pushed to postgres: nothing new." in second.stdout


def test_nobody_there_is_told_without_the_password(database: Database) -> None:
    database.made.publish(OCTOBER, ["1"])
    database.configure(url="postgresql://publisher:quite-secret@127.0.0.1:1/costs")

    result = CliRunner().invoke(app, ["push", "--config", str(database.made.config)])

    assert result.exit_code == 1
    assert "postgresql://127.0.0.1:1/costs" in result.output.replace("\n", "")
    assert "quite-secret" not in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "mysql://host/costs"}, r"postgresql://USER:\$\{PASSWORD\}@HOST/DATABASE"),
        ({"url": "postgresql://host"}, "postgresql://USER"),
        ({"schema": "Costs"}, "lower-case letters"),
        ({"tables": ["marts.daily_costs"]}, "without their schema"),
        ({"history_months": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_by_name(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(yaml.safe_dump({"publish": {"postgres": {"url": "postgresql://u:secret-word@host/costs", **options}}}))

    with pytest.raises(ConfigurationError, match=says) as caught:
        load_settings(file)

    assert "secret-word" not in str(caught.value)
