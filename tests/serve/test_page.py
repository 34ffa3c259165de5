"""The first page shows what ``/v1`` answers, in cents; whatever a bill holds is text on it, and nothing else is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.rates import rates_of
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.outlook.marts import refresh_outlook
from cost_lakehouse.report.charts import daily_chart
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.page.ahead import in_one_currency
from cost_lakehouse.serve.page.view import cents, first_of
from tests.ask.marts import Line
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
    assert ["acme", "estimated", "2026-11-03 04:02", "202610-1", "none", "receipts"] in shown
    assert ["EUR", "3.00", "0.00", "+3.00", "new"] in shown
    assert ["USD", "25.50", "6.00", "+19.50", "+325.0%"] in shown
    assert ["AmazonEC2", "USD", "15.50", "60.8%", "4.00", "+11.50", "+287.5%", "rows"] in shown
    assert ["No service", "USD", "2.00", "7.8%", "0.00", "+2.00", "new", "rows"] in shown
    assert ["2026-10-02", "12.25", "5.25", "7.00", "", "", "rows"] in shown
    assert ["AmazonRDS", "gone", "USD", "0.00", "2.00", "-2.00", "-100.0%"] in shown
    assert ["Tax", "USD", "1.00", "3.9%", "0.00", "+1.00", "new"] in shown
    assert len(answer.content) < 200_000

    by_team = cells(client.get("/?month=2026-10&tag=team").text)
    assert ["red", "USD", "10.25", "40.2%", "0.00", "+10.25", "new", ""] in by_team
    assert ["USD", "10.00", "25.50", "39.2%"] in by_team  # without the tag


def test_every_link_of_the_page_leads_somewhere_and_narrows_it(client: TestClient) -> None:
    links = {unescape(link) for link in re.findall(r'href="([^"]+)"', client.get("/?month=2026-10").text)}

    assert all(link.startswith(("/", "#")) for link in links)
    behind = {link for link in links if link.startswith("/lines")}  # of marts that are written by hand nothing is behind
    pages = {link for link in links if link.startswith("/?")}
    followed = {link for link in links - behind - pages if not link.startswith("#")} | {*sorted(pages)[:2]}
    assert {client.get(link).status_code for link in followed} == {200}
    narrowed = "/?month=2026-10&filter=service%3DAmazonEC2"
    assert {narrowed, "/lines?from=2026-10&to=2026-11&service=AmazonEC2"} <= links
    assert ["USD", "15.50", "4.00", "+11.50", "+287.5%"] in cells(client.get(narrowed).text)


def test_what_a_bill_holds_is_never_markup(hostile: TestClient) -> None:
    page = hostile.get("/").text

    assert HOSTILE not in page
    assert "<script" not in page
    assert [HOSTILE, "USD", "1,234.50", "98.0%", "0.00", "+1,234.50", "new", "rows"] in cells(page)
    (link,) = {unescape(found) for found in re.findall(r'href="(/\?[^"]*script[^"]*)"', page)}
    narrowed = hostile.get(link).text
    assert "<script" not in narrowed
    assert ["USD", "1,234.50", "0.00", "+1,234.50", "new"] in cells(narrowed)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(client: TestClient) -> None:
    answer = client.get("/")

    assert not re.search(r"https?://|<script|\sstyle=|\son\w+=", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert client.get("/style.css").headers["content-type"].startswith("text/css")
    assert client.get("/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert client.get("/?nope=1").status_code == 400


def test_a_month_that_runs_is_beside_the_same_days_and_what_may_still_grow_is_hatched(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    september = Line(date(2026, 9, 20), date(2026, 9, 1), "1", "AmazonEC2", "USD", Decimal(50))
    running = (*(entry for entry in LINES if entry.day.day < 20), september)
    lake = small_lake(tmp_path_factory.mktemp("running"), running)
    with TestClient(application(lake), base_url="http://localhost") as client:
        page = client.get("/?month=2026-10").text
        exact = client.get("/v1/costs?from=2026-10-01&to=2026-10-04&compare=month").json()["meta"]["totals"]

    # 1 to 3 October came to 24.50; 1 to 3 September to 6, without what was used later.
    assert ["USD", "24.50", "6.00", "+18.50", "+308.3%"] in cells(page)
    assert [(total["currency"], total["cost"], total["before"]) for total in exact] == [("EUR", "3", "0"), ("USD", "24.5", "6")]
    assert "from=2026-10-01&amp;to=2026-10-04" in page


def test_a_bill_that_differs_from_the_forecast_of_its_days_says_why(tmp_path: Path) -> None:
    registrar = Line(date(2026, 11, 1), date(2026, 10, 1), "1", "Registrar", "USD", Decimal(14))
    lake = small_lake(tmp_path, (*LINES, registrar))
    refresh_outlook(lake, datetime(2026, 11, 10, tzinfo=UTC))
    with TestClient(application(lake), base_url="http://localhost") as client:
        page = unescape(client.get("/?month=2026-10").text)
        narrowed = client.get("/?month=2026-10&filter=service=AmazonEC2").text

    assert ["USD", "39.50", "6.00", "+33.50", "+558.3%"] in cells(page)
    forecasts = [["EUR", "3.00", "3.00", "3.00", "3.00", "–"], ["USD", "25.50", "25.50", "25.50", "25.50", "–"]]
    assert [row for row in cells(page) if row in forecasts] == forecasts  # in the order of currencies, as everywhere
    said = (
        "Its bills come to 39.50 USD: 14.00 of them is dated on days outside the month, and 0.00 is of its days on other bills"
    )
    assert said in page
    assert page.count("Its bills come to") == 1  # of euros bills and days are the same
    assert "Its bills come to" not in narrowed


def test_costs_are_told_in_one_currency_where_there_are_rates(client: TestClient, tmp_path: Path) -> None:
    config = small_lake(tmp_path).settings.file
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    table = "month,from,to,rate,source\n2026-10,EUR,USD,1.25,<i>ECB</i>\n"
    config.with_name("rates.csv").write_text(table, encoding="utf-8")
    with TestClient(application(Lake(load_settings(config))), base_url="http://localhost") as asked:
        page = asked.get("/?month=2026-10&currency=USD").text
        missing = asked.get("/?month=2026-10&currency=EUR")
        csv = asked.get(unescape(re.findall(r'href="(/v1/costs[^"]*)">CSV of the totals', page)[0])).text

    assert ["USD", "29.25", "6.00", "+23.25", "+387.5%"] in cells(page)
    assert "Converted by the rates of the bills' months: 2026-10 EUR at 1.25 (&lt;i&gt;ECB&lt;/i&gt;)." in page
    assert csv.splitlines()[1].startswith("USD,29.25,6,23.25")
    assert 'href="/lines' not in page
    assert (missing.status_code, missing.json()["error"]) == (400, "There is no rate of 2026-09 from USD to EUR.")
    assert 'name="currency"' not in client.get("/").text


def test_a_forecast_is_told_in_one_currency_at_its_month_s_rate(tmp_path: Path) -> None:
    registrar = Line(date(2026, 11, 1), date(2026, 10, 1), "1", "Registrar", "USD", Decimal(14))
    config = small_lake(tmp_path, (*LINES, registrar)).settings.file
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    config.with_name("rates.csv").write_text("month,from,to,rate,source\n2026-10,EUR,USD,1.25,ECB\n", encoding="utf-8")
    lake = Lake(load_settings(config))
    refresh_outlook(lake, datetime(2026, 11, 10, tzinfo=UTC))
    with TestClient(application(lake), base_url="http://localhost") as client:
        page = client.get("/?month=2026-10&currency=USD").text
        own = client.get("/?month=2026-10").text

    assert ["EUR in USD", "3.75", "3.75", "3.75", "3.75", "–"] in cells(page)
    assert ["USD", "25.50", "25.50", "25.50", "25.50", "–"] in cells(page)
    assert ["all in USD", "29.25", "–", "–", "29.25", "–"] in cells(page)
    assert "A forecast is of the month's days. Converted by the rates of the months: 2026-10 EUR at 1.25 (ECB)." in page
    assert "Its bills come to" not in page
    assert ["EUR", "3.00", "3.00", "3.00", "3.00", "–"] in cells(own)
    assert "all in" not in own


def test_budgets_are_converted_where_one_rate_is_that_of_all_their_costs() -> None:
    def budget(name: str, currency: str, end: date, forecast: str | None = "12") -> dict[str, object]:
        ahead = None if forecast is None else Decimal(forecast)
        return {"budget": name, "currency_code": currency, "period_begin": date(2026, 10, 1), "period_end": end,
                "amount": Decimal(10), "spent": Decimal("2.5"), "forecast_cost": ahead}  # fmt: skip

    rates = rates_of("month,from,to,rate,source\n2026-10,EUR,USD,1.25,ECB\n", "rates.csv")
    month, quarter = date(2026, 11, 1), date(2027, 1, 1)
    budgets = [
        budget("a", "EUR", month),
        budget("b", "EUR", quarter),
        budget("c", "GBP", month, None),
        budget("d", "USD", quarter),
    ]

    told = in_one_currency([], budgets, "USD", rates)

    shown = [(row["budget"], row["told_in"], row["amount"], row["spent"], row["forecast_cost"]) for row in told.budgets]
    own = (Decimal(10), Decimal("2.5"))
    assert shown == [
        ("a", "USD", Decimal("12.5"), Decimal("3.125"), Decimal(15)),
        ("b", "EUR", *own, Decimal(12)),
        ("c", "GBP", *own, None),
        ("d", "USD", *own, Decimal(12)),
    ]
    assert told.longer == ["b"]
    assert told.missing == ("There is no rate of 2026-10 from GBP to USD",)
    assert [(rate.base, rate.rate) for rate in told.rates] == [("EUR", Decimal("1.25"))]


def test_what_is_added_up_as_others_is_what_the_query_core_adds_up() -> None:
    rows = [Row(None, (name,), "USD", Decimal(cost), Decimal(1), 2) for name, cost in (("a", 9), ("b", 5), ("c", -3))]

    assert first_of(rows, 3) == rows
    assert first_of(rows, 1) == [rows[0], Row(None, (), "USD", Decimal(2), Decimal(2), 4, True, 2)]


def test_days_that_may_still_grow_are_a_part_of_the_chart() -> None:
    days = [Row(date(2026, 10, number), ("a",), "USD", Decimal(1), None, 1) for number in (1, 2, 3, 4)]

    assert daily_chart(days, "service").unsettled is None
    assert daily_chart(days, "service", date(2026, 10, 3)).unsettled == (880 - 2 * 204, 2 * 204)
    assert cents(Decimal("-1234.565")) == "-1,234.56"
