"""What dbt is told: the slices to build, and the sources whose corrections replace what they refer to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cost_lakehouse.lake.slices import Slice

PROJECT = "cost_lakehouse"
PROVIDER_LAYERS = ("staging", "intermediate")
"""The project's folders that have one folder a kind of bill."""

ACCOUNT_NAMES_TAG = "tag:account_names"
"""The seed and the models that make ``marts.aws_accounts``: they know no slices, and are built apart from what does."""

FOCUS_TAG = "tag:focus_rows"
"""The models that make ``marts.focus_cost_and_usage``: a row per line costs as much as all summaries together."""


def dbt_vars(slices: Sequence[Slice], *, voiding_sources: Sequence[str] = ()) -> dict[str, Any]:
    """The project's variables for building exactly ``slices``, in a fixed order; an empty list builds none.

    ``voiding_sources`` are the sources with ``corrections: replace``.
    """
    return {
        "slices": [{"source": slice_.source, "billing_period": slice_.billing_period.isoformat()} for slice_ in sorted(slices)],
        "voiding_sources": sorted(voiding_sources),
    }


def build_arguments(
    slices: Sequence[Slice],
    *,
    voiding_sources: Sequence[str] = (),
    kinds: Sequence[str] | None = None,
    every_kind: Sequence[str] = (),
    focus: bool = False,
) -> list[str]:
    """The arguments of ``dbt`` that build and test exactly ``slices``; ``voiding_sources`` as for ``dbt_vars``.

    Where ``kinds`` names the kinds of bills that the slices hold, the models of the others of ``every_kind`` are left out.

    Unit tests say something about the models, not about a bill: they are left to development. Account names are no part of
    any slice. ``focus``: FOCUS rows are built too, with the models of every kind: dbt would leave out the test that
    compares them with the bill, which reads all of them.
    """
    variables = dbt_vars(slices, voiding_sources=voiding_sources)
    excluded = [ACCOUNT_NAMES_TAG] if focus else [ACCOUNT_NAMES_TAG, FOCUS_TAG]
    if kinds is not None and not focus:
        variables["bill_kinds"] = sorted(kinds)
        left_out = sorted({*every_kind} - {*kinds})
        excluded += [f"fqn:{PROJECT}.{layer}.{kind}" for kind in left_out for layer in PROVIDER_LAYERS]
    return ["build", "--exclude", *excluded, "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables)]


def focus_arguments(slices: Sequence[Slice], *, voiding_sources: Sequence[str] = ()) -> list[str]:
    """The arguments of ``dbt`` that build and test the FOCUS rows of ``slices``, and only what they are made of."""
    variables = json.dumps(dbt_vars(slices, voiding_sources=voiding_sources))
    # The test compares with more than the rows are made of: it is named, or dbt would leave it out.
    selected = ["--select", f"+{FOCUS_TAG}", "+focus_cost_and_usage_adds_up_to_the_bill", "--indirect-selection", "cautious"]
    return ["build", *selected, "--exclude-resource-type", "unit_test", "--vars", variables]


def account_names_arguments() -> list[str]:
    """The arguments of ``dbt`` that build and test the account names, and nothing of any bill."""
    return ["build", "--select", ACCOUNT_NAMES_TAG, "--exclude-resource-type", "unit_test"]
