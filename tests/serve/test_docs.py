"""What the pages about ``serve`` tell people to ask is asked here."""

from __future__ import annotations

import re
import shlex

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.ask.dimensions import measures
from cost_lakehouse.serve import ahead, changes, explained, v1
from cost_lakehouse.serve.parameters import COST_PARAMETERS
from tests.docs.pages import ROOT, Example, commands

PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
PAGES = ("serve.md", "koku-api.md", "opencost-api.md")
CALLS = [example for example in commands() if example.page.name in PAGES and example.text.startswith("curl ")]


def test_every_command_of_the_page_is_run() -> None:
    others = [one.text for one in commands() if one.page.name in PAGES and one not in CALLS]

    assert others == ["uv run cost-lakehouse serve --port 8080"]  # tests/serve/test_server.py starts it
    assert len(CALLS) > 9


@pytest.mark.parametrize("example", CALLS, ids=str)
def test_a_call_of_the_page_is_answered(example: Example, client: TestClient) -> None:
    arguments = shlex.split(example.text.replace("acme-payer", "acme"))
    headers = dict([arguments[2].split(": ", 1)]) if arguments[1] == "--header" else {}
    path = arguments[-1].removeprefix("http://localhost:8080")

    answer = client.get(path, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(headers.get("Accept", "application/json"))


def test_the_page_names_every_route_parameter_and_basis() -> None:
    assert re.findall(r"^\| `(/v1/[^`]+)` \|", PAGE, re.MULTILINE) == [
        path for path, _ in (*v1.ROUTES, *ahead.ROUTES, *changes.ROUTES, *explained.ROUTES)
    ]
    (table,) = re.findall(r"^\| parameter \| meaning \| default \|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {*COST_PARAMETERS, "as_of", "format"}
    assert [measure.name for measure in measures() if f"`{measure.name}`" not in table] == []
