"""``python -m tests.loading.sharing_load FOLDER``: loads what is new in a folder, by two workers.

The folder is a workshop's with its October, or a mirror's with its reports.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cost_lakehouse.loading.share import ProcessWorkers
from tests.builders import Workshop
from tests.loading.test_share import load_with
from tests.loading.test_share_files import load_reports_with
from tests.oci_builders import Mirror

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if (folder / "acme-oci").is_dir():
        mirror = Mirror(folder)
        load_reports_with(mirror, ProcessWorkers(mirror.settings))
    else:
        workshop = Workshop(folder)
        load_with(workshop, ProcessWorkers(workshop.settings))
