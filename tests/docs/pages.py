"""The examples of README and docs: fenced blocks, with the page and line they stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One fenced block, or one line of a block of commands."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Example]:
    """Every block in one of these languages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            if match.group(1) in languages:
                found.append(Example(page, text.count("\n", 0, match.start()) + 2, match.group(2)))
    return found


def commands() -> list[Example]:
    """Every line of every block of shell commands."""
    lines = [
        Example(block.page, block.line + number, line)
        for block in blocks("bash", "sh", "shell", "console")
        for number, line in enumerate(block.text.splitlines())
    ]
    return [candidate for candidate in lines if candidate.text.strip()]
