"""Every delivered column has a place, and no two share one."""

from __future__ import annotations

import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.header import Target, assign, snake
from cost_lakehouse.formats.table_format import AWS_CUR

MUST = [
    "bill/PayerAccountId",
    "lineItem/LineItemType",
    "lineItem/UsageStartDate",
    "lineItem/CurrencyCode",
    "lineItem/UnblendedCost",
]


def places(*header: str) -> list[tuple[str, str | None]]:
    return [(candidate.column, candidate.key) for candidate in AWS_CUR.targets_of([*MUST, *header], "f")[len(MUST) :]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lineItem/UsageAmount", "line_item_usage_amount"),
        ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
        ("user:Cost Center", "user_cost_center"),
        ("__x--Y", "x_y"),
    ],
)
def test_names_take_aws_s_snake_form(name: str, expected: str) -> None:
    assert snake(name) == expected


def test_slash_and_snake_case_headers_have_the_same_places() -> None:
    slash = places(
        "product/ProductName", "product/region", "product/instanceType", "reservation/ReservationARN", "discount/EdpDiscount"
    )
    snake_case = places(
        "product_product_name",
        "product_region",
        "product_instance_type",
        "reservation_reservation_a_r_n",
        "discount_edp_discount",
    )
    assert (
        slash
        == snake_case
        == [
            ("product", "product_name"),
            ("product", "region"),
            ("product_instance_type", None),
            ("reservation_reservation_a_r_n", None),
            ("discount", "edp_discount"),
        ]
    )


def test_both_spellings_of_arn_and_sku_are_understood() -> None:
    assert places("savings_plan_savings_plan_arn", "product/instanceSKU") == [
        ("savings_plan_savings_plan_a_r_n", None),
        ("product_instancesku", None),
    ]


def test_tag_and_cost_category_keys_stay_as_delivered() -> None:
    assert places(
        "resourceTags/user:CostCenter", "resourceTags/aws:createdBy", "costCategory/Business Unit", "resource_tags_user_env"
    ) == [
        ("resource_tags", "user:CostCenter"),
        ("resource_tags", "aws:createdBy"),
        ("cost_category", "Business Unit"),
        ("resource_tags", "user_env"),
    ]


def test_a_column_that_nobody_knows_is_kept_in_other() -> None:
    assert places("lineItem/SomethingNew", "year") == [("other", "lineItem/SomethingNew"), ("other", "year")]


def test_columns_of_one_tag_share_its_place_and_those_of_one_amount_fill_it() -> None:
    header = ["resourceTags/user:a", "resourceTags/user:a", "lineItem/UnblendedCost", "lineitem/unblendedcost"]
    assert assign(header, AWS_CUR.place) == [
        Target("resourceTags/user:a", "resource_tags", "map", "user:a"),
        Target("resourceTags/user:a", "resource_tags", "map", "user:a"),
        Target("lineItem/UnblendedCost", "line_item_unblended_cost", "decimal"),
        Target("lineitem/unblendedcost", "other", "map", "lineitem/unblendedcost", "line_item_unblended_cost"),
    ]


def test_money_and_dates_are_typed_and_rates_stay_text() -> None:
    targets = AWS_CUR.targets_of([*MUST, "lineItem/UnblendedRate"], "f")
    assert targets[2] == Target("lineItem/UsageStartDate", "line_item_usage_start_date", "timestamp")
    assert [target.kind for target in targets[3:]] == ["text", "decimal", "text"]


def test_a_file_that_is_no_bill_is_named_with_what_it_lacks() -> None:
    with pytest.raises(DeliveryFailed, match="x.csv is no Cost and Usage Report: its header lacks bill_payer_account_id"):
        AWS_CUR.targets_of(["a", "lineItem/UnblendedCost"], "x.csv")
