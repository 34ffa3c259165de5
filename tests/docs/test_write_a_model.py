"""``docs/write-a-model.md`` works word by word: its files are written and its commands run, in the order of the page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from sample_bills.__main__ import main as make_bills
from tests.demo import command
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "write-a-model.md"
_STEP = re.compile(r"(?:^`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BILLS = "uv run python -m sample_bills "


def steps() -> Iterator[tuple[str, str, str]]:
    """The page's blocks in their order: the file that one is the content of (or empty), its language, its text."""
    for match in _STEP.finditer(PAGE.read_text(encoding="utf-8")):
        yield match.group(1) or "", match.group(2), match.group(3)


def test_the_page_works_from_the_first_command_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers: dict[str, str] = {}
    for file, language, text in steps():
        if file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
            continue
        assert language == "bash", f"a block that is neither a file nor commands: {text}"
        for line in text.splitlines():
            if line.startswith(_BILLS):
                assert make_bills(shlex.split(line.removeprefix(_BILLS))) == 0
                continue
            assert line.startswith("uv run cost-lakehouse "), line
            result = command(*shlex.split(line.removeprefix("uv run cost-lakehouse ")))
            assert result.exit_code == 0, f"{line}\n{result.output}"
            answers[line.split()[3]] = result.output

    assert "AmazonEC2" in answers["query"]
    both = command(
        "query",
        "select (select sum(billed_cost) from marts.service_costs) as own, "
        "(select sum(billed_cost) from marts.daily_costs) as ours, "
        "(select count(distinct billing_period) from marts.service_costs) as months",
        "--format",
        "csv",
    )
    own, ours, months = both.stdout.splitlines()[1].split(",")
    assert Decimal(own) == Decimal(ours) != 0
    assert months == "2"
