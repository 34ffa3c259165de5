"""The same rows in every physical form that pyarrow writes give the same slice, or a refusal that says where."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.formats.table_format import AWS_CUR
from tests.formats.loading import Loaded, load

ROWS = 40
STARTS = [datetime(2026, 10, 1) + timedelta(hours=row) for row in range(ROWS)]
COSTS = [Decimal(row) / 8 - 2 for row in range(ROWS)]  # eighths: every floating-point type holds them
TAGS = [None if row % 5 == 0 else [("user_env", "prod"), ("user_näme", f"é{row % 3}")] for row in range(ROWS)]
TEXT = [None if row % 7 == 0 else f"Zürich {row % 4}" for row in range(ROWS)]
INVOICES = [None if row % 2 else 110000000000 + row % 3 for row in range(ROWS)]
ACCOUNT = 12345678901  # 012345678901
COLUMNS = (
    *("bill_payer_account_id", "bill_invoice_id", "line_item_line_item_type", "line_item_usage_start_date"),
    *("line_item_currency_code", "line_item_unblended_cost", "line_item_usage_account_id", "line_item_line_item_description"),
    *("resource_tags", "other", "findings"),
)
EXPECTED = [
    (
        "012345678901",
        None if invoice is None else str(invoice),
        "Usage",
        start,
        "USD",
        cost,
        "000000000042",
        text,
        None if tags is None else dict(tags),
        None,
        None,
    )
    for invoice, start, cost, text, tags in zip(INVOICES, STARTS, COSTS, TEXT, TAGS, strict=True)
]

Form = Callable[[list[Any]], pa.Array]


def bytes_of(values: list[Any]) -> list[bytes | None]:
    return [None if value is None else str(value).encode() for value in values]


def of_width(values: list[Any]) -> pa.Array:
    """Bytes of a fixed width, filled up with zeros."""
    width = max(len(value) for value in bytes_of(values) if value is not None)
    return pa.array([value and value.ljust(width, b"\0") for value in bytes_of(values)], pa.binary(width))


def texts(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in values], kind)


TEXT_FORMS: dict[str, Form] = {
    "string": lambda values: texts(values, pa.string()),
    "large_string": lambda values: texts(values, pa.large_string()),
    "string_view": lambda values: texts(values, pa.string_view()),
    "binary": lambda values: pa.array(bytes_of(values), pa.binary()),
    "large_binary": lambda values: pa.array(bytes_of(values), pa.large_binary()),
    "binary_view": lambda values: pa.array(bytes_of(values), pa.binary_view()),
    "fixed": of_width,
    "codes": lambda values: texts(values, pa.string()).dictionary_encode(),
    "short codes": lambda values: texts(values, pa.string()).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
    "codes of bytes": lambda values: pa.array(bytes_of(values), pa.binary()).dictionary_encode(),
}
NUMBER_FORMS: dict[str, Form] = {
    "int64": lambda values: pa.array(values, pa.int64()),
    "uint64": lambda values: pa.array(values, pa.uint64()),
    "double": lambda values: pa.array([None if value is None else float(value) for value in values], pa.float64()),
    "decimal": lambda values: pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(20, 2)),
    "codes of numbers": lambda values: pa.array(values, pa.int64()).dictionary_encode(),
}
COST_FORMS: dict[str, Form] = TEXT_FORMS | {
    "double": lambda values: pa.array([float(value) for value in values], pa.float64()),
    "float": lambda values: pa.array([float(value) for value in values], pa.float32()),
    "half": lambda values: pa.array([float(value) for value in values], pa.float16()),
    "decimal32": lambda values: pa.array(values, pa.decimal32(9, 3)),
    "decimal64": lambda values: pa.array(values, pa.decimal64(18, 9)),
    "decimal128": lambda values: pa.array(values, pa.decimal128(38, 20)),
    "decimal256": lambda values: pa.array(values, pa.decimal256(60, 25)),
}


def moments(unit: str, zone: str | None = None) -> Form:
    return lambda values: pa.array([value.replace(tzinfo=UTC) if zone else value for value in values], pa.timestamp(unit, zone))


MOMENT_FORMS: dict[str, Form] = {
    **{f"{unit} {zone}": moments(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")},
    "text": lambda values: pa.array([f"{value.isoformat()}Z" for value in values]),
    "bytes": lambda values: pa.array([f"{value:%Y-%m-%d %H:%M:%S}".encode() for value in values], pa.binary()),
    "codes": lambda values: pa.array([value.isoformat() for value in values]).dictionary_encode(),
}
ENTRY = pa.struct([("key", pa.string()), ("value", pa.string())])


def entries(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array([value and [{"key": key, "value": item} for key, item in value] for value in values], kind)


MAP_FORMS: dict[str, Form] = {
    "map": lambda values: pa.array(values, pa.map_(pa.string(), pa.string())),
    "large map": lambda values: pa.array(values, pa.map_(pa.large_string(), pa.large_string())),
    "map of bytes": lambda values: pa.array(
        [value and [(key.encode(), item.encode()) for key, item in value] for value in values],
        pa.map_(pa.binary(), pa.binary()),
    ),
    "list": lambda values: entries(values, pa.list_(ENTRY)),
    "large list": lambda values: entries(values, pa.large_list(ENTRY)),
    "struct": lambda values: pa.array([value and dict(value) for value in values]),
    "json": lambda values: pa.array(
        [value and "{" + ", ".join(f'"{key}": "{item}"' for key, item in value) + "}" for value in values]
    ),
}

ENCODINGS = {
    "string": ("PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"),
    "fixed": ("PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"),
    "int": ("PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"),
    "float": ("PLAIN", "BYTE_STREAM_SPLIT"),
}


def encoding_of(kind: pa.DataType, chance: random.Random) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_float16(kind) or pa.types.is_decimal(kind):
        return chance.choice(ENCODINGS["fixed"][::2])
    if pa.types.is_floating(kind):
        return chance.choice(ENCODINGS["float"])
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        return chance.choice(ENCODINGS["int"])
    return chance.choice(ENCODINGS["string"])


def columns(chance: random.Random) -> dict[str, pa.Array]:
    """The rows, each column in a form by chance."""

    def form(forms: dict[str, Form], values: list[Any]) -> pa.Array:
        return forms[chance.choice(sorted(forms))](values)

    return {
        "bill_payer_account_id": chance.choice(
            [form(TEXT_FORMS, [f"{ACCOUNT:012}"] * ROWS), form(NUMBER_FORMS, [ACCOUNT] * ROWS)]
        ),
        "bill_invoice_id": form(TEXT_FORMS | NUMBER_FORMS, INVOICES),
        "line_item_line_item_type": form(TEXT_FORMS, ["Usage"] * ROWS),
        "line_item_usage_start_date": form(MOMENT_FORMS, STARTS),
        "line_item_currency_code": form(TEXT_FORMS, ["USD"] * ROWS),
        "line_item_unblended_cost": form(COST_FORMS, COSTS),
        "line_item_usage_account_id": form(NUMBER_FORMS, [42] * ROWS),
        "line_item_line_item_description": form(TEXT_FORMS, TEXT),
        "resource_tags": form(MAP_FORMS, TAGS),
    }


def written(table: pa.Table, chance: random.Random) -> bytes:
    """A file of the table, in a layout by chance."""
    options: dict[str, Any] = {
        "version": chance.choice(["1.0", "2.4", "2.6"]),
        "data_page_version": chance.choice(["1.0", "2.0"]),
        "row_group_size": chance.choice([7, ROWS, 1000]),
        "compression": chance.choice(["none", "snappy", "gzip", "zstd"]),
        "write_statistics": chance.random() < 0.5,
        "store_schema": chance.random() < 0.7,
        "data_page_size": chance.choice([64, 1 << 20]),
        "use_dictionary": chance.random() < 0.4,
    }
    if not options["use_dictionary"] and chance.random() < 0.8:
        flat = [field for field in table.schema if not pa.types.is_nested(field.type)]
        options["column_encoding"] = {field.name: encoding_of(field.type, chance) for field in flat}
        options["column_encoding"] |= {
            f"resource_tags.key_value.{side}": chance.choice(ENCODINGS["string"])
            for side in ("key", "value")
            if pa.types.is_map(table.schema.field("resource_tags").type)
        }
    if chance.random() < 0.2 and table.schema.field("line_item_usage_start_date").type == pa.timestamp("ns"):
        options["use_deprecated_int96_timestamps"] = True
        options.get("column_encoding", {}).pop("line_item_usage_start_date", None)
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def forms(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Files by chance; a combination that pyarrow itself cannot write is left out."""
    for number in range(count):
        chance = random.Random(seed * 1000 + number)
        table = pa.table(columns(chance))
        try:
            yield f"{seed}/{number} {table.schema.types}", written(table, chance)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError):
            continue


def loaded(folder: Path, data: bytes) -> Loaded:
    return load(folder, AWS_CUR, data, suffix=".parquet", month=date(2026, 10, 1))


@pytest.mark.parametrize("seed", range(4))
def test_every_form_of_the_same_rows_gives_the_same_slice(seed: int, tmp_path: Path) -> None:
    done = 0
    for number, (label, data) in enumerate(forms(seed, 30)):
        result = loaded(tmp_path / str(number), data)
        assert result.files.rejected == [], label
        assert result.rows(*COLUMNS) == EXPECTED, label
        done += 1
    assert done >= 20
