"""The cost rules in words, by the names that the models give them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("cost_rules.yaml")


class Rule(BaseModel):
    """When a rule applies, and by kind of amount what a line counts then."""

    model_config = ConfigDict(extra="forbid")

    text: str
    counts: dict[str, str] = {}


class CostRules(BaseModel):
    """All rules; ``amounts`` are the marts' columns of each kind of amount."""

    model_config = ConfigDict(extra="forbid")

    amounts: dict[str, list[str]]
    rules: dict[str, Rule]

    def says(self, rule: str, column: str) -> str:
        """What a rule means for a mart's column, in a sentence or two."""
        known = self.rules[rule]
        kind = next((kind for kind, columns in self.amounts.items() if column in columns), None)
        counts = known.counts.get(kind or "") or self.rules["as_billed"].counts.get(kind or "", "")
        return f"{known.text} It counts: {counts[:1].lower()}{counts[1:]}" if counts else known.text


@cache
def cost_rules() -> CostRules:
    """The rules of ``cost_rules.yaml``."""
    return CostRules.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
