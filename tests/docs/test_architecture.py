"""``docs/architecture.md`` describes what is there: its functions, folders and words."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "cost_lakehouse"


def test_every_function_of_the_walk_is_where_the_page_says() -> None:
    named = re.findall(r"`([\w/]+\.py)(?::(\w+))?`", PAGE)
    assert len(named) > 25
    missing = []
    for file, name in named:
        code = (PACKAGE / file).read_text(encoding="utf-8") if (PACKAGE / file).is_file() else ""
        if not code or (name and not re.search(rf"^(?:def|class) {name}\b", code, re.MULTILINE)):
            missing.append(f"{file}:{name}")
    assert missing == []


def test_every_package_has_its_line_and_no_other_is_named() -> None:
    (table,) = re.findall(r"^\| folder of `cost_lakehouse/` \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(named) == sorted(folder.parent.name for folder in PACKAGE.glob("*/__init__.py"))
