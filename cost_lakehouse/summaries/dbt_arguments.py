"""What dbt is told: the slices to build, and the sources whose corrections replace what they refer to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cost_lakehouse.lake.slices import Slice

ACCOUNT_NAMES_TAG = "tag:account_names"
"""The seed and the models that make ``marts.aws_accounts``: they know no slices, and are built apart from what does."""


def dbt_vars(slices: Sequence[Slice], *, voiding_sources: Sequence[str] = ()) -> dict[str, Any]:
    """The project's variables for building exactly ``slices``, in a fixed order; an empty list builds none.

    ``voiding_sources`` are the sources with ``corrections: replace``.
    """
    return {
        "slices": [{"source": slice_.source, "billing_period": slice_.billing_period.isoformat()} for slice_ in sorted(slices)],
        "voiding_sources": sorted(voiding_sources),
    }


def build_arguments(slices: Sequence[Slice], *, voiding_sources: Sequence[str] = ()) -> list[str]:
    """The arguments of ``dbt`` that build and test exactly ``slices``; ``voiding_sources`` as for ``dbt_vars``.

    Unit tests say something about the models, not about a bill: they are left to development. Account names are no part of
    any slice.
    """
    variables = json.dumps(dbt_vars(slices, voiding_sources=voiding_sources))
    return ["build", "--exclude", ACCOUNT_NAMES_TAG, "--exclude-resource-type", "unit_test", "--vars", variables]


def account_names_arguments() -> list[str]:
    """The arguments of ``dbt`` that build and test the account names, and nothing of any bill."""
    return ["build", "--select", ACCOUNT_NAMES_TAG, "--exclude-resource-type", "unit_test"]
