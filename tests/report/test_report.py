"""``report`` on the demo's lake: one file without script or request, whose numbers are those of the marts."""

from __future__ import annotations

import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from pypdf import PdfReader

from cost_lakehouse.report.pdf import browser
from tests.alerts.servers import smtp_server
from tests.demo import Told, command


class Page(HTMLParser):
    """Tags of a page, its exact amounts, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def page(demo: Told, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("report") / "october.html"
    answer = command("report", "--month", "2026-10", "--to", str(file), "--config", demo.config)
    assert answer.exit_code == 0, answer.output
    return file.read_text(encoding="utf-8")


def test_its_totals_are_those_of_the_marts(demo: Told, page: str) -> None:
    totals = demo.query(
        "select currency_code, sum(billed_cost) as cost from marts.daily_costs "
        "where billing_period = date '2026-10-01' group by 1"
    )

    shown = [Decimal(text) for text in re.findall(r'<span class="big" title="([^"]+)"', page)]
    assert sorted(shown) == sorted(Decimal(row["cost"]) for row in totals)


def test_of_a_settled_month_it_says_what_its_days_come_to_on_any_bill(demo: Told, page: str) -> None:
    days = demo.query(
        "select currency_code, sum(billed_cost) as cost from marts.daily_costs "
        "where usage_date between date '2026-10-01' and date '2026-10-31' group by 1"
    )

    shown = [Decimal(text) for text in re.findall(r'on whatever bill they are: <strong title="([^"]+)"', page)]
    assert sorted(shown) == sorted(Decimal(row["cost"]).quantize(Decimal("0.01")) for row in days)  # as forecasts are
    assert "Forecast of the month" not in page


def test_each_table_adds_up_to_the_total_above_it(page: str) -> None:
    for part in page.split("<section")[1:]:
        total = Decimal(re.findall(r'<span class="big" title="([^"]+)"', part)[0])
        tables = re.findall(r"<tbody>(.*?)</tbody>", part, re.DOTALL)
        for table in tables[:5]:  # days, and four dimensions; what moved is no whole
            rows = re.findall(r'</th><td class="n" title="([^"]+)"', table)
            assert sum(map(Decimal, rows)) == total


def test_it_says_which_bills_may_still_change(page: str) -> None:
    assert page.count("(may still change)") == 2
    assert "corrected" in page


def test_it_needs_nothing_but_itself(page: str) -> None:
    found = Page(page)

    assert not {"script", "link", "img", "iframe", "form"} & set(found.tags)
    assert found.links == []
    assert "default-src 'none'" in page
    assert len(page.encode()) < 200_000


def test_names_of_the_bill_are_text(page: str) -> None:
    assert "<script" not in page
    assert not any("{{" in text for text in Page(page).texts)


def test_a_month_without_bills_leaves_no_file(demo: Told, tmp_path: Path) -> None:
    answer = command("report", "--month", "2030-01", "--to", str(tmp_path / "x.html"), "--config", demo.config)

    assert answer.exit_code == 1
    assert "no bill of 2030-01" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_is_mailed_to_those_who_get_alerts(demo: Told, page: str, tmp_path: Path) -> None:
    for path in demo.folder.iterdir():
        if path.name != "lakehouse.yaml":
            (tmp_path / path.name).symlink_to(path)
    with smtp_server() as server:
        mail = {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "from": "lake@example.com",
            "to": ["finops@example.com"],
        }
        settings = yaml.safe_load(Path(demo.config).read_text(encoding="utf-8")) | {"alerts": {"email": mail}}
        (tmp_path / "lakehouse.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        answer = command("report", "--month", "2026-10", "--to", "mail", "--config", str(tmp_path / "lakehouse.yaml"))

    assert (answer.exit_code, answer.stdout.strip()) == (0, "Sent to finops@example.com.")
    (sent,) = server.mails
    assert sent["Subject"] == "[cost-lakehouse] Costs of October 2026"
    html = sent.get_body(("html",))
    assert html is not None
    assert html.get_content().split() == page.split()
    (attached,) = sent.iter_attachments()
    assert attached.get_filename() == "costs-2026-10.html"
    text = sent.get_body(("plain",))
    assert text is not None
    for total in re.findall(r'<span class="big" title="[^"]+">([^<]+)<', page):
        assert total in text.get_content()


@pytest.mark.skipif(browser() is None, reason="there is no chromium on this machine to print with")
def test_as_pdf_it_says_the_same_totals(demo: Told, page: str, tmp_path: Path) -> None:
    file = tmp_path / "october.pdf"

    answer = command("report", "--month", "2026-10", "--to", str(file), "--config", demo.config)

    assert answer.exit_code == 0, answer.output
    text = " ".join(part.extract_text() for part in PdfReader(file).pages)
    totals = re.findall(r'<span class="big" title="[^"]+">([^<]+)<', page)
    assert totals
    assert [total for total in totals if total not in text] == []
    assert [path.name for path in tmp_path.iterdir()] == ["october.pdf"]
