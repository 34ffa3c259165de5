"""The first page shows what ``/v1`` answers, in cents; whatever a bill holds is text on it, and nothing else is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.page.view import cents, days_of
from tests.serve.conftest import LINES, line, small_lake

HOSTILE = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A lake with a service whose name is markup."""
    made = small_lake(tmp_path_factory.mktemp("hostile"), (*LINES, line(4, HOSTILE, "1234.5")))
    with TestClient(application(made), base_url="http://localhost") as client:
        yield client


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]


def test_the_page_shows_the_bills_the_totals_and_what_they_are_of(client: TestClient) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    shown = cells(answer.text)
    assert ["acme", "estimated", "202610-1", "receipts"] in shown
    assert ["EUR", "3.00", "0.00", "3.00", "new"] in shown
    assert ["USD", "25.50", "6.00", "19.50", "+325.0%"] in shown
    assert ["AmazonEC2", "USD", "15.50", "60.8%", "4.00", "11.50"] in shown
    assert ["No service", "USD", "2.00", "7.8%", "0.00", "2.00"] in shown
    assert ["2026-10-02", "12.25"] in shown
    assert len(answer.content) < 200_000


def test_every_link_of_the_page_leads_somewhere_and_narrows_it(client: TestClient) -> None:
    links = {unescape(link) for link in re.findall(r'href="([^"]+)"', client.get("/?month=2026-10").text)}

    assert all(link.startswith("/") for link in links)
    assert {client.get(link).status_code for link in links} == {200}
    (narrowed,) = [link for link in links if "AmazonEC2" in link]
    assert ["USD", "15.50", "4.00", "11.50", "+287.5%"] in cells(client.get(narrowed).text)


def test_what_a_bill_holds_is_never_markup(hostile: TestClient) -> None:
    page = hostile.get("/").text

    assert HOSTILE not in page
    assert "<script" not in page
    assert [HOSTILE, "USD", "1,234.50", "98.0%", "0.00", "1,234.50"] in cells(page)
    (link,) = {unescape(found) for found in re.findall(r'href="(/\?[^"]*script[^"]*)"', page)}
    narrowed = hostile.get(link).text
    assert "<script" not in narrowed
    assert ["USD", "1,234.50", "0.00", "1,234.50", "new"] in cells(narrowed)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(client: TestClient) -> None:
    answer = client.get("/")

    assert not re.search(r"https?://|<script|\sstyle=|\son\w+=", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert client.get("/style.css").headers["content-type"].startswith("text/css")
    assert client.get("/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert client.get("/?nope=1").status_code == 400


def test_a_refund_hangs_below_the_zero_line() -> None:
    days = [
        Row(date(2026, 10, number), (), "USD", Decimal(cost), None, 1) for number, cost in ((1, "90"), (2, "-30"), (3, "0"))
    ]

    ((bars),) = [found.bars for found in days_of(days)]

    assert [(bar.x, bar.y, bar.height) for bar in bars] == [(0, 0, 90), (16, 90, 30), (32, 89, 1)]
    assert cents(Decimal("-1234.565")) == "-1,234.56"
