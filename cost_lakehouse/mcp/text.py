"""Text out of bills as an agent gets it: data that shows all its characters, and no longer than a tag may be. Pure.

Whoever can name a resource can write into a bill. What they wrote is a value, and must not look like anything else: it stays
inside a JSON string, and no character of it is invisible or turns the direction of the others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST = 256
"""Characters: as many as a tag's value may have at AWS and Oracle."""

_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def shown(text: str) -> str:
    """The text with each invisible character written as ``\\u202e``, cut after ``LONGEST`` characters."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
    return visible(cut)


def visible(text: str) -> str:
    """The text, however long, with each invisible character written out."""
    return "".join(_visible(character) for character in text)


def as_data(value: Any) -> Any:
    """A JSON document whose texts, names of fields too, are shown in that way."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(str(name)): as_data(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(inner) for inner in value]
    return value


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
