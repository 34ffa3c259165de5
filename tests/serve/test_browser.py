"""The first page in a real browser: what is shown is what ``/v1`` answers, links narrow it, keys reach it, axe finds nothing.

Costs some ten seconds: one server, one browser, six page loads; skipped where there is no chromium.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.report.contents import contents_of
from cost_lakehouse.report.page import page_of
from tests.serve.conftest import small_lake

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="There is no chromium on this machine.")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The small lake, with a rate from euros to dollars."""
    made = small_lake(tmp_path_factory.mktemp("lake"))
    config = made.settings.file
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    config.with_name("rates.csv").write_text("month,from,to,rate,source\n2026-10,EUR,USD,1.25,ECB\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def address(lake: Lake) -> Iterator[str]:
    """The small lake, served by the command."""
    arguments = [sys.executable, "-m", "cost_lakehouse.cli", "serve", "--port", "0", "--config", str(lake.settings.file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One chromium."""
    with sync_playwright() as playwright:
        # A container's root has no sandbox to be put into.
        sandbox = hasattr(os, "geteuid") and os.geteuid() != 0
        started = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=sandbox)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The first page; whatever it asks for elsewhere, or the browser complains of, is a failure."""
    context = browser.new_context(base_url=address)
    shown = context.new_page()
    wrong: list[str] = []
    shown.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
    shown.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    shown.goto("/?month=2026-10&tag=team")
    yield shown
    context.close()
    assert wrong == []


def table(page: Page, label: str) -> list[list[str]]:
    """The cells of a table's body, by the name of its region."""
    rows = page.get_by_role("group", name=label, exact=True).locator("tbody tr").all()
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows]


def asked(address: str, path: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{address}{path}", timeout=60) as answer:  # noqa: S310
        rows: list[dict[str, Any]] = json.loads(answer.read())["data"]
    return rows


def money(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def cents(text: str) -> Decimal:
    return round(Decimal(text), 2)


def test_every_number_of_the_tables_is_that_of_the_api_and_of_the_csv_below(page: Page, address: str) -> None:
    for title, name, missing in (
        ("Services", "service", "No service"),
        ("Accounts", "account", "No account"),
        ("Regions", "region", "No region"),
        ("Tag team", "tag:team", "No team"),
    ):
        shown = [(row[0], row[1], money(row[2]), money(row[4]), money(row[5])) for row in table(page, title)]
        query = f"/v1/costs?month=2026-10&group_by={name}&compare=previous&top=10"
        told = [
            (row[name] or missing, row["currency"], cents(row["cost"]), cents(row["before"]), cents(row["change"]))
            for row in asked(address, query)
        ]
        assert shown == told
        section = page.locator("section", has=page.get_by_role("heading", name=title, exact=True))
        link = section.get_by_role("link", name=re.compile("^CSV of")).get_attribute("href")
        with urllib.request.urlopen(f"{address}{link}", timeout=60) as answer:  # noqa: S310
            exact = list(csv.DictReader(io.StringIO(answer.read().decode())))
        assert [(row["currency"], cents(row["cost"])) for row in exact] == [(row[1], row[2]) for row in shown]
    totals = [(row[0], money(row[1]), money(row[2])) for row in table(page, "Totals")]
    whole = asked(address, "/v1/costs?month=2026-10&compare=previous")
    assert totals == [(row["currency"], cents(row["cost"]), cents(row["before"])) for row in whole]
    page.get_by_text("4 days in USD as a table").click()
    days = [(row[0], money(row[1])) for row in table(page, "Days in USD")]
    answered = asked(address, "/v1/costs?month=2026-10&granularity=day&filter=billing_currency=USD")
    assert days == [(row["date"], cents(row["cost"])) for row in answered]


def test_clicks_narrow_the_page_and_the_way_back_is_a_click(page: Page, address: str) -> None:
    page.get_by_role("group", name="Services", exact=True).get_by_role("link", name="AmazonEC2").first.click()
    (usd,) = table(page, "Totals")
    (row,) = asked(address, "/v1/costs?month=2026-10&compare=previous&filter=service=AmazonEC2")
    assert (money(usd[1]), money(usd[2])) == (cents(row["cost"]), cents(row["before"]))
    page.get_by_role("group", name="Accounts", exact=True).get_by_role("link", name="2", exact=True).click()
    assert [money(entry[1]) for entry in table(page, "Totals")] == [Decimal("5.25")]
    page.get_by_role("link", name="Remove service=AmazonEC2").click()
    page.get_by_role("link", name="Remove account=2").click()
    assert [entry[0] for entry in table(page, "Totals")] == ["EUR", "USD"]
    page.get_by_label("Bars").select_option("region")
    page.get_by_role("button", name="Show").click()
    assert "by=region" in page.url
    assert page.get_by_role("heading", name="Day by day, by region").is_visible()


def test_a_currency_that_is_chosen_tells_all_costs_in_it(page: Page, address: str) -> None:
    page.locator('select[name="currency"]').select_option("USD")
    page.get_by_role("button", name="Show").click()
    ((currency, total, before, *_),) = table(page, "Totals")
    (row,) = asked(address, "/v1/costs?month=2026-10&compare=previous&currency=USD")
    assert (currency, money(total), money(before)) == ("USD", cents(row["cost"]), cents(row["before"]))
    assert row["cost"] == "29.25"
    assert page.get_by_text("2026-10 EUR at 1.25 (ECB)").is_visible()
    services = {entry[0]: money(entry[2]) for entry in table(page, "Services")}
    assert sum(services.values()) == money(total)
    page.get_by_role("group", name="Services", exact=True).get_by_role("link", name="AmazonS3").first.click()
    assert [money(entry[1]) for entry in table(page, "Totals")] == [Decimal("10.75")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    found = Axe().run(page)

    assert [(wrong["id"], [node["html"][:120] for node in wrong["nodes"]]) for wrong in found.response["violations"]] == []


def test_it_fits_a_telephone_and_is_reached_by_keys(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the costs"
    page.keyboard.press("Enter")
    assert page.url.endswith("#whole")
    page.set_viewport_size({"width": 3840, "height": 2160})
    assert page.evaluate("document.documentElement.scrollWidth") <= 3840


def test_the_report_can_be_read_on_a_telephone(browser: Browser, lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "costs.html"
    file.write_text(page_of(contents_of(lake, date(2026, 10, 1))), encoding="utf-8")
    context = browser.new_context(viewport={"width": 320, "height": 640})
    shown = context.new_page()
    shown.goto(file.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= 320
    # Letters of 11 pixels at the chart's full width; squeezed into the telephone's they were 4 high.
    assert (
        min(shown.evaluate("[...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height)")) >= 9
    )
    found = Axe().run(shown)
    assert [wrong["id"] for wrong in found.response["violations"]] == []
    context.close()
