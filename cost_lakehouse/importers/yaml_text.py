"""Sources as the text of ``lakehouse.yaml``, put below its ``sources:``; everything else stays as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.importers.drafts import Draft

_KEY = "sources"
_BY_HAND = "Add the printed sources by hand."


def as_yaml(drafts: Sequence[Draft], indent: int = 2) -> str:
    """The items of ``sources:``, each below its comments."""
    return "".join(_item(draft, " " * indent) for draft in drafts)


def _item(draft: Draft, indent: str) -> str:
    # On one line each, whatever they quote: the next one would be read as YAML.
    comments = "".join(f"{indent}# {' '.join(comment.split())}\n" for comment in draft.comments)
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in draft.values.items()}
    text = yaml.safe_dump([{"name": draft.name, **values}], sort_keys=False, width=10_000, allow_unicode=True)
    return comments + "".join(f"{indent}{line}\n" for line in text.splitlines())


def with_sources(text: str, drafts: Sequence[Draft]) -> str:
    """The text of a ``lakehouse.yaml`` with the sources added after those that are there.

    Raises ConfigurationError where they cannot be put there without rewriting what stands there.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pair = _sources_of(root)
    if pair is None:
        if isinstance(root, yaml.MappingNode) and root.flow_style:
            raise ConfigurationError("The file is one flow mapping ({...}), to which nothing can be added.", _BY_HAND)
        added, at, indent = [f"{_KEY}:"], _end(lines), 2
    else:
        key, value = pair
        added = []
        at, indent = _place(lines, key, value)
    added += as_yaml(drafts, indent).splitlines()
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    return "".join([*lines[:at], *(f"{line}{newline}" for line in added), *lines[at:]])


def _sources_of(root: Any) -> tuple[Any, Any] | None:
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError("The file is no mapping of keys.", "See lakehouse.example.yaml.")
    return next(((key, value) for key, value in root.value if key.value == _KEY), None)


def _place(lines: list[str], key: Any, value: Any) -> tuple[int, int]:
    """The line before which to add, and the indentation of the items."""
    line = key.start_mark.line
    if isinstance(value, yaml.ScalarNode) and not value.value.strip() and value.start_mark.line == value.end_mark.line:
        return line + 1, 2
    if isinstance(value, yaml.SequenceNode) and not value.value and value.start_mark.line == line:
        # `sources: []`: the brackets give way to the items.
        before, after = lines[line][: value.start_mark.column], lines[line][value.end_mark.column :]
        lines[line] = before.rstrip() + after
        return line + 1, 2
    if not isinstance(value, yaml.SequenceNode) or value.flow_style or not value.value:
        raise ConfigurationError(f"`{_KEY}` is not written as a list with a line for each key.", _BY_HAND)
    indent = value.start_mark.column
    at = _last_line(value) + 1
    # Comments that are indented like the last source's keys are its own.
    while at < len(lines) and lines[at].lstrip().startswith("#") and _depth(lines[at]) > indent:
        at += 1
    return at, indent


def _last_line(node: Any) -> int:
    """The line where a node's text ends; the end of a block that YAML tells is where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        mark = node.end_mark
        return int(mark.line) - (1 if mark.column == 0 and mark.line > node.start_mark.line else 0)
    ends = [node.start_mark.line]
    for candidate in node.value:
        ends += [_last_line(part) for part in (candidate if isinstance(candidate, tuple) else (candidate,))]
    return int(max(ends))


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: list[str]) -> int:
    """Where something is added at the file's end: before the line that ends a document."""
    return next((index for index, line in enumerate(lines) if line.rstrip() == "..."), len(lines))
