"""Koku's cost reports: its windows, its strictness, its nesting, and numbers that add up to the bill's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.request import Condition, Granularity
from cost_lakehouse.serve.koku.kinds import KINDS, usage_of
from cost_lakehouse.serve.koku.query import AWS, Query, query_of
from cost_lakehouse.serve.koku.report import document_of, question_of, report_of, usage_question_of
from cost_lakehouse.serve.koku.windows import window_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from tests.ask.marts import asked, marts_of_lines
from tests.serve.conftest import LINES
from tests.serve.koku_documents import COSTS, SCHEMA, cost

TODAY, FIRST = date(2026, 10, 3), date(2026, 1, 1)


def query(text: str, today: date = TODAY, kind: str = "costs") -> Query:
    return query_of(parse_qsl(text, keep_blank_values=True), AWS, today, FIRST, KINDS["aws", kind])


# Account 1 is in unit b, which is in a; account 2 in a. Names of units have the ids' order.
ACCOUNTS = (
    ("1", "one", "B", "Root/A/B", None, date(1970, 1, 1), date(9999, 12, 31), "r-1/ou-a/ou-b"),
    ("2", "two", "A", "Root/A", None, date(1970, 1, 1), date(9999, 12, 31), "r-1/ou-a"),
)


def report(text: str, today: date = TODAY, kind: str = "costs", accounts: Sequence[tuple[object, ...]] = ()) -> Any:
    """The report on the marts of ``LINES``, as if it were that day."""
    chosen = query(text, today, kind)
    with marts_of_lines(LINES, accounts) as connection:
        question = question_of(chosen, chosen.currency or "USD", [Condition("provider", ("aws",))])
        rows, _ = asked(connection, question)
        used, _ = asked(connection, usage_question_of(question))
    pairs = parse_qsl(text, keep_blank_values=True)
    document = json.loads(json.dumps(document_of(chosen, report_of(chosen, rows, used), "USD", COSTS, pairs)))
    if chosen.unit is None:  # an account or unit has its type beside its id
        SCHEMA.validate(document)
    return document


@pytest.mark.parametrize(
    ("scope", "begin", "end", "granularity"),
    [
        ({}, date(2026, 9, 24), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-30"}, date(2026, 9, 4), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-90"}, date(2026, 7, 6), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-1"}, date(2026, 10, 1), date(2026, 10, 4), "month"),
        ({"time_scope_units": "month"}, date(2026, 10, 1), date(2026, 10, 4), "month"),
        ({"time_scope_value": "-2"}, date(2026, 9, 1), date(2026, 10, 1), "month"),
        ({"time_scope_value": "-3", "resolution": "daily"}, date(2026, 8, 1), date(2026, 9, 1), "day"),
    ],
)
def test_a_scope_is_the_window_that_koku_makes_of_it(scope: dict[str, str], begin: date, end: date, granularity: str) -> None:
    window = window_of(scope, None, None, TODAY, FIRST)

    assert (window.range.begin, window.range.end, window.granularity) == (begin, end, Granularity(granularity))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nope=1", "nope"),
        ("filter[nope]=1", "nope"),
        ("group_by[nope]=*", "nope"),
        ("exclude[tag]=x", "tag"),
        ("nope[service]=1", "nope"),
        ("filter[service=1", "details"),
        ("limit=1&limit=2", "limit"),
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("filter[limit]=5", "error"),
        ("filter[resolution]=hourly", "resolution"),
        ("filter[time_scope_value]=-11", "time_scope_value"),
        ("filter[time_scope_units]=day&filter[resolution]=monthly", "resolution"),
        ("filter[time_scope_units]=month&filter[time_scope_value]=-10", "time_scope_value"),
        ("start_date=2026-10-01", "error"),
        ("start_date=2026-10-01&end_date=2026-10-02&filter[time_scope_value]=-10", "error"),
        ("start_date=2026-10-01&end_date=2026-10-02&delta=cost", "error"),
        ("start_date=2026-10-02&end_date=2026-10-01", "error"),
        ("start_date=2025-12-31&end_date=2026-10-01", "start_date"),
        ("start_date=2026-10-01&end_date=2026-10-05", "end_date"),
        ("start_date=October&end_date=2026-10-01", "start_date"),
        ("group_by[service]=*&group_by[account]=*&group_by[region]=*&group_by[az]=*", "group_by"),
        ("order_by[service]=asc", "service"),
        ("order_by[delta]=asc", "delta"),
        ("order_by[cost]=up", "cost"),
        ("delta=usage", "delta"),
        ("cost_type=guessed", "cost_type"),
        ("currency=usd", "currency"),
        ("group_by[org_unit_id]=*", "org_unit_id"),
        ("group_by[org_unit_id]=ou-a&group_by[account]=*", "org_unit_id"),
        ("filter[exact:org_unit_id]=ou-a", "exact:org_unit_id"),
    ],
)
def test_what_koku_refuses_is_refused(text: str, field: str) -> None:
    with pytest.raises(WrongParameter) as caught:
        query(text)

    assert caught.value.field == field


def test_every_date_of_the_window_is_there_and_the_total_is_all_of_it() -> None:
    document = report("filter[time_scope_value]=-1&filter[resolution]=daily")

    assert [(part["date"], [cost(row) for row in part["values"]]) for part in document["data"]] == [
        ("2026-10-01", [10.25]),
        ("2026-10-02", [12.25]),
        ("2026-10-03", [2.0]),
    ]
    assert cost(document["meta"]["total"]) == 24.5
    assert document["meta"]["filter"] == {"resolution": "daily", "time_scope_value": "-1", "time_scope_units": "month"}


def test_two_groups_lie_inside_each_other_and_what_has_no_value_is_named_so() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&group_by[account]=*")

    ((month),) = document["data"]
    assert [
        (service["service"], [(inner["account"], cost(inner["values"][0])) for inner in service["accounts"]])
        for service in month["services"]
    ] == [("AmazonEC2", [("1", 10.25), ("2", 5.25)]), ("AmazonS3", [("1", 7.0)]), ("No-service", [("1", 2.0)])]
    row = month["services"][0]["accounts"][0]["values"][0]
    assert (row["date"], row["account_alias"], len(row["source_uuid"])) == ("2026-10", "1", 1)


def test_three_groups_lie_inside_each_other() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&group_by[account]=*&group_by[tag:team]=*")

    (service, *_) = document["data"][0]["services"]
    assert [
        (account["account"], [(one["tag:team"], cost(one["values"][0])) for one in account["tag:teams"]])
        for account in service["accounts"]
    ] == [("1", [("red", 10.25)]), ("2", [("blue", 5.25)])]
    types = report(
        "filter[time_scope_value]=-1&group_by[service]=*&group_by[account]=2&group_by[tag:team]=*", kind="instance-types"
    )
    (service,) = types["data"][0]["services"]
    (inner,) = service["accounts"][0]["tag:teams"][0]["instance_types"]
    assert (inner["instance_type"], inner["values"][0]["usage"]["value"]) == ("t3.micro", 7.5)


def test_beyond_the_limit_is_one_row_others_last_and_all_adds_up() -> None:
    document = report("filter[time_scope_value]=-1&filter[resolution]=daily&group_by[service]=*&filter[limit]=1")

    rows = [(part["date"], [(s["service"], cost(s["values"][0])) for s in part["services"]]) for part in document["data"]]
    assert rows == [
        ("2026-10-01", [("AmazonEC2", 10.25), ("Others", 0.0)]),
        ("2026-10-02", [("AmazonEC2", 5.25), ("Others", 7.0)]),
        ("2026-10-03", [("AmazonEC2", 0.0), ("Others", 2.0)]),
    ]
    assert (document["meta"]["limit"], document["meta"]["others"]) == (1, 2)
    two = report("filter[time_scope_value]=-1&group_by[service]=*&filter[limit]=2")
    assert [part["service"] for part in two["data"][0]["services"]] == ["AmazonEC2", "AmazonS3", "Other"]


def test_pages_of_ranks_have_no_others_and_count_the_ranks() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&filter[limit]=2&filter[offset]=1")

    assert [part["service"] for part in document["data"][0]["services"]] == ["AmazonS3", "No-service"]
    assert (document["meta"]["count"], document["meta"]["others"]) == (3, 0)


def test_a_delta_compares_with_the_same_days_of_the_month_before() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&delta=cost&order_by[delta]=asc")

    rows = [(part["service"], part["values"][0]) for part in document["data"][0]["services"]]
    assert [(name, row["delta_value"], row["delta_percent"]) for name, row in rows] == [
        ("AmazonRDS", -2.0, -100.0),
        ("No-service", 2.0, None),
        ("AmazonS3", 7.0, None),
        ("AmazonEC2", 11.5, 287.5),
    ]
    assert document["meta"]["delta"]["value"] == 18.5
    assert document["meta"]["delta"]["percent"] == pytest.approx(308.3333333)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("filter[service]=ec2", 15.5),
        ("filter[exact:service]=ec2", 0),
        ("filter[exact:service]=AmazonS3&filter[service]=EC2", 22.5),  # alternatives, as they are of one field
        ("filter[service]=ec2,s3", 22.5),
        ("filter[service]=ec2&filter[service]=s3", 22.5),
        ("filter[and:service]=amazon,s3", 7),
        ("filter[or:service]=s3&filter[or:tag:team]=red", 17.25),
        ("filter[service]=ec2&filter[account]=2", 5.25),
        ("filter[tag:team]=blue", 5.25),
        ("filter[tag:team]=RE", 10.25),
        ("filter[exact:tag:team]=RE", 0),
        ("filter[exact:tag:team]=red", 10.25),
        ("filter[exact:tag:team]=re&filter[tag:team]=lu", 5.25),
        ("filter[or:tag:team]=red&filter[or:tag:team]=blue", 15.5),
        ("filter[and:tag:team]=re,d", 10.25),
        ("filter[tag:team]=No-tag:team", 9),
        ("exclude[tag:team]=red", 14.25),
        ("exclude[exact:tag:team]=r", 24.5),
        ("exclude[or:tag:team]=red&exclude[or:service]=s3", 7.25),
        ("group_by[or:tag:team]=red&group_by[or:tag:team]=blue", 15.5),
        ("filter[service]=No-service", 2),
        ("filter[service]=*", 24.5),
        ("exclude[service]=ec2", 9),
        ("group_by[service]=s3", 7),
    ],
)
def test_filters_choose_as_koku_says(text: str, total: float) -> None:
    assert cost(report(f"filter[time_scope_value]=-1&{text}")["meta"]["total"]) == total


def test_instance_types_have_hours_beside_their_cost_the_most_used_first() -> None:
    document = report("filter[time_scope_value]=-1", kind="instance-types")

    ((month),) = document["data"]
    rows = [(group["instance_type"], group["values"][0]) for group in month["instance_types"]]
    assert [(name, row["usage"], cost(row)) for name, row in rows] == [
        ("m6i.large", {"value": 24.0, "units": "Hrs"}, 10.25),
        ("t3.micro", {"value": 7.5, "units": "Hrs"}, 5.25),
    ]
    assert document["meta"]["total"]["usage"] == {"value": 31.5, "units": "Hrs"}
    assert cost(document["meta"]["total"]) == 15.5
    assert document["meta"]["order_by"] == {"usage": "desc"}
    assert "usage_units_left_out" not in document["meta"]


def test_instance_types_lie_inside_other_groups_and_others_add_their_usage_up() -> None:
    grouped = report("filter[time_scope_value]=-1&group_by[account]=*", kind="instance-types")
    limited = report(
        "filter[time_scope_value]=-1&group_by[account]=*&filter[limit]=1&order_by[cost]=asc", kind="instance-types"
    )

    assert [
        (account["account"], [inner["instance_type"] for inner in account["instance_types"]])
        for account in grouped["data"][0]["accounts"]
    ] == [("1", ["m6i.large"]), ("2", ["t3.micro"])]
    assert [
        (account["account"], account["instance_types"][0]["values"][0]["usage"]["value"])
        for account in limited["data"][0]["accounts"]
    ] == [("2", 7.5), ("Other", 24.0)]


def test_storage_has_gigabyte_months_and_a_delta_is_of_usage() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&delta=usage", kind="storage")

    (service,) = document["data"][0]["services"]
    (row,) = service["values"]
    assert (service["service"], row["usage"], cost(row)) == ("AmazonS3", {"value": 300.125, "units": "GB-Mo"}, 7.0)
    assert (row["delta_value"], row["delta_percent"]) == (300.125, None)
    assert document["meta"]["delta"] == {"value": 300.125, "percent": None}
    with pytest.raises(WrongParameter):
        query("delta=cost", kind="storage")


def test_usage_in_other_units_is_left_out_and_said() -> None:
    def row(unit: str | None, lines: int) -> Row:
        return Row(None, ("a",), unit, Decimal(lines), None, lines)

    hours = usage_of(KINDS["aws", "instance-types"], [row("vCPU-Hours", 5), row("Hrs", 1), row(None, 9)])
    cores = usage_of(KINDS["oci", "instance-types"], [row("OCPU Hours", 2), row("GB Hours", 3)])

    assert (hours.unit, hours.left_out, len(hours.rows)) == ("Hrs", ("vCPU-Hours",), 1)
    assert (cores.unit, cores.left_out) == ("GB Hours", ("OCPU Hours",))
    assert usage_of(KINDS["oci", "storage"], []).unit == "GB-Mo"


def test_a_unit_is_told_by_its_accounts_and_the_units_right_below_it() -> None:
    def entities(text: str) -> list[tuple[str, str, str, float]]:
        document = report(f"filter[time_scope_value]=-1&{text}", accounts=ACCOUNTS)
        found = document["data"][0]["org_entities"]
        return [
            (one["id"], one["type"], one["values"][0]["alias"], cost(one["values"][0]))
            for one in found
            if one["values"][0]["id"] == one["id"]
        ]

    # Of October's first three days 19.25 is account 1's, 5.25 account 2's.
    assert entities("group_by[org_unit_id]=r-1") == [("ou-a", "organizational_unit", "A", 24.5)]
    assert entities("group_by[org_unit_id]=ou-a") == [
        ("ou-b", "organizational_unit", "B", 19.25),
        ("2", "account", "two", 5.25),
    ]
    assert entities("group_by[org_unit_id]=ou-b&filter[service]=s3") == [("1", "account", "one", 7.0)]
    assert entities("group_by[org_unit_id]=ou") == []
    both = report("filter[time_scope_value]=-1&group_by[org_unit_id]=ou-a&group_by[service]=*", accounts=ACCOUNTS)
    assert [
        (entity["id"], [service["service"] for service in entity["services"]]) for entity in both["data"][0]["org_entities"]
    ] == [("ou-b", ["AmazonEC2", "AmazonS3", "No-service"]), ("2", ["AmazonEC2"])]


def test_a_unit_filters_with_all_that_is_in_it() -> None:
    def total(text: str) -> float:
        return cost(report(f"filter[time_scope_value]=-1&{text}", accounts=ACCOUNTS)["meta"]["total"])

    assert total("filter[org_unit_id]=ou-a") == 24.5
    assert total("filter[org_unit_id]=ou-b") == 19.25
    assert total("exclude[org_unit_id]=ou-b") == 5.25


def test_accounts_are_ordered_by_their_names_too() -> None:
    assert query("group_by[account]=*&order_by[account_alias]=desc").order == ("account_alias", True)
    rows = report("filter[time_scope_value]=-1&group_by[account]=*&order_by[account_alias]=desc")["data"][0]["accounts"]

    assert [row["account"] for row in rows] == ["2", "1"]


def test_limit_and_offset_page_over_the_dates() -> None:
    document = report("filter[resolution]=daily&filter[time_scope_value]=-10&limit=4&offset=4")

    assert [part["date"] for part in document["data"]] == ["2026-09-28", "2026-09-29", "2026-09-30", "2026-10-01"]
    assert document["meta"]["count"] == 10
    assert [name for name, link in document["links"].items() if link is not None] == ["first", "next", "previous", "last"]
    assert document["links"]["next"].endswith("limit=4&offset=8")
    assert document["links"]["last"] == document["links"]["next"]
    assert len(report("limit=0")["data"]) == 10
