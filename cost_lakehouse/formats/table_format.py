"""A raw table and the kind of bill that fills it; the tables are AWS's bills, OCI's reports, FOCUS, and others' costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.aws_header import TAGS, aws_place, resource_tag_key
from cost_lakehouse.formats.duckdb_paths import parquet_rows
from cost_lakehouse.formats.header import FINDINGS, OTHER, Place, Target, assign
from cost_lakehouse.formats.named_header import named_place
from cost_lakehouse.formats.raw_schema import MONEY_SCALE, ORIGIN_FIELDS, SLICE_FIELDS, TEXT_MAP, Column, read_columns
from cost_lakehouse.formats.wrong_files import no_bill

# The kind of source that reads a table's files.
_KINDS = {
    "raw.aws_cur": "aws_data_export (an export of CUR 2.0) or aws_cur",
    "raw.oci_cost": "oci_cost_reports",
    "raw.oci_usage": "oci_cost_reports",
    "raw.focus": "focus",
    "raw.lakehouse_costs": "lakehouse",
}

USAGE, CORRECTION = "Usage", "Correction"


@dataclass(frozen=True)
class Spread:
    """Entries of the map ``source`` whose keys begin with ``prefix`` belong into the map ``into`` too, under another key."""

    source: str
    prefix: str
    into: str
    key: Callable[[str], str]  # of what follows the prefix


@dataclass(frozen=True, eq=False)
class TableFormat:
    """What a raw table is made of and how the bills that fill it are read.

    ``groups`` are the columns that control totals are kept by: payer, currency, kind of line item and invoice; "" is none.
    Where ``correction`` is set, the kind of line item is ``Correction`` in rows where that column says true, else ``Usage``.
    ``payer_of`` names the providers whose payer another column tells: (columns of the provider's name, its start, the column).
    """

    table: str
    title: str  # for people: what kind of file it is
    known: tuple[Column, ...]  # columns of the bill, in the table's order
    maps: tuple[str, ...]  # maps that are gathered from many delivered columns
    place: Place
    required: tuple[tuple[str, ...], ...]  # of each at least one has to be in a header, or the file is of another kind
    cost: str  # the headline amount
    groups: tuple[str, str, str, str]
    service: str | None = None  # what the receipt lists the largest of
    period: tuple[str, ...] = ()  # moments that tell a row's month, the first that it has; none: the delivery says the month
    correction: str | None = None
    local_period: tuple[str, ...] = ()  # of these, moments whose month is that of the zone they are written in
    null_text: str = ""  # text that stands for a missing value, beside the empty one
    payer_of: tuple[tuple[str, ...], str, str] | None = None
    account: str = ""  # the column of the account that used what the payer pays; "" where payers have none
    reference: tuple[str, str] | None = None  # the columns of a line's tenancy and number, where lines are numbered
    scale: int = MONEY_SCALE
    spread: tuple[Spread, ...] = ()  # labels of one map that fill others as well
    account_ids: tuple[str, ...] = ()  # AWS's account ids: 12 digits, leading zeros included
    account_ids_of: tuple[str, ...] = ()  # columns of the provider's name, which tell whose account ids are; none: AWS's

    @property
    def adds_up(self) -> bool:
        """Whether a slice's rows come from many deliveries, and what it holds is the sum of all; else it is one delivery."""
        return bool(self.period)

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Column -> text, decimal, timestamp or map, in the table's order."""
        return {**{column.name: column.kind for column in self.known}, **dict.fromkeys(self.maps, "map")}

    @cached_property
    def codes(self) -> frozenset[str]:
        """Columns of codes and ids, of which a blank says nothing."""
        return frozenset(column.name for column in self.known if column.is_code)

    @cached_property
    def schema(self) -> pa.Schema:
        """One row a line item, every delivered column kept (unknown ones in ``other``)."""
        fields = {column.name: pa.field(column.name, column.type(self.scale)) for column in self.known}
        gathered = [pa.field(name, TEXT_MAP) for name in self.maps if name not in fields]
        return pa.schema([*SLICE_FIELDS, *ORIGIN_FIELDS, *fields.values(), *gathered])

    @cached_property
    def metrics(self) -> list[str]:
        """Every column of numbers that are summed: money and quantities."""
        return [column.name for column in self.known if column.kind == "decimal"]

    def targets_of(self, header: Sequence[str], file: str) -> list[Target]:
        """One target a delivered column, in the header's order; no column is left out, no two share a place.

        Raises DeliveryFailed where the file is of another kind, with what it lacks and what it looks like.
        """
        targets = assign(header, self.place)
        missing = self.missing(targets)
        if missing:
            likely = [value for value in FORMATS.values() if not value.missing(assign(header, value.place))]
            looks, fix = no_bill(header) or ("", "Check that the source's location and kind fit what is delivered there.")
            if likely:
                looks, kind = likely[0].title, _KINDS[likely[0].table]
                fix = f"Read it by a source of kind {kind}; location and kind must fit."
            looks = f" It looks like another kind of file: {looks}." if looks else ""
            raise DeliveryFailed(f"{file} is no {self.title}: its header lacks {', '.join(missing)}.{looks}", fix)
        return targets

    def missing(self, targets: Sequence[Target]) -> list[str]:
        """The required columns that are not there, by the names that bills know them by."""
        there = {target.column for target in targets if target.key is None}
        names = {column.name: column.delivered[0] if column.delivered else column.name for column in self.known}
        return [" or ".join(names[item] for item in entry) for entry in self.required if not there.intersection(entry)]

    def group_keys(self, arrays: Mapping[str, pa.Array], count: int) -> list[pa.Array]:
        """The four texts that control totals are kept by, of rows whose columns are ``arrays``; null stands for "" as well."""
        nothing = pa.nulls(count, pa.string())
        keys = [arrays.get(name, nothing).cast(pa.string()) for name in self.groups]
        if self.correction is not None:
            flag = pc.utf8_lower(arrays.get(self.correction, nothing).cast(pa.string()))
            keys[2] = pc.if_else(pc.fill_null(pc.equal(flag, "true"), False), CORRECTION, USAGE)
        if self.payer_of is not None:
            names, start, column = self.payer_of
            name = pc.coalesce(*(arrays.get(candidate, nothing).cast(pa.string()) for candidate in names))
            own = pc.coalesce(arrays.get(column, nothing).cast(pa.string()), keys[0])
            keys[0] = pc.if_else(pc.fill_null(pc.starts_with(pc.utf8_lower(name), start), False), own, keys[0])
        return keys

    @cached_property
    def group_sql(self) -> tuple[str, str, str, str]:
        """The same four texts as SQL on the table's own columns."""
        payer, currency, kind, invoice = (f"coalesce({name}, '')" if name else "''" for name in self.groups)
        if self.correction is not None:
            kind = f"case when lower({self.correction}) = 'true' then '{CORRECTION}' else '{USAGE}' end"
        if self.payer_of is not None:
            names, start, column = self.payer_of
            is_theirs = f"lower(coalesce({', '.join(names)})) like '{start}%'"
            payer = f"coalesce(case when {is_theirs} then {column} end, {self.groups[0]}, '')"
        return payer, currency, kind, invoice

    @cached_property
    def accounts_query(self) -> str:
        """SQL for every payer and usage account in files of the table (a parameter); a line without one is the payer's own."""
        payer = self.group_sql[0]
        account = f"coalesce({self.account}, {payer})" if self.account else payer
        return f"select distinct {payer}, {account} from {parquet_rows('?', 'union_by_name = true')}"  # noqa: S608 - columns of ours


_AWS_COLUMNS = read_columns("aws_cur_columns.csv")
AWS_CUR = TableFormat(
    table="raw.aws_cur",
    title="Cost and Usage Report",
    known=_AWS_COLUMNS,
    maps=("product", "resource_tags", "cost_category", "discount", OTHER, FINDINGS),
    place=aws_place(_AWS_COLUMNS),
    required=(
        ("bill_payer_account_id",),
        ("line_item_line_item_type",),
        ("line_item_usage_start_date",),
        ("line_item_currency_code",),
        ("line_item_unblended_cost",),
    ),
    cost="line_item_unblended_cost",
    groups=("bill_payer_account_id", "line_item_currency_code", "line_item_line_item_type", "bill_invoice_id"),
    service="line_item_product_code",
    account="line_item_usage_account_id",
    spread=(
        Spread(TAGS, "resourceTags/", "resource_tags", resource_tag_key),
        Spread(TAGS, "costCategory/", "cost_category", str),
    ),
    account_ids=("bill_payer_account_id", "line_item_usage_account_id"),
)

_OCI_TAGS = [("tags/", "tags", False)]
_OCI_COST_COLUMNS = read_columns("oci_cost_columns.csv")
OCI_COST = TableFormat(
    table="raw.oci_cost",
    title="OCI cost report",
    known=_OCI_COST_COLUMNS,
    maps=("tags", OTHER, FINDINGS),
    place=named_place(_OCI_COST_COLUMNS, _OCI_TAGS),
    required=(("line_item_tenant_id",), ("line_item_interval_usage_start",), ("cost_my_cost",), ("cost_currency_code",)),
    cost="cost_my_cost",
    groups=("line_item_tenant_id", "cost_currency_code", "", ""),
    service="product_service",
    period=("line_item_interval_usage_start",),
    correction="line_item_is_correction",
    reference=("line_item_tenant_id", "line_item_reference_no"),
)

_OCI_USAGE_COLUMNS = read_columns("oci_usage_columns.csv")
OCI_USAGE = TableFormat(
    table="raw.oci_usage",
    title="OCI usage report",
    known=_OCI_USAGE_COLUMNS,
    maps=("tags", OTHER, FINDINGS),
    place=named_place(_OCI_USAGE_COLUMNS, _OCI_TAGS),
    required=(("line_item_tenant_id",), ("line_item_interval_usage_start",), ("usage_consumed_quantity",)),
    cost="usage_billed_quantity",
    groups=("line_item_tenant_id", "", "", ""),
    period=("line_item_interval_usage_start",),
    correction="line_item_is_correction",
    reference=("line_item_tenant_id", "line_item_reference_no"),
    scale=6,  # quantities of bytes and milliseconds need room before the point
)

_FOCUS_PROVIDERS = ("service_provider_name", "provider_name", "publisher_name", "host_provider_name")
_FOCUS_COLUMNS = read_columns("focus_columns.csv")
FOCUS = TableFormat(
    table="raw.focus",
    title="FOCUS report",
    known=_FOCUS_COLUMNS,
    maps=("x_columns", OTHER, FINDINGS),
    place=named_place(_FOCUS_COLUMNS, [("x_", "x_columns", True), ("oci_", "x_columns", True)]),
    required=(
        ("billed_cost",),
        ("effective_cost",),
        ("billing_currency",),
        ("billing_account_id",),
        ("charge_period_start",),
        _FOCUS_PROVIDERS,
    ),
    cost="billed_cost",
    groups=("billing_account_id", "billing_currency", "charge_category", "invoice_id"),
    service="service_name",
    period=("billing_period_start", "charge_period_start"),
    local_period=("billing_period_start",),
    null_text="NULL",  # FOCUS forbids empty text for a missing value: writers of CSV spell NULL (the FOCUS sample data do)
    # Oracle's billing account is a subscription; its cost reports know the tenancy only, which is FOCUS's sub account.
    payer_of=(_FOCUS_PROVIDERS, "oracle", "sub_account_id"),
    account="sub_account_id",
    account_ids=("billing_account_id", "sub_account_id"),
    account_ids_of=_FOCUS_PROVIDERS,
)

_LAKEHOUSE_COLUMNS = read_columns("lakehouse_costs_columns.csv")
LAKEHOUSE = TableFormat(
    table="raw.lakehouse_costs",
    title="push of a lakehouse's daily costs",
    known=_LAKEHOUSE_COLUMNS,
    maps=(OTHER, FINDINGS),
    place=named_place(_LAKEHOUSE_COLUMNS),
    required=(("writer",), ("writer_source",), ("receipt_digest",), ("usage_date",), ("currency_code",), ("billed_cost",)),
    cost="billed_cost",
    groups=("payer_account_id", "currency_code", "provider", "invoice_ids"),
    service="service",
    account="account_id",
)

FORMATS: Mapping[str, TableFormat] = {item.table: item for item in (AWS_CUR, OCI_COST, OCI_USAGE, FOCUS, LAKEHOUSE)}
