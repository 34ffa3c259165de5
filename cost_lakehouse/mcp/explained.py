"""An explanation as an agent gets it: what a cell is made of, in rows that add up to it. Pure."""

from __future__ import annotations

from typing import Any

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.mcp.capped import capped
from cost_lakehouse.proof.cost_rules import cost_rules
from cost_lakehouse.proof.explain import Explanation


def explanation_document(found: Explanation) -> dict[str, Any]:
    """``meta`` has the amounts by currency and whether the lines come to them; receipts, files, rules and lines follow."""
    rules = cost_rules()
    files = [
        {
            "source": part.slice_.source,
            "month": part.slice_.month,
            "file_name": part.file_name,
            "currency": part.currency,
            "amount": plain(part.part.amount),
            "lines": part.part.lines,
        }
        for part in found.files
    ]
    return {
        "meta": {
            "mart": f"marts.{found.cell.mart}",
            "column": found.cell.column,
            "where": found.cell.condition,
            "amounts": {code: plain(amount) for code, amount in found.amounts.items()},
            "mart_rows": found.mart_rows,
            "line_count": found.line_count,
            "adds_up": found.adds_up,
        },
        "receipts": [
            {
                "source": receipt.source,
                "month": f"{receipt.billing_period:%Y-%m}",
                "delivery_id": receipt.delivery_id,
                "loaded_at": f"{receipt.loaded_at:%Y-%m-%dT%H:%M:%SZ}",
                "digest": receipt.digest,
            }
            for receipt in found.deliveries
        ],
        "files": capped(files, ("amount", "lines"), "currency"),
        "rules": [
            {
                "rule": part.rule,
                "says": rules.says(part.rule, found.cell.column),
                "left_out": part.exclusion,
                "currency": part.currency,
                "amount": plain(part.part.amount),
                "lines": part.part.lines,
            }
            for part in found.rules
        ],
        "lines": [
            {
                "file_name": line.file_name,
                "row_number": line.row_number,
                "date": None if line.date is None else line.date.isoformat(),
                "account": line.account,
                "service": line.service,
                "type": line.type,
                "description": line.description,
                "rule": line.rule,
                "currency": line.currency,
                "billed": None if line.delivered is None else plain(line.delivered),
                "amount": plain(line.amount),
            }
            for line in found.lines
        ],
    }
