"""``python -m benchmarks.make_oci FOLDER ROWS FILES SEED``: OCI's reports with about so many rows of cost, in so many files."""

from __future__ import annotations

import math
import sys
from datetime import date
from pathlib import Path

from sample_bills.oci_bills import FEWEST_OCI_ROWS, OciBill
from sample_bills.oci_writing import write_oci

MONTH = date(2026, 9, 1)
MONTH_FILES = 120  # four a day


def main() -> int:
    """Write the reports of a whole month, or one part as large as Oracle makes them."""
    folder, rows, files, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    of_a_file = max(math.ceil(rows / files), FEWEST_OCI_ROWS)
    bill = OciBill(months=(MONTH,), rows=of_a_file, seed=seed, gzip_level=1)
    if files == 1:
        write_oci(folder, bill, first=MONTH_FILES // 2, last=MONTH_FILES // 2)
    else:
        write_oci(folder, bill)
    return 0


if __name__ == "__main__":
    sys.exit(main())
