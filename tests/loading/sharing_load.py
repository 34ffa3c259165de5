"""``python -m tests.loading.sharing_load FOLDER``: the load of the October that lies in a workshop's folder, by two workers."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.builders import Workshop
from tests.loading.test_share import load_with, two_processes

if __name__ == "__main__":
    workshop = Workshop(Path(sys.argv[1]))
    load_with(workshop, two_processes(workshop))
