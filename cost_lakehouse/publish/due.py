"""Which targets that follow runs lack a published month: push targets by the ledger, PostgreSQL as it says itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.config.push import POSTGRES
from cost_lakehouse.errors import PushFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.publish.backbone.push import pushes_due


@dataclass(frozen=True)
class TargetDue:
    """What one target lacks: months and their marks, none where it has all. ``unasked`` says why it could not be asked."""

    name: str
    months: Mapping[Slice, str]
    unasked: str = ""

    @property
    def digest(self) -> str:
        """Another one says that something else is due."""
        said = [self.name, bool(self.unasked), sorted((str(slice_), mark) for slice_, mark in self.months.items())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def targets_due(lake: Lake, today: date) -> list[TargetDue]:
    """Every target that follows runs, with what it lacks.

    A database that cannot be asked may lack everything, and holds back no other target: the push to it says why.
    Raises LakeError where the lake cannot be read.
    """
    found = [TargetDue(target.name, pushes_due(lake, target)) for target in lake.settings.push if target.follows_runs]
    database = lake.settings.publish.postgres
    if database is not None:
        from cost_lakehouse.publish.postgres.publisher import months_due, months_kept

        try:
            found.append(TargetDue(POSTGRES, months_due(lake, database, today)))
        except PushFailed as error:
            found.append(TargetDue(POSTGRES, months_kept(lake, database, today), str(error)))
    return found
