"""What a push can hold of a month: rows of marts and ledgers, each as one SELECT in DuckDB, and what tells that it changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.config.push import PushSettings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.manifests import file_tasks, slice_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holders import Account, accounts_of
from cost_lakehouse.publish.focus_columns import focus_columns
from cost_lakehouse.publish.focus_rows import FOCUS_ROWS, focus_rows
from cost_lakehouse.sources.lakehouse.layout import DAILY_COSTS, VERSION
from cost_lakehouse.summaries.stale import BILL_STATUS, proven_receipts

FOCUS = "focus"
LEDGERS = {"receipts": "raw.receipts", "control_totals": "raw.control_totals"}


@dataclass(frozen=True)
class Published:
    """A month as it is published: the load that its marts are of, its bill's state, and whose accounts it has."""

    slice: Slice
    receipt: Receipt
    state: str
    accounts: tuple[Account, ...]


def table_of(what: str) -> str:
    """The lake's table that a kind of contents comes from."""
    return FOCUS_ROWS if what == FOCUS else LEDGERS.get(what, f"marts.{what}")


def ensure_known(lake: Lake, target: PushSettings) -> None:
    """Raise ConfigurationError where a target wants what the lake does not publish."""
    names = {name.removeprefix("marts.") for name in lake.table_names() if name.startswith("marts.")}
    known = sorted({*names, FOCUS, *LEDGERS})
    strange = [what for what in target.what if what not in known]
    if strange:
        raise ConfigurationError(f"push {target.name}: there is no {strange[0]!r} to push.", f"Known are: {', '.join(known)}.")
    if FOCUS in target.what and lake.settings.lake.focus == "off":
        raise ConfigurationError(
            f"push {target.name}: `lake.focus` is `off`, so there are no FOCUS rows.", "Write `focus: export` below `lake:`."
        )


def marks(lake: Lake, target: PushSettings, writer: str) -> dict[Slice, str]:
    """A digest for every published month of what its contents are made of; it costs no scan, files are listed.

    Another digest does not say that the contents differ: maintenance writes the same rows into new files.
    """
    tables = sorted({table_of(what) for what in target.what if what != FOCUS} | {BILL_STATUS})
    files: dict[Slice, list[str]] = {}
    for name in tables:
        table = lake.table_or_none(name)
        for task in file_tasks(table) if table is not None else ():
            files.setdefault(slice_of(task.file), []).append(task.file.file_path)
    loads = {slice_: item.load_id for slice_, item in proven_receipts(lake).items()} if FOCUS in target.what else {}
    said = [VERSION, writer, sorted(target.what), target.format]
    return {
        slice_: hashlib.sha256(json.dumps([said, sorted(files.get(slice_, ())), loads.get(slice_)]).encode()).hexdigest()[:32]
        for slice_ in published_slices(lake)
    }


def published_slices(lake: Lake) -> list[Slice]:
    """Every month that ``bill_status`` says is published, sorted."""
    table = lake.table_or_none(BILL_STATUS)
    return sorted({slice_of(task.file) for task in file_tasks(table)}) if table is not None else []


def published(lake: Lake, slices: Collection[Slice]) -> dict[Slice, Published]:
    """What some published months are of.

    Raises LakeError where no accepted load is on record for what is published.
    """
    with connect(lake, [BILL_STATUS]) as connection:
        rows = connection.execute(f"select distinct source, billing_period, delivery_id, state from {BILL_STATUS}").fetchall()
    stated = {Slice(source, month): (delivery_id, state) for source, month, delivery_id, state in rows}
    found: dict[Slice, Published] = {}
    accepted = [receipt for receipt in receipts(lake) if receipt.state == ACCEPTED]
    for slice_ in slices:
        delivery_id, state = stated[slice_]
        of_slice = [one for one in accepted if (one.source, one.billing_period) == (slice_.source, slice_.billing_period)]
        receipt = next((one for one in reversed(of_slice) if one.delivery_id == delivery_id), None)
        if receipt is None:
            raise LakeError(
                f"{slice_}: the delivery {delivery_id} is published, and no receipt of it is on record.",
                "`cost-lakehouse run --force` of this month loads and publishes it again.",
            )
        accounts = tuple(sorted(accounts_of(lake, receipt.raw_table, slice_)))
        found[slice_] = Published(slice_, receipt, state or "", accounts)
    return found


@contextmanager
def contents(
    lake: Lake, what: str, month: Published, writer: str, lake_id: str
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection, and the SELECT of one kind of a month's rows in it, in a fixed order."""
    if what == FOCUS:
        proven = proven_receipts(lake)
        if month.slice not in proven:
            raise LakeError(f"{month.slice}: no load proves its line items.", "`cost-lakehouse run` loads what is delivered.")
        with focus_rows(lake, {month.slice: proven[month.slice]}) as connection:
            where = f"from {FOCUS_ROWS} where {month.slice.condition}"
            columns = focus_columns(connection.execute(f"select * {where} limit 0").to_arrow_table().schema)
            yield connection, f"select {', '.join(column.in_parquet for column in columns)} {where} order by all"
        return
    table = table_of(what)
    needed = [table, BILL_STATUS] if what == DAILY_COSTS else [table]
    with connect(lake, needed) as connection:
        if what == DAILY_COSTS:
            yield connection, _daily_costs(connection, month, writer, lake_id)
        else:
            yield connection, f"select * from {table} where {month.slice.condition} order by all"


def _daily_costs(connection: duckdb.DuckDBPyConnection, month: Published, writer: str, lake_id: str) -> str:
    """The mart's columns, and what a reader needs beside them: whose costs they are, and the load and receipt they come from.

    Of an account that two payers have in one month, the first is named.
    """
    payers: dict[str, str] = {}
    for payer, account in month.accounts:
        payers.setdefault(account, payer)
    only = next(iter(payers.values())) if len({*payers.values()}) == 1 else None
    listed = pa.table({"account": pa.array(payers, pa.string()), "payer": pa.array(payers.values(), pa.string())})
    connection.register("payers", listed)
    connection.execute(
        "create temp table pushed as select cast(? as varchar) as writer, cast(? as varchar) as lake_id, "
        "cast(? as varchar) as load_id, cast(? as varchar) as receipt_digest, cast(? as varchar) as only_payer",
        [writer, lake_id, month.receipt.load_id, month.receipt.digest, only],
    )
    condition = month.slice.condition.replace("source =", "costs.source =").replace(
        "billing_period =", "costs.billing_period ="
    )
    return (
        "select costs.*, coalesce(payers.payer, pushed.only_payer) as payer_account_id, "
        "status.state as bill_state, status.invoice_ids, pushed.writer, pushed.lake_id, pushed.load_id, pushed.receipt_digest "
        f"from marts.daily_costs as costs cross join pushed left join payers on costs.account_id = payers.account "
        f"left join {BILL_STATUS} as status on costs.source = status.source and costs.billing_period = status.billing_period "
        f"and costs.currency_code is not distinct from status.currency_code where {condition} order by all"
    )


def sums_of(
    connection: duckdb.DuckDBPyConnection, select: str, schema: pa.Schema
) -> list[tuple[str, int, Mapping[str, object]]]:
    """The rows of a SELECT by currency: how many, and the exact sum of every decimal column."""
    names = [field.name for field in schema if pa.types.is_decimal(field.type)]
    currency = next((name for name in ("currency_code", "billing_currency", "BillingCurrency") if name in schema.names), None)
    shown = f"coalesce(\"{currency}\", '')" if currency else "''"
    added = "".join(f', coalesce(sum("{name}"), 0)' for name in names)
    rows = connection.execute(f"select {shown}, count(*){added} from ({select}) group by 1 order by 1").fetchall()
    return [(row[0], row[1], dict(zip(names, row[2:], strict=True))) for row in rows]


def described(schema: pa.Schema) -> Sequence[Mapping[str, str]]:
    """A schema as a manifest has it."""
    return [{"name": field.name, "type": str(field.type)} for field in schema]
