"""``allocations.yaml``: who bears which costs, by rules in order, in versions that hold from a month on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from cost_lakehouse.config.lakehouse import Month
from cost_lakehouse.config.yaml_file import Strict, explain, read_yaml
from cost_lakehouse.errors import ConfigurationError

UNALLOCATED = "Unallocated"
NO_RULE = "no rule"
"""What stands for the rule of a line that none takes."""


class LabelSettings(Strict):
    """A value that is taken from the first of some dimensions that has one, and cleaned.

    ``values`` maps a clean value to what else is written for it; ``ignore`` are values that say nothing.
    """

    dimensions: tuple[str, ...] = Field(alias="from", min_length=1)
    case: Literal["keep", "lower", "upper"] = "keep"
    values: Mapping[str, tuple[str, ...]] = {}
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _a_synonym_means_one_value(self) -> LabelSettings:
        meant: dict[str, str] = {}
        for value, others in self.values.items():
            for other in others:
                if meant.setdefault(other, value) != value:
                    raise ValueError(f"{other!r} stands for {meant[other]!r} and for {value!r}; keep one of them")
        return self


class OfLabel(Strict):
    """The value of a label."""

    label: str


class CostWeights(Strict):
    """In proportion to what rules with ``to`` gave each team of the month's bill, of what ``where`` leaves."""

    where: tuple[str, ...] = ()


class SplitSettings(Strict):
    """How a pool is split among teams: one of four ways."""

    evenly: tuple[str, ...] | None = None
    shares: Mapping[str, Decimal] | None = None
    cost: CostWeights | None = None
    metric: str | None = None

    @field_validator("shares", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        """YAML reads 0.1 as a double: its shortest text is what was written."""
        if not isinstance(value, dict):
            return value
        return {name: repr(share) if isinstance(share, float) else share for name, share in value.items()}

    @model_validator(mode="after")
    def _is_one_way(self) -> SplitSettings:
        given = [name for name in ("evenly", "shares", "cost", "metric") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("write one of evenly, shares, cost and metric")
        if self.evenly is not None and (not self.evenly or len(set(self.evenly)) < len(self.evenly)):
            raise ValueError("evenly: name each team once")
        if self.shares is not None and (not any(self.shares.values()) or any(share < 0 for share in self.shares.values())):
            raise ValueError("shares: write numbers from 0 on, one of them more")
        return self


class RuleSettings(Strict):
    """One rule: lines that meet all of ``where`` go ``to`` a team, or into a pool that is ``split``."""

    name: str = Field(min_length=1)
    where: tuple[str, ...] = ()
    to: str | OfLabel | None = None
    split: SplitSettings | None = None
    product: str | OfLabel | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> RuleSettings:
        if (self.to is None) == (self.split is None):
            raise ValueError("write either to or split")
        if self.to == "":
            raise ValueError("to: name a team")
        return self


class VersionSettings(Strict):
    """Rules that hold for bills from a month on."""

    valid_from: Month
    rules: tuple[RuleSettings, ...]

    @model_validator(mode="after")
    def _rules_have_names_of_their_own(self) -> VersionSettings:
        names = [rule.name for rule in self.rules]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled or NO_RULE in names:
            raise ValueError(f"the rule {[*doubled, NO_RULE][0]!r} is there twice; every rule needs a name of its own")
        return self


class AllocationSettings(Strict):
    """The whole file. Metric files are relative to ``base``."""

    labels: Mapping[str, LabelSettings] = {}
    versions: tuple[VersionSettings, ...] = Field(min_length=1)
    base: Path = Field(exclude=True)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> AllocationSettings:
        months = [version.valid_from for version in self.versions]
        if months != sorted(set(months)):
            raise ValueError("versions: each holds from a later month than the one before it")
        for version in self.versions:
            for rule in version.rules:
                for given in (rule.to, rule.product):
                    if isinstance(given, OfLabel) and given.label not in self.labels:
                        raise ValueError(f"the rule {rule.name!r} names the label {given.label!r}, which is not there")
        return self

    def version_of(self, month: date) -> VersionSettings:
        """The rules that hold for a month's bills: none before the first version, which leaves all of them unallocated."""
        held = next((version for version in reversed(self.versions) if version.valid_from <= month), None)
        return held or VersionSettings(valid_from=month, rules=())


def read_allocations(path: Path) -> AllocationSettings:
    """Read and check a file of rules. Raises ConfigurationError that names each wrong field and its fix."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must hold `versions:`.", "See docs/allocation.md.")
    try:
        return AllocationSettings(**document, base=path.parent)
    except ValidationError as error:
        wrong = "; ".join(explain(candidate, ("str", "OfLabel")) for candidate in error.errors())
        raise ConfigurationError(f"{path} is wrong.", wrong) from None
    except TypeError:  # a key that is none of the file's own
        raise ConfigurationError(f"{path}: unknown key at the top.", "Known keys: labels, versions.") from None
