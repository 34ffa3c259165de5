"""What a check of ``cost-lakehouse doctor`` says."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """What one check found. ``state`` is ok, warning (nothing is broken) or failed."""

    name: str
    state: str
    says: str
    fix: str = ""


def not_writable(folder: Path) -> str:
    """Why nothing can be written to a folder (made where it is not there); empty where all is well."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".cost-lakehouse-") as probe:
            probe.write(b"writable")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""
