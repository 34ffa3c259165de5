"""What can be wrong with an increment of OCI's reports on request."""

from __future__ import annotations

from enum import StrEnum


class OciFault(StrEnum):
    """A fault, or a rare but right state, planted in one increment's cost report. ``what`` says what it does."""

    # Rows
    BAD_NUMBER = "bad-number"
    NOT_A_NUMBER = "not-a-number"
    BAD_TIME = "bad-time"
    FINE_FRACTIONS = "fine-fractions"
    HEADER_ONLY = "header-only"
    CHANGED_ROWS = "changed-rows"
    VANISHED_ROWS = "vanished-rows"
    # Columns
    WRONG_HEADER = "wrong-header"
    COLUMN_APPEARS = "column-appears"
    # Files
    EARLY_NAME = "early-name"
    TORN_FILE = "torn-file"
    CORRUPT_FILE = "corrupt-file"
    EMPTY_FILE = "empty-file"

    @property
    def what(self) -> str:
        """What the fault does, in one sentence."""
        return _WHAT[self]


_WHAT: dict[OciFault, str] = {
    OciFault.BAD_NUMBER: 'One row in the middle of the file has "12,34" as cost/myCost.',
    OciFault.NOT_A_NUMBER: 'One row in the middle of the file has "n/a" as cost/myCost.',
    OciFault.BAD_TIME: 'One row in the middle of the file has "yesterday" as lineItem/intervalUsageStart.',
    OciFault.FINE_FRACTIONS: "Some costs have 25 fractional digits, more than 20.",
    OciFault.HEADER_ONLY: "The files hold their header and no rows.",
    OciFault.CHANGED_ROWS: "Some rows have another quantity and cost: with the same name, a redelivery.",
    OciFault.VANISHED_ROWS: "Some rows are gone: with the same name, a redelivery.",
    OciFault.WRONG_HEADER: "The column cost/myCost is called cost/yourCost.",
    OciFault.COLUMN_APPEARS: "One column is new, of a category that nobody knows.",
    OciFault.EARLY_NAME: "The files' names sort before those of all other increments.",
    OciFault.TORN_FILE: "The cost report's last file ends in the middle of its data.",
    OciFault.CORRUPT_FILE: "The cost report's last file has its full length, but some wrong bytes.",
    OciFault.EMPTY_FILE: "The cost report's last file is there with 0 bytes.",
}

BAD_TEXTS = {OciFault.BAD_NUMBER: "12,34", OciFault.NOT_A_NUMBER: "n/a"}
BAD_TIME_TEXT = "yesterday"
