"""One look, as a process of its own that a test can kill: ``python -m tests.alerts.one_poll LAKEHOUSE.YAML``."""

from __future__ import annotations

import sys
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.alerting import poll_and_dispatch
from cost_lakehouse.orchestration.instance import command_instance

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    with command_instance(settings) as instance:
        told, _ = poll_and_dispatch(settings, instance)
    sys.exit(1 if told.unsent else 0)
