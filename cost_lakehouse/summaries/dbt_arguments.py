"""What dbt is told: the slices to build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cost_lakehouse.lake.slices import Slice


def dbt_vars(slices: Sequence[Slice]) -> dict[str, Any]:
    """The project's variables for building exactly ``slices``, in a fixed order; an empty list builds none."""
    return {"slices": [{"source": each.source, "billing_period": each.billing_period.isoformat()} for each in sorted(slices)]}


def build_arguments(slices: Sequence[Slice]) -> list[str]:
    """The arguments of ``dbt`` that build and test exactly ``slices``.

    Unit tests say something about the models, not about a bill: they are left to development.
    """
    return ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(dbt_vars(slices))]
