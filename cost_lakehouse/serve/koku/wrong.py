"""What Koku answers to a parameter that it does not take."""

from __future__ import annotations

UNSUPPORTED = "Unsupported parameter or invalid value"


class WrongParameter(Exception):
    """A field, and what is wrong with it: sent as 400 ``{field: [message]}``."""

    def __init__(self, field: str, message: str = UNSUPPORTED) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")
