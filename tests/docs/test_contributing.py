"""What a developer finds: make targets, hooks that fetch nothing, decisions, and links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "decisions" / "README.md", *DECISIONS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_the_other_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_make_knows_every_target_that_is_named() -> None:
    written = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = dict(re.findall(r"^([a-z]+):.*## (.+)$", written, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.+)$", written, re.MULTILINE)
    assert set(phony.split()) == set(targets)
    named = re.findall(r"^make +([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert set(named) <= set(targets)


def test_hooks_are_local_and_run_what_is_installed() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith("uv run ")


def test_every_decision_is_listed_with_its_number() -> None:
    listed = re.findall(
        r"^\| \[(\d+)\]\((\S+)\)", (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [(int(number), file) for number, file in listed] == [
        (at, decision.name) for at, decision in enumerate(DECISIONS, start=1)
    ]
    for at, decision in enumerate(DECISIONS, start=1):
        text = decision.read_text(encoding="utf-8")
        assert text.startswith(f"# {at}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
