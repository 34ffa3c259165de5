"""What Parquet holds is read whatever its type, or refused with its record and column; nothing of it can spoil a table."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.formats.table_format import AWS_CUR, FOCUS, TableFormat
from tests.formats.loading import Loaded, load

OCTOBER = date(2026, 10, 1)
AWS: dict[str, pa.Array] = {
    "bill_payer_account_id": pa.array(["012345678901", "012345678901"]),
    "line_item_line_item_type": pa.array(["Usage", "Usage"]),
    "line_item_usage_start_date": pa.array([datetime(2026, 10, 5)] * 2, pa.timestamp("ms")),
    "line_item_currency_code": pa.array(["USD", "USD"]),
    "line_item_unblended_cost": pa.array([0.1, 0.25]),
}
CHARGE: dict[str, pa.Array] = {
    "BilledCost": pa.array([1.0]),
    "EffectiveCost": pa.array([1.0]),
    "BillingCurrency": pa.array(["USD"]),
    "BillingAccountId": pa.array(["a"]),
    "ChargePeriodStart": pa.array([datetime(2026, 10, 5)]),
    "ProviderName": pa.array(["AWS"]),
}


def loaded(folder: Path, table: TableFormat = AWS_CUR, options: dict[str, Any] | None = None, **columns: pa.Array) -> Loaded:
    stream = io.BytesIO()
    base = AWS if table is AWS_CUR else CHARGE
    pq.write_table(pa.table({**base, **columns}), stream, **(options or {}))
    return load(folder, table, stream.getvalue(), suffix=".parquet", month=OCTOBER if table is AWS_CUR else None)


def refusal(result: Loaded) -> tuple[int, str, str, str]:
    (rejected,) = result.files.rejected
    return rejected.record, rejected.column, rejected.value, rejected.reason


NOT_UTF8 = pa.array([b"fine", b"caf\xe9"], pa.binary())


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (NOT_UTF8, "bill_invoice_id"),
        (NOT_UTF8.view(pa.string()), "line_item_line_item_description"),
        (NOT_UTF8.view(pa.string()), "resource_tags_user_env"),
        (NOT_UTF8.view(pa.string()).dictionary_encode(), "line_item_operation"),
        (NOT_UTF8.view(pa.string()), "something_new"),
    ],
    ids=["bytes", "text", "tag", "codes", "unknown"],
)
def test_text_that_is_not_utf8_is_refused_by_its_record(column: pa.Array, name: str, tmp_path: Path) -> None:
    assert refusal(loaded(tmp_path, **{name: column})) == (2, name, "caf\\xe9", "is not UTF-8 text")


@pytest.mark.parametrize("side", ["key", "value"])
def test_text_in_a_map_that_is_not_utf8_is_refused_by_its_record(side: str, tmp_path: Path) -> None:
    keys, values = (NOT_UTF8, pa.array([b"1", b"2"])) if side == "key" else (pa.array([b"1", b"2"]), NOT_UTF8)
    maps = pa.MapArray.from_arrays(pa.array([0, 1, 2], pa.int32()), keys.view(pa.string()), values.view(pa.string()))
    assert refusal(loaded(tmp_path, resource_tags=maps)) == (2, "resource_tags", "caf\\xe9", "is not UTF-8 text")


@pytest.mark.parametrize(
    "numbers",
    [pa.array([12345678901, 1]), pa.array([12345678901.0, 1.0]), pa.array([Decimal("12345678901.00"), Decimal(1)])],
    ids=["whole", "double", "decimal"],
)
def test_an_aws_account_id_that_is_a_number_gets_its_zeros_back(numbers: pa.Array, tmp_path: Path) -> None:
    result = loaded(tmp_path, line_item_usage_account_id=numbers, bill_invoice_id=numbers)
    assert result.rows("line_item_usage_account_id", "bill_invoice_id") == [
        ("012345678901", "12345678901"),
        ("000000000001", "1"),
    ]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (pa.array([1, 1234567890123]), "1234567890123", "is no AWS account id: they have 12 digits"),
        (pa.array([1, -5]), "-5", "is no AWS account id: they have 12 digits"),
        (pa.array([1.0, 1.5]), "1.5", "is no id: it is a number with a fraction"),
        (pa.array([1.0, float("nan")]), "nan", "is a floating-point number that has no value"),
        (
            pa.array([1.0, 2.0**25], pa.float32()),
            "3.3554432e+07",
            "is an id as a floating-point number that is too short for its digits",
        ),
    ],
    ids=["long", "negative", "fraction", "nan", "single"],
)
def test_a_number_that_can_be_no_account_id_is_refused(column: pa.Array, value: str, reason: str, tmp_path: Path) -> None:
    assert refusal(loaded(tmp_path, line_item_usage_account_id=column)) == (2, "line_item_usage_account_id", value, reason)


@pytest.mark.parametrize(("provider", "stored"), [("AWS", "000000000042"), ("Microsoft", "42")])
def test_of_focus_only_account_ids_of_aws_have_twelve_digits(provider: str, stored: str, tmp_path: Path) -> None:
    columns = {"SubAccountId": pa.array([42]), "ProviderName": pa.array([provider])}
    assert loaded(tmp_path, FOCUS, **columns).row("sub_account_id") == (stored,)


def test_without_a_provider_nobody_knows_the_zeros_of_an_account_id(tmp_path: Path) -> None:
    result = loaded(tmp_path, FOCUS, SubAccountId=pa.array([42]), ProviderName=pa.array([None], pa.string()))
    reason = "is an account id as a number: whether it lost zeros in front cannot be known"
    assert refusal(result) == (1, "SubAccountId", "42", reason)


def test_a_column_of_a_type_that_says_nothing_is_refused(tmp_path: Path) -> None:
    assert refusal(loaded(tmp_path, line_item_unblended_cost=pa.array([None, True]))) == (
        *(2, "line_item_unblended_cost", "True"),
        "is no number: the column's type is bool",
    )
    assert refusal(loaded(tmp_path, line_item_usage_start_date=pa.array([20261005, None]))) == (
        *(1, "line_item_usage_start_date", "20261005"),
        "is no moment: the column's type is int64",
    )
    assert refusal(loaded(tmp_path, resource_tags=pa.array([None, 7]))) == (
        *(2, "resource_tags", "7"),
        "is no map: the column's type is int64",
    )


def test_a_moment_beyond_the_calendar_is_refused(tmp_path: Path) -> None:
    far = pa.array([0, 253402300800], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("ms"))
    assert refusal(loaded(tmp_path, line_item_usage_end_date=far)) == (
        *(2, "line_item_usage_end_date", "253402300800000 ms"),
        "is no moment of the years 1 to 9999",
    )


def test_a_map_with_a_key_twice_keeps_the_first_value_and_the_other_beside_it(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.string())
    maps = pa.array([[("a", "1"), ("a", "2"), ("b", "")], [("a", ""), ("a", "3"), ("a", "3")]], kind)
    result = loaded(tmp_path, resource_tags=maps)
    assert result.rows("resource_tags", "other", "findings") == [
        (
            {"a": "1", "b": ""},
            {"resource_tags/a (another value)": "2"},
            {"label given twice with different values": "resource_tags/a"},
        ),
        ({"a": "3"}, None, None),
    ]


@pytest.mark.parametrize(
    ("column", "tags"),
    [
        (pa.array([[("n", [1, 2])], None], pa.map_(pa.string(), pa.list_(pa.int64()))), {"n": "[1, 2]"}),
        (pa.array([[("n", 1.5)], None], pa.map_(pa.string(), pa.float64())), {"n": "1.5"}),
        (pa.array([[("n", b"x")], None], pa.map_(pa.string(), pa.binary())), {"n": "x"}),
        (pa.array([[(7, True)], None], pa.map_(pa.int64(), pa.bool_())), {"7": "true"}),
        (pa.array([{"env": "prod", "team": None}, None]), {"env": "prod"}),
        (pa.array([[{"Key": "env", "Value": "prod"}], None]), {"env": "prod"}),
    ],
    ids=["lists", "doubles", "bytes", "flags", "struct", "entries"],
)
def test_maps_of_other_types_become_maps_of_text(column: pa.Array, tags: dict[str, str], tmp_path: Path) -> None:
    assert loaded(tmp_path, resource_tags=column).rows("resource_tags", "findings") == [(tags, None), (None, None)]


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_text_in_delta_encodings_is_read(encoding: str, tmp_path: Path) -> None:
    options = {"use_dictionary": False, "column_encoding": {"line_item_resource_id": encoding}}
    result = loaded(tmp_path, AWS_CUR, options, line_item_resource_id=pa.array(["i-1", "i-2"]))
    assert result.rows("line_item_resource_id", "line_item_unblended_cost") == [
        ("i-1", Decimal("0.1")),
        ("i-2", Decimal("0.25")),
    ]


def test_bytes_without_a_note_that_they_are_text_are_text(tmp_path: Path) -> None:
    names = ("bill_payer_account_id", "line_item_line_item_type", "line_item_currency_code")
    result = loaded(tmp_path, **{name: AWS[name].cast(pa.binary()) for name in names})
    assert result.rows(*names, "line_item_unblended_cost") == [
        ("012345678901", "Usage", "USD", Decimal("0.1")),
        ("012345678901", "Usage", "USD", Decimal("0.25")),
    ]
