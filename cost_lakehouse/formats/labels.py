"""Texts that hold labels: JSON objects as FOCUS wants them, and the other shapes that providers and exporters really write."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass

Pair = tuple[str, str | None]

# Lists of objects name a label and its value by these: GCP's exports `key` and `value`, AWS's APIs `Key` and `Value`.
_KEYS = ("key", "name", "tagkey", "k")
_VALUES = ("value", "tagvalue", "v")
_LONGEST_LITERAL = 64 * 1024  # what is longer is no label set: Python's parser takes its time


@dataclass(frozen=True)
class Labels:
    """What a text says. Where it is not ``whole``, some labels are not among the pairs; ``rest``: it says more than labels."""

    pairs: list[Pair]
    whole: bool = True
    rest: bool = False


class _Number(str):
    """A number as it is spelled: no digit is lost."""

    __slots__ = ()


class _Object(tuple[tuple[str, object], ...]):
    """A JSON object's entries as they stand there, equal names included."""

    __slots__ = ()


_NOT_JSON = object()


def read_labels(text: str) -> Labels | None:
    """The labels in a text; None where it holds none that can be read. Equal keys may repeat: see ``without_repeats``.

    Read are a JSON object; its pairs without the braces (Azure); a list of objects with a key and a value each (GCP), of
    objects of labels, or of pairs; any of them as a JSON string, or in Python's quotes; and ``{key=value, key=value}`` (Athena,
    Hive). A value that is no text keeps its JSON spelling: ``true``, ``1.50``, ``{"a": 1}``; null stays null.
    """
    value = _parsed(text)
    if isinstance(value, str) and not isinstance(value, _Number):
        value = _parsed(value)  # JSON within a JSON string
    if value is None:
        return Labels([])
    if isinstance(value, _Object):
        return Labels([(key, _text(item)) for key, item in value])
    if isinstance(value, list):
        return _of_list(value)
    return _of_assignments(text.strip())


def without_repeats(labels: Labels) -> Labels:
    """Each key once, with the first value that is not empty; not whole where another value of it differs."""
    found: dict[str, str | None] = {}
    whole = labels.whole
    for key, value in labels.pairs:
        if not _is_text(key) or not _is_text(value or ""):
            whole = False
        elif not found.get(key):
            found[key] = value if value or key not in found else found[key]
        elif value and value != found[key]:
            whole = False
    return Labels(list(found.items()), whole, labels.rest)


def _is_text(value: str) -> bool:
    """Whether UTF-8 can spell it: JSON can escape half a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_text(value: object) -> str:
    """A value as JSON text; numbers as they were spelled."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, _Object):
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {json_text(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_text(part) for part in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str) -> object:
    """JSON, JSON's pairs without braces, or a Python literal; ``_NOT_JSON`` where it is none of them."""
    stripped = text.strip()
    value = _json(stripped)
    if value is _NOT_JSON and stripped.startswith('"'):
        value = _json("{" + stripped.rstrip(",; \t") + "}")
    # A backslash that Python does not know would be a warning.
    if value is _NOT_JSON and stripped[:1] in ("{", "[", "'") and len(stripped) <= _LONGEST_LITERAL and "\\" not in stripped:
        value = _literal(stripped if stripped[:1] != "'" else "{" + stripped + "}")
    return value


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _literal(text: str) -> object:
    """A Python literal (``{'env': 'prod'}``, as data frames write it) in the shapes that JSON has."""
    try:
        return _of_python(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return _NOT_JSON


def _of_python(value: object) -> object:
    if isinstance(value, dict):
        return _Object((str(key), _of_python(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return [_of_python(part) for part in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _Number(value)
    if value is None or isinstance(value, str | bool):
        return value
    raise ValueError


def _of_list(values: Sequence[object]) -> Labels | None:
    pairs: list[Pair] = []
    beside = False
    for candidate in values:
        if isinstance(candidate, _Object):
            pair, rest = _key_and_value(candidate)
            if pair is None:
                pairs += [(key, _text(value)) for key, value in candidate]
            else:
                pairs.append(pair)
                beside = beside or rest
        elif isinstance(candidate, list) and len(candidate) == 2 and type(candidate[0]) is str:
            pairs.append((candidate[0], _text(candidate[1])))
        else:
            return None
    return Labels(pairs, rest=beside)


def _key_and_value(entries: _Object) -> tuple[Pair | None, bool]:
    """The label that an object tells by a key and a value, and whether it says more than that; None where it is none."""
    key: str | None = None
    value: object = None
    rest = False
    for name, each in entries:
        plain = name.lower().replace("_", "")
        if plain in _KEYS and key is None and isinstance(each, str):
            key = str(each)
        elif plain in _VALUES:
            value = each
        else:
            rest = rest or each is not None
    if key is None or not any(name.lower().replace("_", "") in _VALUES for name, _ in entries):
        return None, False
    return (key, _text(value)), rest


def _of_assignments(text: str) -> Labels | None:
    """``{key=value, key=value}``: how Athena and Hive write a map, read only where there is no second way to read it."""
    if not (text.startswith("{") and text.endswith("}")):
        return None
    parts = [part.partition("=") for part in text[1:-1].split(", ")]
    if any(not sign or not key.strip() or "=" in value or '"' in key for key, sign, value in parts):
        return None
    return Labels([(key, None if value == "null" else value) for key, _, value in parts])


def _text(value: object) -> str | None:
    return value if value is None or type(value) is str else json_text(value)
