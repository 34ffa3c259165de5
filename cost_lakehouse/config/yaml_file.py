"""Reads configuration files: YAML, with ``${NAME}`` taken from the environment; what is wrong is said by field."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from cost_lakehouse.errors import ConfigurationError

# Whatever else follows `${` is matched too, without a name: it must not be used as it stands.
_ENVIRONMENT_REFERENCE = re.compile(r"\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<or_empty>:)?-(?P<default>[^${}]*))?\})?")
_MERGE = "tag:yaml.org,2002:merge"


class Strict(BaseModel):
    """Settings that refuse keys they do not know."""

    # Built on first use: a command that reads one file does not build the models of all others, nor any twice.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _KeyTwice(Exception):
    """A mapping has a key twice, in the lines ``first`` and ``again``."""

    def __init__(self, key: Any, first: int, again: int) -> None:
        self.key = key
        self.first = first
        self.again = again
        super().__init__(str(key))


def read_yaml(path: Path) -> Any:
    """The document of a file; None where it is empty.

    Raises ConfigurationError where it cannot be read, is no YAML, or needs a variable that is not set.
    """
    try:
        document = _load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "Correct the path, or its rights.") from None
    except _KeyTwice as error:
        raise ConfigurationError(
            f"{path}: the key {error.key!r} is there twice, in line {error.first} and in line {error.again}.",
            "Keep one of them; YAML would take the last one and drop the other without a word.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        # The place alone: YAML's own message quotes the line, which may hold what ought not to be shown.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(
            f"{path}{place}: not valid YAML, {getattr(error, 'problem', None) or 'unreadable'}.",
            "Look at brackets, quotes, colons and indentation there.",
        ) from None
    return _with_environment(document, "", path)


def _load(text: str) -> Any:
    """The document, as YAML's safe loader makes it. Raises _KeyTwice, and YAMLError."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_keys(loader, root, set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_keys(loader: yaml.SafeLoader, node: yaml.Node, checked: set[int]) -> None:
    """Before merges are resolved: what a merge (``<<``) brings may be said anew. An anchor's node is there several times."""
    if id(node) in checked:
        return
    checked.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(loader, item, checked)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[Any, int] = {}
        for key_node, value in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != _MERGE:
                key, line = loader.construct_object(key_node), key_node.start_mark.line + 1
                if key in lines:
                    raise _KeyTwice(key, lines[key], line)
                lines[key] = line
            _check_keys(loader, value, checked)


def explain(error: Any, tags: Collection[str] = ()) -> str:
    """One line for one wrong field, of pydantic's errors; the value is left out, as it may be a secret.

    ``tags`` are names of a union's members, which pydantic has in the path and the file has not.
    """
    parts = [part for part in error["loc"] if part not in tags]
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        parts.append(context["discriminator"].strip("'"))
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".") or "the file"
    if kind == "extra_forbidden":
        return f"{place}: unknown key; remove it or correct its spelling"
    if kind == "union_tag_invalid":
        return f"{place}: Input should be {context['expected_tags']}"
    if kind in ("missing", "union_tag_not_found"):
        return f"{place}: is missing; add it"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def _with_environment(node: Any, field: str, file: Path) -> Any:
    """Replace ``${NAME}`` in every text by the environment's value."""
    if isinstance(node, dict):
        return {key: _with_environment(value, f"{field}.{key}".lstrip("."), file) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_environment(value, f"{field}[{index}]", file) for index, value in enumerate(node)]
    return from_environment(node, field, file) if isinstance(node, str) else node


def from_environment(text: str, field: str, file: Path) -> str:
    """Replace ``${NAME}`` by the environment's value, ``${NAME:-default}`` by the default where there is none.

    As in a shell, ``:-`` takes the default for an empty value too, and ``-`` only where the variable is not set. Raises
    ConfigurationError where a variable is not set, or what follows ``${`` is neither.
    """

    def value_of(match: re.Match[str]) -> str:
        name, default = match.group("name"), match.group("default")
        if name is None:
            raise ConfigurationError(
                f"{file}: {field} refers to the environment in a way that is not understood.",
                "Write ${NAME}, or ${NAME:-default} for where NAME is not set or empty; a default holds no $, { or }.",
            )
        if default is not None and (not os.environ.get(name) if match.group("or_empty") else name not in os.environ):
            return default
        if name not in os.environ:
            raise ConfigurationError(
                f"{file}: {field} needs the environment variable {name}, which is not set.", f"Set {name}."
            )
        return os.environ[name]

    return _ENVIRONMENT_REFERENCE.sub(value_of, text)
