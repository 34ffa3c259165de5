"""The base of everything that ``lakehouse.yaml`` can say: unknown keys are errors, and nothing changes after reading."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Settings that refuse keys they do not know."""

    # Built on first use: a command that reads one file does not build the models of all others, nor any twice.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
