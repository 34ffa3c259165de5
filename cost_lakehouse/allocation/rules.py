"""What the rules of a month say of one line: conditions, labels with their cleaning, the first rule that takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cost_lakehouse.ask.request import Condition, conditions_of
from cost_lakehouse.config.allocations import AllocationSettings, LabelSettings, OfLabel, RuleSettings, VersionSettings

Values = Mapping[str, str | None]
"""A line's dimensions by their names, such as ``service`` and ``tag:team``."""


@dataclass(frozen=True)
class Rule:
    """A rule with its conditions understood; ``weighed`` are those of the cost that a split goes by."""

    settings: RuleSettings
    conditions: tuple[Condition, ...]
    weighed: tuple[Condition, ...]


@dataclass(frozen=True)
class Taken:
    """The rule that takes a line, and the team and product it names; no team where a pool is to be split."""

    rule: Rule | None
    team: str | None = None
    product: str | None = None


class RuleSet:
    """The rules of one version, in order."""

    def __init__(self, file: AllocationSettings, version: VersionSettings) -> None:
        """Raises ConfigurationError where a condition or a dimension is not known."""
        self._labels = file.labels
        self.version = version
        self.rules = tuple(
            Rule(
                rule, conditions_of(rule.where), conditions_of(rule.split.cost.where if rule.split and rule.split.cost else ())
            )
            for rule in version.rules
        )

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Every dimension that a line must have for these rules."""
        names = [condition.name for rule in self.rules for condition in (*rule.conditions, *rule.weighed)]
        used = {
            given.label
            for rule in self.rules
            for given in (rule.settings.to, rule.settings.product)
            if isinstance(given, OfLabel)
        }
        names += [name for label in sorted(used) for name in self._labels[label].dimensions]
        return tuple(dict.fromkeys(names))

    def taken(self, values: Values) -> Taken:
        """The first rule that takes a line; one that goes to a label takes only lines that have it."""
        for rule in self.rules:
            if not all(holds(condition, values) for condition in rule.conditions):
                continue
            product = self._text(rule.settings.product, values)
            if rule.settings.split is not None:
                return Taken(rule, None, product)
            team = self._text(rule.settings.to, values)
            if team is not None:
                return Taken(rule, team, product)
        return Taken(None)

    def _text(self, given: str | OfLabel | None, values: Values) -> str | None:
        return cleaned(self._labels[given.label], values) if isinstance(given, OfLabel) else given


def holds(condition: Condition, values: Values) -> bool:
    """Whether a line meets a condition, as the query core's SQL has it; a missing value is an empty text."""
    value = values.get(condition.name) or ""
    met = any(part.lower() in value.lower() for part in condition.values) if condition.contains else value in condition.values
    return met or any(holds(other, values) for other in condition.either)


def cleaned(label: LabelSettings, values: Values) -> str | None:
    """The label's value: of the first dimension that has one which says something. Without blanks around it."""
    for name in label.dimensions:
        value = _clean(label, values.get(name) or "")
        if value:
            return value
    return None


def _clean(label: LabelSettings, text: str) -> str:
    value = text.strip()
    value = {"keep": value, "lower": value.lower(), "upper": value.upper()}[label.case]
    if value in _cased(label, label.ignore):
        return ""
    return next((meant for meant, others in label.values.items() if value in _cased(label, others)), value)


def _cased(label: LabelSettings, texts: Sequence[str]) -> set[str]:
    return {{"keep": text, "lower": text.lower(), "upper": text.upper()}[label.case] for text in texts}
