"""Labels are read in every spelling that providers use; what cannot be read is kept, and is a finding."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.formats.labels import read_labels, without_repeats
from cost_lakehouse.formats.table_format import AWS_CUR
from tests.formats.loading import load, packed
from tests.formats.test_parquet_entrance import AWS, OCTOBER, loaded

CSV = {
    "bill/PayerAccountId": "111111111111",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-10-05T10:00:00Z",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "1",
}
TEXTS = pa.map_(pa.string(), pa.string())


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('{"env": "prod", "n": 1.50, "t": true, "x": null}', {"env": "prod", "n": "1.50", "t": "true", "x": None}),
        ('"env": "prod","team": "red"', {"env": "prod", "team": "red"}),
        ('"env":"prod",', {"env": "prod"}),
        ('[{"key": "env", "value": "prod"}, {"key": "empty", "value": null}]', {"env": "prod", "empty": None}),
        ('[{"Key": "env", "Value": "prod"}]', {"env": "prod"}),
        ('[{"env": "prod"}, {"team": "red"}]', {"env": "prod", "team": "red"}),
        ('[["env", "prod"]]', {"env": "prod"}),
        ('"{\\"env\\": \\"prod\\"}"', {"env": "prod"}),
        ("{'env': 'prod', 'n': 1}", {"env": "prod", "n": "1"}),
        ("{env=prod, team=red}", {"env": "prod", "team": "red"}),
        ("null", {}),
        ("[]", {}),
    ],
)
def test_every_spelling_of_labels_is_read(text: str, labels: dict[str, str | None]) -> None:
    found = read_labels(text)
    assert found is not None
    assert (dict(found.pairs), found.whole) == (labels, True)


@pytest.mark.parametrize("text", ["no json", '{"a": "1"', "7", "true", '["a"]', '"env"', "{env=a=b}", "[" * 5000, "NaN"])
def test_what_says_no_labels_is_not_read(text: str) -> None:
    assert read_labels(text) is None


def test_of_a_key_twice_the_first_value_that_is_not_empty_counts() -> None:
    found = read_labels('{"a": "", "a": "1", "a": "2", "b": "x", "b": "x"}')
    assert found is not None
    once = without_repeats(found)
    assert (dict(once.pairs), once.whole) == ({"a": "1", "b": "x"}, False)


def test_half_a_character_is_no_label() -> None:
    found = read_labels('{"a": "\\ud800", "b": "1"}')
    assert found is not None
    once = without_repeats(found)
    assert (dict(once.pairs), once.whole) == ({"b": "1"}, False)


def test_cur_2_0_s_tags_fill_resource_tags_and_cost_categories(tmp_path: Path) -> None:
    """A resource tag has AWS's prefix of who set it, as everywhere else, so that marts show one key."""
    entries = [
        ("resourceTags/Cost Center", "42"),
        ("resourceTags/aws:createdBy", "ada"),
        ("resourceTags/user:Name", "web"),
        ("costCategory/Team", "red"),
        ("accountTag/unit", "shop"),
        ("userAttribute/dept", "it"),
        ("iamPrincipal/team", "ml"),
    ]
    result = loaded(tmp_path, tags=pa.array([entries, []], TEXTS))
    assert result.rows("resource_tags", "cost_category", "tags", "other", "findings") == [
        (
            {"user:Cost Center": "42", "aws:createdBy": "ada", "user:Name": "web"},
            {"Team": "red"},
            dict(entries),
            None,
            None,
        ),
        (None, None, None, None, None),
    ]


def test_cur_2_0_s_tags_beside_the_maps_that_they_replace(tmp_path: Path) -> None:
    """Where both say the same, it is there once; where they differ, both are there, and that is a finding."""
    result = loaded(
        tmp_path,
        resource_tags=pa.array([[("user_cost_center", "42")], [("user_cost_center", "42")]], TEXTS),
        tags=pa.array([[("resourceTags/CostCenter", "42")], [("resourceTags/CostCenter", "43")]], TEXTS),
    )
    assert result.rows("resource_tags", "findings") == [
        ({"user_cost_center": "42"}, None),
        (
            {"user_cost_center": "42", "user:CostCenter": "43"},
            {"label given twice with different values": "resource_tags/user:CostCenter"},
        ),
    ]


def test_cur_2_0_s_tags_in_csv_are_json(tmp_path: Path) -> None:
    stream = packed([CSV | {"tags": '{"resourceTags/env": "prod", "costCategory/team": "red"}', "accountTag/unit": "shop"}])
    result = load(tmp_path, AWS_CUR, stream, month=date(2026, 10, 1))
    assert result.row("resource_tags", "cost_category", "tags") == (
        {"user:env": "prod"},
        {"team": "red"},
        {"resourceTags/env": "prod", "costCategory/team": "red", "accountTag/unit": "shop"},
    )


def test_a_tag_column_twice_is_filled_from_both(tmp_path: Path) -> None:
    rows = ["A,,1", ",B,2", "A,A,3", "A,B,4"]
    header = ",".join([*CSV, "resourceTags/user:Name", "resourceTags/user:Name", "lineItem/UsageAmount"])
    body = "\n".join([header, *(",".join([*CSV.values(), row]) for row in rows)])
    result = load(tmp_path, AWS_CUR, body.encode(), suffix=".csv", month=OCTOBER)
    assert result.rows("resource_tags", "other", "findings") == [
        ({"user:Name": "A"}, None, None),
        ({"user:Name": "B"}, None, None),
        ({"user:Name": "A"}, None, None),
        (
            {"user:Name": "A"},
            {"resourceTags/user:Name (another value)": "B"},
            {"label given twice with different values": "resourceTags/user:Name"},
        ),
    ]


def test_a_map_and_columns_of_its_entries_come_together(tmp_path: Path) -> None:
    stream = io.BytesIO()
    extra = {
        "resource_tags": pa.array([[("user_a", "1")], None], TEXTS),
        "resource_tags_user_b": pa.array(["2", "3"]),
    }
    pq.write_table(pa.table({**AWS, **extra}), stream)
    result = load(tmp_path, AWS_CUR, stream.getvalue(), suffix=".parquet", month=OCTOBER)
    assert result.rows("resource_tags", "other") == [({"user_a": "1", "user_b": "2"}, None), ({"user_b": "3"}, None)]
