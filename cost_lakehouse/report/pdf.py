"""The report as PDF: a chromium of this machine prints its HTML, without any request."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cost_lakehouse.errors import CostLakehouseError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 120


def browser() -> str | None:
    """The browser that prints; None where this machine has none."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def write_pdf(html: str, file: Path) -> None:
    """Print a report's HTML into a file. Raises CostLakehouseError where there is no browser, or it fails."""
    found = browser()
    if found is None:
        raise CostLakehouseError(
            "There is no chromium on this machine to make a PDF with.",
            "Install chromium, or write --to FILE.html and print it from any browser.",
        )
    with tempfile.TemporaryDirectory() as folder:
        page, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        arguments = [
            found,
            "--headless",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
            page.as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            arguments.insert(1, "--no-sandbox")  # a container's root has none to be put into
        try:
            ended = subprocess.run(arguments, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise CostLakehouseError(f"{found} did not print within {_SECONDS} seconds.", "Try again.") from None
        if ended.returncode != 0 or not made.exists():
            said = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
            raise CostLakehouseError(f"{found} did not print: {said[0]}", "Run it by hand to see more.")
        shutil.copyfile(made, file)
