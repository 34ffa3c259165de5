"""What a mart's table is in PostgreSQL: columns, partitions, indexes, and Koku's names for them. SQL as text; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.slices import Slice

PUBLICATIONS = "publications"
_JSON = {"tags", "cost_categories"}
"""Columns of JSON text in marts, which are ``jsonb`` here."""

# What tables are usually filtered by; of those a mart has.
_INDEXED = ("usage_date", "usage_account_id", "account_id", "tenant_id", "sub_account_id", "product_code", "service")
_ORDERED = ("usage_date", "product_code", "service")
"""Those of them by which the rows of a table of its own lie in order, the first one first."""
_PAGES = 16
"""Of one entry of the index over rows in order: some hundreds of rows, so that a service's are in few of them."""


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def type_of(name: str, kind: pa.DataType) -> str:
    """PostgreSQL's type of a mart's column. Raises ConfigurationError where there is none."""
    if name in _JSON and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return "jsonb"
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    simple: list[tuple[bool, str]] = [
        (pa.types.is_string(kind) or pa.types.is_large_string(kind), "text"),
        (pa.types.is_date(kind), "date"),
        (pa.types.is_timestamp(kind), "timestamp without time zone"),
        (pa.types.is_boolean(kind), "boolean"),
        (pa.types.is_int64(kind), "bigint"),
        (pa.types.is_int32(kind), "integer"),
        (pa.types.is_floating(kind), "double precision"),
    ]
    found = next((sql for is_it, sql in simple if is_it), None)
    if found is None:
        raise ConfigurationError(
            f"Column {name} is {kind}, which has no table in PostgreSQL.", "Leave the mart out of `publish.postgres.tables`."
        )
    return found


def columns_of(table: str, schema: pa.Schema) -> dict[str, str]:
    """A mart's columns and their types. Raises ConfigurationError where it is not kept by source and month."""
    if not {"source", "billing_period"} <= {*schema.names}:
        raise ConfigurationError(
            f"publish.postgres: {table} has no months of sources.", "Name marts with source and billing_period."
        )
    return {field.name: type_of(field.name, field.type) for field in schema}


def create_table(schema: str, table: str, columns: Mapping[str, str]) -> str:
    """The table, parted by month."""
    shown = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    name = f"{quoted(schema)}.{quoted(table)}"
    return f"create table if not exists {name} ({shown}) partition by range (billing_period)"


def order_of(columns: Mapping[str, str]) -> list[str]:
    """By which a table's rows lie in order where a source's month has a table of its own; none of them, no order."""
    return [column for column in _ORDERED if column in columns]


def create_indexes(schema: str, table: str, columns: Mapping[str, str]) -> list[str]:
    """Indexes of the whole table, which each of its parts has: by account and tags.

    Months and sources that have parts of their own need none; by day and service a part has what suits the order of its rows.
    """
    return [
        f"create index if not exists {quoted(f'{table}_{name}')} on {quoted(schema)}.{quoted(table)} {over}"
        for name, over in _everywhere(columns).items()
    ]


def _everywhere(columns: Mapping[str, str]) -> dict[str, str]:
    """An index's name behind the table's, and what it is over."""
    made = {f"by_{column}": f"({column})" for column in _INDEXED if column in columns and column not in _ORDERED}
    if columns.get("tags") == "jsonb":
        made["by_tags"] = "using gin (tags jsonb_path_ops)"
    return made


def month_of(table: str, month: date) -> str:
    """The name of a month's part."""
    return f"{table}_{month:%Y_%m}"


def rest_of(table: str, month: date) -> str:
    """The name of the part of a month that holds all sources without a part of their own."""
    return f"{month_of(table, month)}_rest"


def create_month(schema: str, table: str, month: date, columns: Mapping[str, str]) -> list[str]:
    """A month's part, parted by source, with one part for all sources. Made aside, then attached: that locks no reader out."""
    name, rest = f"{quoted(schema)}.{quoted(month_of(table, month))}", f"{quoted(schema)}.{quoted(rest_of(table, month))}"
    whole, following = f"{quoted(schema)}.{quoted(table)}", date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return [
        f"create table {name} ({_alike(whole)}) partition by list (source)",
        f"create table {rest} partition of {name} default",
        *(f"create index on {rest} ({column})" for column in ("source", *order_of(columns))),
        f"alter table {whole} attach partition {name} for values from ('{month}') to ('{following}')",
    ]


def create_part(schema: str, table: str, slice_: Slice, name: str) -> str:
    """A table for one source's month alone, not attached yet. Its constraint spares a look at every row when it is."""
    only = f"source is not null and source = '{slice_.source}' and billing_period is not null and "
    only += f"billing_period = date '{slice_.billing_period}'"
    whole = f"{quoted(schema)}.{quoted(table)}"
    return f"create table {quoted(schema)}.{quoted(name)} ({_alike(whole)}, constraint one_slice check ({only}))"


def index_part(schema: str, name: str, columns: Mapping[str, str]) -> list[str]:
    """The indexes of the whole table, on a part that is not attached yet, and one over the order of its rows.

    That one is a fraction of a B-tree's work and size, and leads to a day's or a service's rows as fast.
    """
    place, order = f"{quoted(schema)}.{quoted(name)}", ", ".join(order_of(columns))
    made = [f"create index on {place} {over}" for over in _everywhere(columns).values()]
    return [*made, f"create index on {place} using brin ({order}) with (pages_per_range = {_PAGES})"] if order else made


def _alike(whole: str) -> str:
    """The table's columns, also those that somebody added."""
    return f"like {whole} including defaults including constraints including generated"


def create_publications(schema: str) -> str:
    """Which delivery is there: a row a source and month."""
    return (
        f"create table if not exists {quoted(schema)}.{PUBLICATIONS} (source text not null, billing_period date not null, "
        "delivery_id text not null, state text, lake_id text not null, mark text not null, tables text[] not null, "
        "row_counts bigint[] not null, published_at timestamp with time zone not null, primary key (source, billing_period))"
    )


KOKU_AWS = "reporting_awscostentrylineitem_daily_summary"
KOKU_OCI = "reporting_ocicostentrylineitem_daily_summary"


def koku_views(schema: str, tables: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Views with the names of Koku's summary tables and their columns, over the marts that are published.

    Koku's savings plan's effective cost and markups are not in a mart: 0. Its ``uuid`` is the row's own id.
    """
    name, views = quoted(schema), []
    if "aws_daily_summary" in tables:
        views.append(
            f"create or replace view {name}.{KOKU_AWS} as select aws_daily_summary_id as uuid, source as source_uuid, "
            "usage_date as usage_start, usage_date as usage_end, usage_account_id, usage_account_name as account_alias, "
            "payer_account_id, product_code, product_family, availability_zone, region, instance_type, unit, resource_count, "
            "usage_amount, normalized_usage_amount, currency_code, unblended_cost, blended_cost, public_on_demand_cost, "
            "calculated_amortized_cost, 0::numeric as markup_cost, tags, cost_categories as cost_category, billing_period "
            f"from {name}.aws_daily_summary"
        )
    if "oci_daily_summary" in tables:
        views.append(
            f"create or replace view {name}.{KOKU_OCI} as select oci_daily_summary_id as uuid, source as source_uuid, "
            "usage_date as usage_start, usage_date as usage_end, tenant_id as payer_tenant_id, service as product_service, "
            "region, billed_quantity as usage_amount, unit, currency_code as currency, cost, 0::numeric as markup_cost, tags, "
            f"billing_period from {name}.oci_daily_summary"
        )
    return views


def policy(schema: str, database: str, publisher: str, reader: str) -> list[str]:
    """The least rights of who publishes, and of who reads, as an owner of the database grants them."""
    owner, others, name = quoted(publisher), quoted(reader), quoted(schema)
    return [
        f"create role {owner} login; -- where it is not there yet, with a password or certificate of yours",
        f"create role {others} login;",
        f"grant connect on database {quoted(database)} to {owner}, {others};",
        f"create schema if not exists {name} authorization {owner}; -- its own tables there, and nothing else",
        f"grant usage on schema {name} to {others};",
        f"alter default privileges for role {owner} in schema {name} grant select on tables to {others};",
        f"grant select on all tables in schema {name} to {others};",
    ]
