"""Terraform's canonical format, as far as it can be told line by line: for machines that have no ``terraform fmt``."""

from __future__ import annotations

import re

_STRING = re.compile(r'"(?:\\.|\$\{(?:[^{}"]|"[^"]*"|\{[^{}]*\})*\}|[^"\\])*"')
_ASSIGNMENT = re.compile(r"^ *[\w-]+( *)= (?! )")
_COMMENT = re.compile(r"(?:^|(?<= ))#.*$")


def faults(text: str) -> list[str]:
    """What ``terraform fmt`` would change, by line."""
    found = []
    lines = text.split("\n")
    if not text.endswith("\n") or text.endswith("\n\n"):
        found.append("the file does not end with one line break")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            found.append(f"{number}: a tab")
        if line != line.rstrip():
            found.append(f"{number}: space at the end")
        if re.match(r"^\s*//", line):
            found.append(f"{number}: a comment starts with #")
    code = [_blanked(line) for line in lines]
    return found + _indents(lines, code) + _equal_signs(code) + _comments(lines, code)


def _blanked(line: str) -> str:
    """The line with other letters for its strings, and without its comment: as long as before, up to there."""
    quoted = _STRING.sub(lambda match: '"' + "_" * (len(match.group()) - 2) + '"', line)
    return _COMMENT.sub("", quoted).rstrip()


def _indents(lines: list[str], code: list[str]) -> list[str]:
    """Two spaces for each line that opened more brackets than it closed."""
    found = []
    open_lines: list[int] = []
    for number, (line, bare) in enumerate(zip(lines, code, strict=True), 1):
        closing = len(re.match(r"^ *([)\]}]*)", bare).group(1))  # type: ignore[union-attr]
        _close(open_lines, closing)
        if line.strip() and len(line) - len(line.lstrip(" ")) != 2 * len(open_lines):
            found.append(f"{number}: the indent is not {2 * len(open_lines)}")
        rest = bare.lstrip(" ")[closing:]
        depth = lowest = 0
        for item in rest:
            depth += (item in "([{") - (item in ")]}")
            lowest = min(lowest, depth)
        _close(open_lines, -lowest)
        if depth - lowest > 0:
            open_lines.append(depth - lowest)
    return found


def _close(open_lines: list[int], brackets: int) -> None:
    while brackets and open_lines:
        taken = min(brackets, open_lines[-1])
        brackets -= taken
        open_lines[-1] -= taken
        if not open_lines[-1]:
            open_lines.pop()


def _equal_signs(code: list[str]) -> list[str]:
    """In lines that follow one another, each with the whole of its value, the signs stand below one another."""
    found = []
    block: list[tuple[int, int, int]] = []  # line, where the name ends, where the sign is
    for number, line in enumerate([*code, ""], 1):
        match = _ASSIGNMENT.match(line)
        whole = match and sum(line.count(item) for item in "([{") == sum(line.count(item) for item in ")]}")
        if match and whole:
            block.append((number, match.start(1), match.end(1)))
            continue
        found += _not_below(block)
        block = []
        if match and len(match.group(1)) != 1:
            found.append(f"{number}: one space before the equal sign")
    return found


def _not_below(block: list[tuple[int, int, int]]) -> list[str]:
    right = max((name for _, name, _ in block), default=0) + 1
    return [f"{number}: the equal sign is not in column {right + 1}" for number, _, sign in block if sign != right]


def _comments(lines: list[str], code: list[str]) -> list[str]:
    """Comments behind code, in lines that follow one another, stand below one another."""
    found = []
    block: list[tuple[int, int, int]] = []
    for number, (line, bare) in enumerate(zip([*lines, ""], [*code, ""], strict=True), 1):
        behind = bare.strip() and len(_STRING.sub(lambda match: "_" * len(match.group()), line).rstrip()) > len(bare)
        if behind:
            block.append((number, len(bare), line.index("#", len(bare))))
            continue
        found += [item.replace("equal sign", "comment") for item in _not_below(block)]
        block = []
    return found
