"""What lake maintenance may remove, and when."""

from __future__ import annotations

from cost_lakehouse.strict import Strict


class MaintenanceSettings(Strict):
    """The rules of lake maintenance."""
