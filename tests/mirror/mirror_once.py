"""Run one mirror in a process of its own, so that a test can kill it or measure its memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.mirror.run import run_mirror

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    report = run_mirror(settings, settings.mirrors[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # Linux counts in KiB
    sys.stdout.write(f"{report.copied} {report.skipped} {peak}\n")
    raise SystemExit(0 if report.ok else 1)
