"""What tests of Koku's reports share: their schema, their address, and a row's cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("koku_costs.schema.json").read_text(encoding="utf-8")))
COSTS = "/api/cost-management/v1/reports/aws/costs/"
OCTOBER = "start_date=2026-10-01&end_date=2026-10-31"


def cost(row: Any) -> float:
    """A row's cost, all of which is infrastructure."""
    assert row["infrastructure"] == row["cost"]
    assert row["supplementary"]["total"]["value"] == 0
    return float(row["cost"]["total"]["value"])
