"""What every channel raises where it does not take a message."""

from __future__ import annotations

from cost_lakehouse.errors import CostLakehouseError


class NotSent(CostLakehouseError):
    """A channel did not take a message. ``of_message``: it is this message that it does not take; others may pass."""

    def __init__(self, problem: str, fix: str = "", of_message: bool = False) -> None:
        super().__init__(problem, fix)
        self.of_message = of_message
