"""One look, as a process of its own that a test can kill: ``python -m tests.alerts.one_look LAKEHOUSE.YAML``."""

from __future__ import annotations

import sys
from pathlib import Path

from cost_lakehouse.orchestration.alerting import look_and_tell
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.settings import load_settings

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    with command_instance(settings) as instance:
        told, _ = look_and_tell(settings, instance)
    sys.exit(1 if told.unsent else 0)
