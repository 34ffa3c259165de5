"""Reports of member accounts of one organisation add up; an account that two sources bring is refused, naming both."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import cost_lakehouse.loading.holders
from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import holders_of
from tests.builders import Workshop, line, write_delivery
from tests.focus_builders import FocusPlace, as_csv, charge

A, B, C = "222222222222", "333333333333", "444444444444"


def of(*accounts: str, cost: str = "1") -> list[dict[str, str]]:
    """A line of each account, all of one payer."""
    return [dict(line(**{"lineItem/UsageAccountId": account, "lineItem/UnblendedCost": cost})) for account in accounts]


@pytest.fixture
def members(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, {name: f"bucket/{name}/hourly" for name in ("member-a", "member-b")})


def deliver(workshop: Workshop, source: str, rows: list[dict[str, str]], assembly: str = "20261103T040211Z") -> None:
    write_delivery(workshop.bucket, [rows], assembly, report=f"{source}/hourly")


def costs(workshop: Workshop) -> list[tuple[object, ...]]:
    with connect(workshop.lake) as connection:
        return connection.execute(
            "select source, sum(line_item_unblended_cost) from raw.aws_cur group by all order by all"
        ).fetchall()


def test_reports_of_member_accounts_add_up_until_one_brings_an_account_of_the_other(members: Workshop) -> None:
    deliver(members, "member-a", of(A, C, cost="10"))
    deliver(members, "member-b", of(B, cost="20"))
    members.load("member-a")
    members.load("member-b")
    assert costs(members) == [("member-a", Decimal("20")), ("member-b", Decimal("20"))]

    deliver(members, "member-b", of(B, A, C), "20261104T040211Z")
    with pytest.raises(DeliveryRefused) as refused:
        members.load("member-b")
    assert (
        "member-b 2026-10: the bill of payer 111111111111 for 2026-10 is in the lake already, from source member-a; "
        f"member-b would add it up twice. Both have usage account {A}, {C}." in str(refused.value)
    )
    assert costs(members) == [("member-a", Decimal("20")), ("member-b", Decimal("20"))]

    # The account has moved from one report to the other.
    deliver(members, "member-a", of(C, cost="5"), "20261104T040211Z")
    deliver(members, "member-b", of(B, A, cost="7"), "20261105T040211Z")
    members.load("member-a")
    members.load("member-b")
    assert costs(members) == [("member-a", Decimal("5")), ("member-b", Decimal("14"))]


def test_a_line_without_a_usage_account_is_the_payer_s_own(members: Workshop) -> None:
    deliver(members, "member-a", of(A, ""))
    deliver(members, "member-b", of(B, "111111111111"))
    members.load("member-a")
    with pytest.raises(DeliveryRefused, match="from source member-a; member-b would add it up twice"):
        members.load("member-b")


@pytest.mark.parametrize("account", [A, B], ids=["the-same", "another"])
def test_two_member_accounts_reports_that_are_committed_at_the_same_moment(
    account: str, members: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(members, "member-a", of(A))
    deliver(members, "member-b", of(account))
    looks: list[object] = []

    def other_commits_after_the_first_look(*arguments: object) -> object:
        looks.append(arguments)
        if len(looks) == 1:
            with monkeypatch.context() as other:
                other.setattr(cost_lakehouse.loading.holders, "holders_of", holders_of)
                members.load("member-a")
            return {}
        return holders_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cost_lakehouse.loading.holders, "holders_of", other_commits_after_the_first_look)
    if account == A:
        with pytest.raises(DeliveryRefused, match="from source member-a; member-b would add it up twice"):
            members.load("member-b")
    else:
        members.load("member-b")

    both = [("member-a", Decimal("1")), ("member-b", Decimal("1"))]
    assert costs(members) == (both[:1] if account == A else both)


def test_sub_accounts_of_one_billing_account_add_up_across_focus_and_cur(tmp_path: Path) -> None:
    cur = {"name": "cur", "kind": "aws_cur", "location": "cur/hourly"}
    place = FocusPlace(tmp_path, "focus-a", "focus-b", others=[cur])
    payer = "000000000123"
    write_delivery(tmp_path / "cur", [[line(**{"bill/PayerAccountId": payer, "lineItem/UsageAccountId": C})]], report="hourly")
    place.write("a.csv.gz", as_csv([charge("1", SubAccountId=A)]), source="focus-a")
    place.write("b.csv.gz", as_csv([charge("2", SubAccountId=B)]), source="focus-b")
    place.load("focus-a")
    place.load("focus-b")
    Workshop(tmp_path).load("cur")
    assert place.costs() == [("focus-a", "2026-10", Decimal("1")), ("focus-b", "2026-10", Decimal("2"))]

    place.write("c.csv.gz", as_csv([charge("4", SubAccountId=C)]), source="focus-b")
    with pytest.raises(DeliveryRefused, match=f"from source cur; focus-b would add it up twice. Both have usage account {C}"):
        place.load("focus-b")
