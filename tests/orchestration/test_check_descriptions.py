"""Each dbt test says in the Checks tab what it proves, whoever wrote the test."""

from __future__ import annotations

from typing import Any

import pytest

from cost_lakehouse.orchestration.check_descriptions import describe_test

MACROS = {
    "macro.dbt.test_not_null": {"description": ""},
    "macro.cost_lakehouse.test_unique_grain": {"description": "No two rows have the same values in these columns together."},
    "macro.cost_lakehouse.test_totals_equal": {"description": "The columns add up to the same."},
    "macro.own.test_nobody_described": {"description": ""},
}


def described(test: dict[str, Any]) -> str:
    return describe_test({"nodes": {"test.own.it": test}, "macros": MACROS}, "test.own.it")


def generic(name: str, macro: str, column: str | None = None, **arguments: Any) -> dict[str, Any]:
    return {
        "description": "",
        "column_name": column,
        "test_metadata": {"name": name, "kwargs": {"model": "{{ get_where_subquery(ref('m')) }}", **arguments}},
        "depends_on": {"macros": [macro, "macro.dbt.get_where_subquery"]},
    }


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        pytest.param(
            generic("not_null", "macro.dbt.test_not_null", "currency_code", column_name="currency_code"),
            "`currency_code` has a value in every row.",
            id="not-null",
        ),
        pytest.param(
            generic("accepted_values", "macro.dbt.test_accepted_values", "state", values=["open", "invoiced"]),
            "`state` is one of: `open`, `invoiced`.",
            id="accepted-values",
        ),
        pytest.param(
            generic("unique_grain", "macro.cost_lakehouse.test_unique_grain", columns=["source", "usage_date"]),
            "No two rows have the same values in these columns together. (columns: source, usage_date)",
            id="our-own",
        ),
        pytest.param(
            generic(
                "totals_equal",
                "macro.cost_lakehouse.test_totals_equal",
                compare_with="ref('int_costs__daily_summary')",
                pairs={"billed_cost": "unblended_cost"},
            ),
            "The columns add up to the same. (compare_with: int_costs__daily_summary; pairs: billed_cost = unblended_cost)",
            id="ref-and-pairs",
        ),
        pytest.param(
            {**generic("not_null", "macro.dbt.test_not_null", "owner"), "description": "Every team has an owner."},
            "Every team has an owner.",
            id="its-own-words",
        ),
        pytest.param(generic("nobody_described", "macro.own.test_nobody_described"), "", id="undescribed"),
        pytest.param({"depends_on": {"macros": []}}, "", id="singular"),
    ],
)
def test_a_check_is_described_by_its_own_words_else_by_its_kind(test: dict[str, Any], sentence: str) -> None:
    assert described(test) == sentence
