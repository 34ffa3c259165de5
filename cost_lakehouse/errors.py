"""Every error a user can meet: each says what happened, where, and what to do. No message ever holds a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SHORT_SECRET = 8  # characters: a shorter one is likely to be a part of words that are none
_SHOWN = 60


class CostLakehouseError(Exception):
    """The root of all errors that are told to a user without a traceback.

    ``problem`` says what happened and where, ``fix`` what to do about it. ``key`` is that of the object that is to blame, where
    one is.
    """

    key: str | None = None

    def __init__(self, problem: str, fix: str = "") -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(f"{problem} {fix}".strip())


class ConfigurationError(CostLakehouseError):
    """``lakehouse.yaml`` or the command line is wrong; nothing was done. The command exits with 2."""


class SourceError(CostLakehouseError):
    """A source cannot be listed or opened (denied, wrong prefix, no bucket). Other sources go on."""


class DeliveryFailed(CostLakehouseError):
    """A file of a delivery cannot be read whole (truncated, corrupt, unreadable): worth another try."""


class FileIsEmpty(DeliveryFailed):
    """A file has no header line, so no row either: harmless where files add to a bill, a fault where a manifest lists them."""


class DeliveryChanged(DeliveryFailed):
    """A file or the manifest was replaced while it was read: start over with the new delivery."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with each secret cut out: a long one wherever it is, a short one where it stands alone, as ``a`` is in ``= a``."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < SHORT_SECRET:
            pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
        text = re.sub(pattern, "***", text)
    return text


@dataclass(frozen=True)
class RejectedValue:
    """A delivered value that cannot be stored exactly: where it stands and why it was rejected."""

    value: str
    file: str
    record: int  # 1 is the first record after the header
    column: str  # the delivered header
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, record {self.record}, column {self.column}: {shortened(self.value)!r} {self.reason}"


def shortened(value: str) -> str:
    """A delivered value as messages show it: ten thousand digits tell no more than the first sixty."""
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}… ({len(value):,} characters)"


class DeliveryRefused(CostLakehouseError):
    """A delivery was read, but would make the numbers wrong; it is on record and the old slice stays."""

    def __init__(self, problem: str, fix: str = "", rejected: tuple[RejectedValue, ...] = (), rejected_count: int = 0) -> None:
        super().__init__(problem, fix)
        self.rejected = rejected
        self.rejected_count = rejected_count or len(rejected)


class InvoicesRefused(CostLakehouseError):
    """What is said of invoices cannot be recorded as it stands; nothing was recorded."""


class CloseRefused(CostLakehouseError):
    """A month cannot be closed, accepted or reopened as it stands; nothing was changed."""


class LakeError(CostLakehouseError):
    """The catalog, the warehouse or the engine cannot be used."""


class MirrorFailed(CostLakehouseError):
    """Not everything of a mirror could be copied; what was copied is whole and stays."""


class PushFailed(CostLakehouseError):
    """A target did not take what was pushed; what it held before counts there until it is tried again."""


class NotSent(CostLakehouseError):
    """A channel did not take a message. ``of_message``: it is this message that it does not take; others may pass."""

    def __init__(self, problem: str, fix: str = "", of_message: bool = False) -> None:
        super().__init__(problem, fix)
        self.of_message = of_message
