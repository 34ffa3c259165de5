"""Makes the pictures of the docs from the real Dagster UI: starts ``dagster dev`` on a lakehouse, looks, stops it.

``uv run --with pillow python docs/take_screenshots.py --dir DEMO`` after ``uv run cost-lakehouse demo --dir DEMO``. Needs a
Chromium (``--chromium``), which the project itself does not; Pillow makes the files small.

The pictures of the production setting (``production-*.png``) are taken where ``DIR/lakehouse.yaml`` says ``engine: trino``:
``uv run python -m tests.services DIR`` starts its servers; give it sources, and load them with ``cost-lakehouse run``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from playwright.sync_api import FloatRect, Page, ViewportSize, sync_playwright

from cost_lakehouse.ask.asking import newest_month
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.report.contents import contents_of
from cost_lakehouse.report.page import page_of

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
# A browser that is to take pictures has no business with anybody but the UI.
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)
SETTLE_MILLISECONDS = 4_000
START_SECONDS = 180

OPEN_GROUPS = ("line_items_aws", "line_items_oci", "staging_aws", "marts")

# What the UI remembers in the browser: no greeting, no menu, and the groups of the graph that stand open.
REMEMBERED = {
    "communityNux": json.dumps("1"),
    "dagster-nav-collapsed": "true",
    "asset-graph-open-graph-nodes-global-__GLOBAL__": json.dumps(
        {"expanded": ",".join(f"global@global:{group}" for group in OPEN_GROUPS)}
    ),
}


@dataclass(frozen=True)
class Picture:
    """One picture: the page's path, what must be on it, and how much of the window is kept."""

    name: str
    path: str
    shows: str
    width: int
    height: int
    kept_width: int | None = None  # from the left


PICTURES = (
    Picture("asset-graph", "/asset-groups", "daily_costs", 1900, 1420, 1600),
    Picture("runs", "/runs", "load_line_items", 1500, 900),
    Picture("line-items", "/assets/line_items/acme-payer?view=partitions&partition=2026-09-01", "receipt_digest", 1400, 1500),
    Picture(
        "checks", "/assets/marts/aws_daily_summary?view=checks&checkDetail=equals_the_raw_bill", "Evaluation result", 1400, 640
    ),
    Picture(
        "refused", "/assets/line_items/acme-payer?view=checks&checkDetail=delivered_equals_stored", "rejected_values", 1400, 820
    ),
    Picture("daily-costs", "/assets/marts/daily_costs?view=events", "delivery_ids", 1400, 1080),
    Picture("automation", "/automation", "summaries_due", 1400, 560),
)
# The same UI on PostgreSQL, S3 and Trino; what is shown is what differs, or what runs by itself.
PRODUCTION = (
    Picture("production-asset-graph", "/asset-groups", "daily_costs", 1900, 1180, 1560),
    Picture("production-line-items", "/assets/line_items/acme-payer?view=events", "receipt_digest", 1400, 1250),
    Picture(
        "production-partitions", "/assets/marts/daily_costs?view=partitions&partition=2026-10-01", "delivery_ids", 1400, 900
    ),
    Picture(
        "production-checks",
        "/assets/marts/aws_daily_summary?view=checks&checkDetail=equals_the_raw_bill",
        "Evaluation result",
        1400,
        640,
    ),
    Picture("production-sensors", "/automation", "summaries_due", 1400, 620),
)


REPORT = "report"
REPORT_SIZE = ViewportSize(width=1100, height=1060)


def main() -> int:
    """Take every picture, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=ROOT / "demo", help="the folder of a finished demo, or of `tests.services`")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--out", type=Path, default=IMAGES)
    every = ", ".join(named.name for named in (*PICTURES, *PRODUCTION)) + f", {REPORT}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {every}")
    wanted = parser.parse_args()
    config: Path = wanted.dir.resolve() / "lakehouse.yaml"
    if not config.is_file():
        parser.error(f"{config} is not there; run `uv run cost-lakehouse demo --dir {wanted.dir}` first")
    wanted.out.mkdir(parents=True, exist_ok=True)
    pictures = PRODUCTION if load_settings(config).lake.engine == "trino" else PICTURES
    if pictures is PICTURES and (not wanted.names or REPORT in wanted.names):
        take_report(config, wanted.chromium, wanted.out / f"{REPORT}.png")
        if wanted.names == [REPORT]:
            return 0
    with dagster_ui(config) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=wanted.chromium, args=list(BROWSER_ARGUMENTS))
        for picture in pictures:
            if wanted.names and picture.name not in wanted.names:
                continue
            page = browser.new_page(viewport=ViewportSize(width=picture.width, height=picture.height), color_scheme="light")
            for name, value in REMEMBERED.items():
                page.add_init_script(f"localStorage.setItem({json.dumps(name)}, {json.dumps(value)})")
            take(page, url, picture, wanted.out / f"{picture.name}.png")
            page.close()
            sys.stdout.write(f"{picture.name}.png\n")
        browser.close()
    return 0


def take_report(config: Path, chromium: str, file: Path) -> None:
    """The beginning of the newest month's report."""
    lake = Lake(load_settings(config))
    month = newest_month(lake)
    if month is None:
        raise RuntimeError(f"The lake of {config} holds no bill.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_ARGUMENTS))
        page = browser.new_page(viewport=REPORT_SIZE, color_scheme="light")
        page.set_content(page_of(contents_of(lake, month)))
        page.screenshot(path=file)
        browser.close()
    make_small(file)
    sys.stdout.write(f"{file.name}\n")


def take(page: Page, url: str, picture: Picture, file: Path) -> None:
    """Open a page, wait for what it must show and for its drawing to end, and keep the picture."""
    page.goto(f"{url}{picture.path}")
    page.get_by_text(picture.shows).first.wait_for(timeout=60_000)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    if picture.path == "/asset-groups":
        # Beside the list of groups the graph has no room; it stays where it is when the list goes.
        page.locator("button").filter(has=page.locator('[aria-label^="panel_show"]')).last.click()
        page.wait_for_timeout(SETTLE_MILLISECONDS)
    kept = picture.kept_width or picture.width
    page.screenshot(path=file, clip=FloatRect(x=0, y=0, width=kept, height=picture.height))
    make_small(file)


def make_small(file: Path) -> None:
    """Keep the 256 colours that a picture of a UI hardly exceeds: a third of the size, and no difference to the eye."""
    try:
        from PIL import Image
    except ImportError:
        sys.stderr.write(f"{file.name} stays large: run this with `uv run --with pillow`.\n")
        return
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(file, optimize=True)


@contextmanager
def dagster_ui(config: Path) -> Iterator[str]:
    """``dagster dev`` on a configuration and a free port, its address as soon as it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
        "COST_LAKEHOUSE_CONFIG": str(config),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, stdout=log, stderr=log)
        try:
            wait_until_it_answers(f"{url}/server_info", process, log)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Ask until there is an answer.

    Raises RuntimeError where the process ends before, or never answers.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"dagster dev ended: {log.read()[-3000:].decode(errors='replace')}")
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"{address} did not answer within {START_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
