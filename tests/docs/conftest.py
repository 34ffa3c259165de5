"""What the examples of the docs run on: the demo's lakehouse, and a small one of its own for what changes something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sample_bills.__main__ import main as make_bills
from tests.environment import OWN_VARIABLES


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No example may see the variables that another one left behind, or the developer's."""
    for name in OWN_VARIABLES:
        monkeypatch.setenv(name, "")
        del os.environ[name]


@pytest.fixture(scope="session")
def small_lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lakehouse.yaml: ``acme-payer`` with two small months, the last of them 2026-10, and ``acme-oci``."""
    folder = tmp_path_factory.mktemp("small")
    make_bills([str(folder / "bills"), "--rows", "200", "--months", "2026-09..2026-10"])
    make_bills([str(folder), "--provider", "oci", "--months", "2026-10", "--files-a-day", "1", "--rows-a-file", "10"])
    (folder / "lakehouse.yaml").write_text(
        "lake: {first_month: 2026-09}\n"
        "sources:\n"
        "  - {name: acme-payer, kind: aws_cur, location: bills/acme-billing/cur/hourly-cur}\n"
        "  - {name: acme-oci, kind: oci_cost_reports, location: acme-oci-mirror/reports}\n"
    )
    return folder
