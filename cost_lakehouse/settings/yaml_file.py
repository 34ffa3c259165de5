"""Reads configuration files: YAML, with ``${NAME}`` taken from the environment; what is wrong is said by field."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from cost_lakehouse.errors import ConfigurationError

_ENVIRONMENT_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_yaml(path: Path) -> Any:
    """The document of a file; None where it is empty.

    Raises ConfigurationError where it cannot be read, is no YAML, or needs a variable that is not set.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "Correct the path, or its rights.") from None
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


def explain(error: Any) -> str:
    """One line for one wrong field, of pydantic's errors; the value is left out, as it may be a secret."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".") or "the file"
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{place}: unknown key; remove it or correct its spelling"
    if kind == "missing":
        return f"{place}: is missing; add it"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def _with_environment(node: Any, field: str, file: Path) -> Any:
    """Replace ``${NAME}`` in every text by the environment's value."""
    if isinstance(node, dict):
        return {key: _with_environment(value, f"{field}.{key}".lstrip("."), file) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_environment(value, f"{field}[{index}]", file) for index, value in enumerate(node)]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise ConfigurationError(
                f"{file}: {field} needs the environment variable {name}, which is not set.", f"Set {name}."
            )
        return os.environ[name]

    return _ENVIRONMENT_REFERENCE.sub(value_of, node)
