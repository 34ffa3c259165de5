"""The gate that the official validator is: what it lets through, and what it does not."""

from __future__ import annotations

import json
import re

from tests.docs.pages import ROOT
from tests.publish.focus_gate import FEWEST_RULES, WAIVERS, Verdict, objections, verdict_of

REPORT = """<testsuites><testsuite>
  <testcase name="BilledCost-C-003-M :: CostAndUsage :: Nullability"/>
  <testcase name="InvoiceId-C-004-C :: CostAndUsage :: Nullability"><failure message="null"/></testcase>
  <testcase name="InvoiceId-C-000-O :: CostAndUsage :: Composite"><failure message="of its parts"/></testcase>
  <testcase name="BilledCost-C-004-M :: CostAndUsage :: Type"><skipped/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_judged_by_rules_that_are_no_composites() -> None:
    assert verdict_of(REPORT) == Verdict(3, frozenset({"InvoiceId-C-004-C"}))


def test_what_is_not_waived_and_what_did_not_run_shuts_the_gate() -> None:
    good, bad = Verdict(FEWEST_RULES, frozenset({"a"})), Verdict(FEWEST_RULES - 1, frozenset({"a", "b"}))
    assert list(objections([("acme 2026-09", good)], ["a"])) == []
    assert list(objections([("acme 2026-09", bad)], ["a"])) == [
        "acme 2026-09: 349 rules ran, fewer than 350",
        "acme 2026-09: b failed",
    ]
    assert list(objections([("acme 2026-09", good)], ["a", "c"])) == [
        "c is waived, and nothing needs it: remove it from focus_validator_waivers.json"
    ]


def test_every_waiver_has_its_reason_and_stands_in_the_gap_report() -> None:
    waivers = json.loads(WAIVERS.read_text(encoding="utf-8"))
    assert all(len(reason) > 40 for reason in waivers.values())
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([A-Za-z]+-[AC]-\d{3}-[MCO])` \|", page, re.MULTILINE)
    assert told == sorted(waivers)
