"""Rules, labels and parts, worked out by hand; and that nothing is lost, whatever the rules."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_lakehouse.allocation.allocate import Allocated, Amounts, Line, Place, allocate
from cost_lakehouse.allocation.metrics import metric_of
from cost_lakehouse.allocation.rules import RuleSet
from cost_lakehouse.config.allocations import AllocationSettings, read_allocations
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.formats.proportions import parts_of
from tests.docs.pages import blocks

OCTOBER = date(2026, 10, 1)
DIGIT = Decimal("0.00000000000000000001")


def rules_of(text: str, folder: Path) -> AllocationSettings:
    """A file with these rules from 2026-01 on, below whatever stands before ``rules:``."""
    file = folder / "allocations.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    return read_allocations(file)


def line(cost: str, day: int = 1, effective: str | None = None, count: int = 1, **values: str | None) -> Line:
    """A line with these dimensions; ``tag_team`` stands for ``tag:team``."""
    named = {name.replace("_", ":"): value for name, value in values.items()}
    place = Place(date(2026, 10, day), "aws", named.get("account"), named.get("service"), None, "USD")
    return Line(place, named, Amounts(Decimal(cost), Decimal(effective or cost), count))


def shared(text: str, folder: Path, *lines: Line, **metrics: Any) -> dict[tuple[str, str], str]:
    """(team, rule) -> the billed cost of all days."""
    file = rules_of(text, folder)
    return totals(allocate(lines, RuleSet(file, file.version_of(OCTOBER)), metrics))


def totals(rows: list[Allocated]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row.team, row.rule] = EXACT.add(found[row.team, row.rule], row.amounts.billed_cost)
    return {key: f"{value:f}" for key, value in found.items()}


def test_the_first_rule_that_takes_a_line_decides(tmp_path: Path) -> None:
    rules = """
        labels:
          team: {from: ["tag:team"]}
        versions:
          - valid_from: 2026-01
            rules:
              - {name: sandbox, where: [account=3], to: research}
              - {name: own tag, to: {label: team}}
              - {name: data, where: ["service=AmazonRDS,AmazonRedshift"], to: data}
              - {name: not data, where: [service~amazon, account=1], to: web}
    """
    found = shared(
        rules,
        tmp_path,
        line("1", account="3", service="AmazonRDS", tag_team="web"),
        line("2", account="1", service="AmazonRDS", tag_team="web"),
        line("4", account="1", service="AmazonRDS"),
        line("8", account="1", service="AMAZONEC2", tag_team=" "),
        line("16", account="2", service="AmazonEC2"),
    )
    assert found == {
        ("research", "sandbox"): "1",
        ("web", "own tag"): "2",
        ("data", "data"): "4",
        ("web", "not data"): "8",
        ("Unallocated", "no rule"): "16",
    }


def test_labels_are_cleaned_by_case_synonyms_and_what_says_nothing(tmp_path: Path) -> None:
    rules = """
        labels:
          team:
            from: ["tag:team", "tag:owner"]
            case: lower
            values: {web: [website, WWW]}
            ignore: [none, TBD]
        versions:
          - valid_from: 2026-01
            rules: [{name: own tag, to: {label: team}}]
    """
    found = shared(
        rules,
        tmp_path,
        line("1", tag_team=" Website "),
        line("2", tag_team="www"),
        line("4", tag_team="Web"),
        line("8", tag_team="tbd", tag_owner="Data"),
        line("16", tag_team="NONE"),
    )
    assert found == {("web", "own tag"): "7", ("data", "own tag"): "8", ("Unallocated", "no rule"): "16"}


SPLITS = """
    versions:
      - valid_from: 2026-01
        rules:
          - {name: a, where: [account=a], to: web}
          - {name: b, where: [account=b], to: data}
          - {name: even, where: [service=even], split: {evenly: [web, data, ops]}}
          - {name: fixed, where: [service=fixed], split: {shares: {web: 0.7, data: 0.3, ops: 0}}}
          - {name: cost, where: [service=support], split: {cost: {where: [service=EC2]}}}
          - {name: metric, where: [service=waf], split: {metric: requests.csv}, product: edge}
"""


def test_pools_are_split_evenly_by_shares_by_cost_and_by_metric(tmp_path: Path) -> None:
    found = shared(
        SPLITS,
        tmp_path,
        line("30", account="a", service="EC2"),
        line("10", account="b", service="EC2"),
        line("500", account="b", service="S3"),
        line("1", service="even"),
        line("10", service="fixed"),
        line("4", 31, service="support"),
        line("9", service="waf"),
        **{"requests.csv": {"web": Decimal(2), "data": Decimal(1)}},
    )
    assert found == {
        ("web", "a"): "30",
        ("data", "b"): "510",
        # Whoever stands first of equals gets the digit that is left.
        ("data", "even"): "0.33333333333333333333",
        ("ops", "even"): "0.33333333333333333333",
        ("web", "even"): "0.33333333333333333334",
        ("web", "fixed"): "7.00000000000000000000",
        ("data", "fixed"): "3.00000000000000000000",
        ("web", "cost"): "3.00000000000000000000",
        ("data", "cost"): "1.00000000000000000000",
        ("web", "metric"): "6.00000000000000000000",
        ("data", "metric"): "3.00000000000000000000",
    }


def test_a_pool_without_weights_is_unallocated_under_its_rule(tmp_path: Path) -> None:
    # Nobody has EC2, but a refund of it: a negative cost weighs nothing.
    found = shared(
        SPLITS, tmp_path, line("4", service="support"), line("-1", account="a", service="EC2"), line("9", service="waf")
    )
    assert found == {("Unallocated", "cost"): "4", ("web", "a"): "-1", ("Unallocated", "metric"): "9"}


def test_each_base_and_the_lines_are_shared_by_themselves(tmp_path: Path) -> None:
    file = rules_of(SPLITS, tmp_path)
    rows = allocate([line("0", effective="-2", count=4, service="even")], RuleSet(file, file.version_of(OCTOBER)), {})
    assert [(row.team, row.amounts.effective_cost, row.amounts.line_item_count) for row in rows] == [
        ("data", Decimal("-0.66666666666666666667"), 1),
        ("ops", Decimal("-0.66666666666666666666"), 1),
        ("web", Decimal("-0.66666666666666666667"), 2),
    ]
    assert {row.share for row in rows} == {Decimal("0.33333333333333333333")}


money = st.integers(-(10**25), 10**25).map(lambda units: EXACT.scaleb(Decimal(units), -20))
weights = st.lists(st.decimals(0, 1000, places=3), min_size=1, max_size=6).filter(any)


@given(money, weights)
def test_parts_add_up_and_none_is_off_by_a_digit(amount: Decimal, given_weights: list[Decimal]) -> None:
    parts = parts_of(amount, given_weights)

    whole, total = Decimal(0), sum(given_weights, Decimal(0))
    for part, weight in zip(parts, given_weights, strict=True):
        whole = EXACT.add(whole, part)
        exact = EXACT.multiply(amount, weight)
        assert abs(EXACT.subtract(EXACT.multiply(part, total), exact)) < EXACT.multiply(DIGIT, total)
    assert whole == amount


words = st.sampled_from([None, "web", "Data", "x"])
lines = st.lists(
    st.builds(
        lambda cost, other, day, account, service, team: Line(
            Place(date(2026, 10, day), "aws", account, service, None, "USD"),
            {"account": account, "service": service, "tag:team": team},
            Amounts(cost, other, day),
        ),
        money,
        money,
        st.integers(1, 3),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["EC2", "even", "fixed", "support", "waf"]),
        words,
    ),
    max_size=12,
)


@given(lines)
def test_every_place_keeps_its_costs_whatever_is_shared_out(
    tmp_path_factory: pytest.TempPathFactory, found: list[Line]
) -> None:
    file = rules_of(SPLITS, tmp_path_factory.getbasetemp())
    rows = allocate(found, RuleSet(file, file.version_of(OCTOBER)), {"requests.csv": {"web": Decimal(1), "data": Decimal(2)}})

    def sums(parts: list[Any]) -> dict[Place, Amounts]:
        summed: dict[Place, Amounts] = {}
        for part in parts:
            summed[part.place] = summed.get(part.place, Amounts()).plus(part.amounts)
        return summed

    assert sums(rows) == sums(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("versions: []", "versions"),
        ("versions: [{valid_from: 2026-01, rules: [{name: a}]}]", "write either to or split"),
        ("versions: [{valid_from: 2026-01, rules: [{name: a, split: {evenly: [x], metric: m}}]}]", "write one of evenly"),
        (
            "versions: [{valid_from: 2026-01, rules: [{name: a, to: {label: team}}]}]",
            "names the label 'team', which is not there",
        ),
        ("versions: [{valid_from: 2026-01, rules: [{name: a, to: x}, {name: a, to: y}]}]", "the rule 'a' is there twice"),
        ("versions: [{valid_from: 2026-02, rules: []}, {valid_from: 2026-01, rules: []}]", "later month than the one before"),
        ("versions: [{valid_from: 2026-01, rules: [{name: a, split: {shares: {x: -1}}}]}]", "write numbers from 0 on"),
        (
            "labels: {t: {from: [tag:t], values: {a: [x], b: [x]}}}\nversions: [{valid_from: 2026-01, rules: []}]",
            "stands for 'a' and",
        ),
        ("rules: []", "rules: unknown key"),
    ],
)
def test_wrong_rules_are_refused_with_what_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=says):
        rules_of(text, tmp_path)


def test_a_condition_names_a_dimension_that_is_known(tmp_path: Path) -> None:
    file = rules_of("versions: [{valid_from: 2026-01, rules: [{name: a, where: [nonsense=1], to: x}]}]", tmp_path)
    with pytest.raises(ConfigurationError, match="There is no dimension 'nonsense'"):
        RuleSet(file, file.versions[0])


def test_months_before_the_first_version_have_no_rules(tmp_path: Path) -> None:
    file = rules_of("versions: [{valid_from: 2026-09, rules: [{name: a, to: x}]}, {valid_from: 2026-11, rules: []}]", tmp_path)
    held = [file.version_of(date(2026, month, 1)) for month in (8, 9, 10, 11, 12)]
    assert [(version.valid_from.month, len(version.rules)) for version in held] == [(8, 0), (9, 1), (9, 1), (11, 0), (11, 0)]


def test_a_metric_file_has_its_months_and_says_what_is_wrong_in_it(tmp_path: Path) -> None:
    file = tmp_path / "requests.csv"
    file.write_text("month,team,value\n2026-10,web,1.5\n2026-10,web,2\n2026-11,web,9\n", encoding="utf-8")
    assert metric_of(file, OCTOBER) == {"web": Decimal("3.5")}
    file.write_text("month,team,value\n2026-10,web,1\n2026-10,data,-1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"requests\.csv, line 3, column value: '-1' is no number from 0 on"):
        metric_of(file, OCTOBER)
    file.write_text("month,value\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="has no column 'team'"):
        metric_of(file, OCTOBER)
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        metric_of(tmp_path / "none.csv", OCTOBER)


def test_the_page_s_rules_are_ones_and_take_what_it_says(tmp_path: Path) -> None:
    (text,) = [block.text for block in blocks("yml") if block.page.name == "allocation.md"]
    file = rules_of(text, tmp_path)
    assert [len(RuleSet(file, version).rules) for version in file.versions] == [7, 1]
    assert "tag:Team" in RuleSet(file, file.versions[0]).dimensions
