"""The tables' schemas: those that bills fill, the ledgers that prove every load, and what is known of accounts."""

from __future__ import annotations

import pyarrow as pa

from cost_lakehouse.formats.raw_schema import MONEY, SLICE_FIELDS, TEXT_MAP
from cost_lakehouse.formats.table_format import FORMATS

EXACT = pa.decimal128(38, 25)  # control totals: room for digits that the lake rounds away
RAW_TABLE = pa.field("raw_table", pa.string())  # which table a load's rows are in; null in old lakes: raw.aws_cur

RECEIPTS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("files", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("rejected", pa.int64()),
        pa.field("rejected_values", pa.string()),
        pa.field("rounding_values", pa.int64()),
        pa.field("loaded_at", pa.timestamp("us"), nullable=False),
        pa.field("delivered_at", pa.timestamp("us")),
        pa.field("fingerprint", pa.string()),
        pa.field("digest", pa.string()),
        RAW_TABLE,
        pa.field("corrections", pa.string()),
        pa.field("seconds", pa.decimal128(18, 3)),
        pa.field("requests", pa.int64()),
        pa.field("athena_bytes", pa.int64()),
        pa.field("athena_cost_usd", MONEY),
    ]
)

CONTROL_TOTALS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("payer_account_id", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("line_item_type", pa.string()),
        pa.field("invoice_id", pa.string()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("line_items", pa.int64()),
        pa.field("delivered", EXACT),
        pa.field("stored", MONEY),
        pa.field("rounding", EXACT),
        pa.field("delivered_exact", pa.string()),
        pa.field("rounding_exact", pa.string()),
        RAW_TABLE,
    ]
)

FILES = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("load_id", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("rows", pa.int64()),
        RAW_TABLE,
        pa.field("content", pa.string()),  # of files that add to a bill the digest of what they say, else of their bytes
        pa.field("finding", pa.string()),  # why none of its rows is in the lake
        pa.field("finding_detail", pa.string()),
        # Of the files of whole months, whose rows the next delivery may take over (audit/file_totals.py).
        pa.field("control_totals", pa.string()),
        pa.field("rows_digest", pa.string()),
        pa.field("reader", pa.string()),
        pa.field("read_by", pa.string()),
    ]
)

# What organisations said of their accounts: a row each time that it was another answer than the one before. Only appended to.
# `source` is the organisation's name in lakehouse.yaml, `billing_period` the month of the read, `delivery_id` a digest of it.
AWS_ACCOUNTS = "raw.aws_accounts"
ACCOUNT_CHANGES = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("organization_id", pa.string(), nullable=False),
        pa.field("management_account_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("seen_at", pa.timestamp("us"), nullable=False),
        pa.field("is_gone", pa.bool_(), nullable=False),
        pa.field("account_name", pa.string()),
        pa.field("account_state", pa.string()),
        pa.field("joined_at", pa.timestamp("us")),
        pa.field("unit_id", pa.string()),
        pa.field("unit_name", pa.string()),
        pa.field("unit_path", pa.string()),
        pa.field("unit_id_path", pa.string()),
        pa.field("tags", TEXT_MAP),
    ]
)

# Invoices as their issuer or a person says them: one row an invoice, of which a newer word takes the older one's place.
INVOICES = "raw.invoices"
INVOICE_COLUMNS = pa.schema(
    [
        *SLICE_FIELDS,  # `delivery_id` is a digest of what the invoice says
        pa.field("invoice_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string()),
        pa.field("invoice_type", pa.string()),
        pa.field("bill_type", pa.string()),
        pa.field("entity", pa.string()),
        pa.field("issued_date", pa.date32()),
        pa.field("due_date", pa.date32()),
        pa.field("original_invoice_id", pa.string()),
        pa.field("currency_code", pa.string(), nullable=False),
        pa.field("total", MONEY, nullable=False),
        pa.field("before_tax", MONEY),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us"), nullable=False),
        pa.field("document", pa.string()),
    ]
)

# Months that were closed, accepted again and reopened: a log, only appended to. `delivery_id` is the delivery that it is about.
CLOSINGS = "raw.closings"
CLOSING_COLUMNS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("loaded_at", pa.timestamp("us"), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("done_at", pa.timestamp("us"), nullable=False),
        pa.field("done_by", pa.string(), nullable=False),
        pa.field("note", pa.string()),
        pa.field("bill_state", pa.string()),
        pa.field("invoices", pa.string()),
        pa.field("totals", pa.string(), nullable=False),
    ]
)

# What deliveries changed in months that were invoiced or closed: a row an account and currency, written before it is published.
LATE_CORRECTIONS = "raw.late_corrections"
LATE_CORRECTION_COLUMNS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("loaded_at", pa.timestamp("us"), nullable=False),
        pa.field("previous_delivery_id", pa.string(), nullable=False),
        pa.field("state_before", pa.string(), nullable=False),
        pa.field("closed_at", pa.timestamp("us"), nullable=False),
        pa.field("invoice_ids", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("billed_cost_change", MONEY, nullable=False),
        pa.field("effective_cost_change", MONEY, nullable=False),
        pa.field("found_at", pa.timestamp("us"), nullable=False),
    ]
)

# What was pushed where: a row a target, month and push, written once the target has it. A month whose `mark` is that of the
# last row was not changed since. `delivery_id` is the published delivery's.
PUSHES = "raw.pushes"
PUSH_COLUMNS = pa.schema(
    [
        *SLICE_FIELDS,
        pa.field("target", pa.string(), nullable=False),
        pa.field("push_id", pa.string(), nullable=False),
        pa.field("mark", pa.string(), nullable=False),
        pa.field("load_id", pa.string()),
        pa.field("what", pa.string(), nullable=False),
        pa.field("file_format", pa.string(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("files", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("manifest_sha256", pa.string(), nullable=False),
        pa.field("pushed_at", pa.timestamp("us"), nullable=False),
    ]
)

# Names of accounts and since when they hold: made of the table above and the dbt project's seed, always as a whole.
ACCOUNT_NAMES = "marts.aws_accounts"
ACCOUNT_NAMES_COLUMNS = pa.schema(
    [
        pa.field("aws_accounts_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("account_name", pa.string()),
        pa.field("account_state", pa.string()),
        pa.field("organizational_unit", pa.string()),
        pa.field("organizational_unit_path", pa.string()),
        pa.field("organizational_unit_id", pa.string()),
        pa.field("organizational_unit_id_path", pa.string()),
        pa.field("tags", pa.string()),
        pa.field("organization_id", pa.string()),
        pa.field("management_account_id", pa.string()),
        pa.field("joined_at", pa.timestamp("us")),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("valid_from", pa.date32(), nullable=False),
        pa.field("valid_to", pa.date32(), nullable=False),
        pa.field("is_current", pa.bool_(), nullable=False),
        pa.field("seen_at", pa.timestamp("us")),
    ]
)

# How far each source's days were known after 0, 1, 2 … days: measured from the ledger of changes, always as a whole.
SETTLING = "marts.settling"
SETTLING_COLUMNS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("currency_code", pa.string()),
        pa.field("days_after", pa.int64(), nullable=False),
        pa.field("days", pa.int64(), nullable=False),
        pa.field("known_cost", MONEY, nullable=False),
        pa.field("final_cost", MONEY, nullable=False),
        pa.field("median_growth", MONEY, nullable=False),
        pa.field("usual_growth", MONEY, nullable=False),
        pa.field("is_settled", pa.bool_(), nullable=False),
    ]
)

# What lies ahead of the published summaries: forecasts, anomalies and budgets, each always as a whole.
FORECAST = "marts.forecast"
FORECAST_COLUMNS = pa.schema(
    [
        pa.field("forecast_id", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("settled_until", pa.date32(), nullable=False),
        pa.field("decided_by", pa.string(), nullable=False),
        pa.field("settled_cost", MONEY, nullable=False),
        pa.field("forecast_cost", MONEY),
        pa.field("low", MONEY),
        pa.field("high", MONEY),
        pa.field("mean_error_percent", MONEY),
        pa.field("coverage", MONEY),
        pa.field("windows", pa.int64(), nullable=False),
        pa.field("looked_on", pa.date32(), nullable=False),
    ]
)
ANOMALIES = "marts.anomalies"
ANOMALY_COLUMNS = pa.schema(
    [
        pa.field("anomalies_id", pa.string(), nullable=False),
        pa.field("dimension", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("first_day", pa.date32(), nullable=False),
        pa.field("last_day", pa.date32(), nullable=False),
        pa.field("cost", MONEY, nullable=False),
        pa.field("expected_cost", MONEY, nullable=False),
        pa.field("impact", MONEY, nullable=False),
        pa.field("is_open", pa.bool_(), nullable=False),
        pa.field("is_recent", pa.bool_(), nullable=False),
        pa.field("contributors", pa.string(), nullable=False),
        pa.field("settled_until", pa.date32(), nullable=False),
    ]
)
BUDGETS = "marts.budgets"
BUDGET_COLUMNS = pa.schema(
    [
        pa.field("budgets_id", pa.string(), nullable=False),
        pa.field("budget", pa.string(), nullable=False),
        pa.field("period", pa.string(), nullable=False),
        pa.field("period_begin", pa.date32(), nullable=False),
        pa.field("period_end", pa.date32(), nullable=False),
        pa.field("currency_code", pa.string(), nullable=False),
        pa.field("amount", MONEY, nullable=False),
        pa.field("spent", MONEY, nullable=False),
        pa.field("used_percent", MONEY, nullable=False),
        pa.field("forecast_cost", MONEY),
        pa.field("state", pa.string(), nullable=False),
        pa.field("exceeded_on", pa.date32()),
        pa.field("settled_until", pa.date32(), nullable=False),
        pa.field("severity", pa.string(), nullable=False),
    ]
)

# What each delivery changed in the daily summaries. Its model reads what is published of it, so it is there before any build.
COST_CHANGES = "marts.cost_changes"
COST_CHANGE_COLUMNS = pa.schema(
    [
        pa.field("cost_changes_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("billing_period", pa.date32()),
        pa.field("usage_date", pa.date32()),
        pa.field("account_id", pa.string()),
        pa.field("service", pa.string()),
        pa.field("line_item_type", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("delivery_id", pa.string()),
        pa.field("previous_delivery_id", pa.string()),
        pa.field("changed_at", pa.timestamp("us")),
        pa.field("billed_cost", MONEY),
        pa.field("effective_cost", MONEY),
        pa.field("line_item_count", pa.int64()),
    ]
)


# The published costs shared out among teams and products by allocations.yaml: a slice at a time, from the daily summaries.
ALLOCATED_COSTS = "marts.allocated_costs"
ALLOCATED_COST_COLUMNS = pa.schema(
    [
        pa.field("allocated_costs_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("provider", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("usage_date", pa.date32(), nullable=False),
        pa.field("account_id", pa.string()),
        pa.field("service", pa.string()),
        pa.field("region", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("team", pa.string(), nullable=False),
        pa.field("product", pa.string()),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("share", MONEY, nullable=False),
        pa.field("billed_cost", MONEY, nullable=False),
        pa.field("effective_cost", MONEY, nullable=False),
        pa.field("line_item_count", pa.int64(), nullable=False),
        pa.field("rules_valid_from", pa.date32(), nullable=False),
        pa.field("rules_id", pa.string(), nullable=False),
    ]
)


# What ran on the nodes and volumes of a bill: their costs once more, by namespace and controller. Never added to the bill.
CLUSTER_COSTS = "marts.cluster_costs"
CLUSTER_COST_COLUMNS = pa.schema(
    [
        pa.field("cluster_costs_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("usage_date", pa.date32(), nullable=False),
        pa.field("account_id", pa.string()),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("namespace", pa.string(), nullable=False),
        pa.field("controller_kind", pa.string()),
        pa.field("controller", pa.string()),
        pa.field("pod", pa.string()),
        pa.field("labels", pa.string(), nullable=False),
        pa.field("resource_id", pa.string(), nullable=False),
        pa.field("currency_code", pa.string()),
        pa.field("basis", pa.string(), nullable=False),
        pa.field("cost", MONEY, nullable=False),
        pa.field("weight_source", pa.string(), nullable=False),
        pa.field("line_item_count", pa.int64(), nullable=False),
    ]
)


def raw_tables() -> dict[str, pa.Schema]:
    """Every raw table and its columns."""
    return {
        **{name: item.schema for name, item in FORMATS.items()},
        "raw.receipts": RECEIPTS,
        "raw.control_totals": CONTROL_TOTALS,
        "raw.files": FILES,
        AWS_ACCOUNTS: ACCOUNT_CHANGES,
        INVOICES: INVOICE_COLUMNS,
        CLOSINGS: CLOSING_COLUMNS,
        LATE_CORRECTIONS: LATE_CORRECTION_COLUMNS,
        PUSHES: PUSH_COLUMNS,
    }


def dimensions() -> dict[str, pa.Schema]:
    """Tables that have no months, and are there, empty, before anything is known: joining them always works."""
    return {ACCOUNT_NAMES: ACCOUNT_NAMES_COLUMNS, **measured_marts()}


def measured_marts() -> dict[str, pa.Schema]:
    """Those of them that no model makes: what Python works out of the published summaries."""
    return {
        SETTLING: SETTLING_COLUMNS,
        FORECAST: FORECAST_COLUMNS,
        ANOMALIES: ANOMALY_COLUMNS,
        BUDGETS: BUDGET_COLUMNS,
    }


def shared_marts() -> dict[str, pa.Schema]:
    """Marts that Python makes of the published summaries, slice by slice."""
    return {ALLOCATED_COSTS: ALLOCATED_COST_COLUMNS, CLUSTER_COSTS: CLUSTER_COST_COLUMNS}


def read_marts() -> dict[str, pa.Schema]:
    """Marts whose models read what is published of them: they are there, empty, before the first build."""
    return {COST_CHANGES: COST_CHANGE_COLUMNS}


ADDING_TABLES = tuple(name for name, item in FORMATS.items() if item.adds_up)
"""The raw tables whose slices are fed by many loads, each of which may touch several months."""
