"""The pages themselves: links lead somewhere, tables name what is there."""

from __future__ import annotations

import re

import pytest
import typer

from cost_lakehouse.cli.app import app
from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page) -> None:  # type: ignore[no-untyped-def]
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page.name}: {target}"


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"docs/{page.name}" not in readme] == []


def test_the_readme_names_every_command_and_option() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    for name, command in group.commands.items():
        (row,) = re.findall(rf"^\| `cost-lakehouse {name}\b(.*)$", readme, re.MULTILINE)
        shown = [param for param in command.params if not getattr(param, "hidden", False)]
        options = [option for param in shown for option in param.opts if option.startswith("--")]
        # --config is said once for all; --summarize is the default, and only its opposite is worth a word.
        missing = [
            candidate
            for candidate in options
            if candidate not in row and candidate not in ("--config", "--summarize", "--help")
        ]
        assert missing == [], name
