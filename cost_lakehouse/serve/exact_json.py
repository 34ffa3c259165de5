"""JSON whose decimals are numbers, for clients that expect numbers: every digit is written, whatever a reader makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.serve.replies import plain_value


def exact_json(document: Any) -> str:
    """The document as JSON text."""
    if isinstance(document, Mapping):
        return "{" + ",".join(f"{_text(str(name))}:{exact_json(value)}" for name, value in document.items()) + "}"
    if isinstance(document, list | tuple):
        return "[" + ",".join(map(exact_json, document)) + "]"
    if isinstance(document, Decimal):
        return plain(document)
    return _text(document)


def _text(value: Any) -> str:
    return json.dumps(value, default=plain_value, ensure_ascii=False, allow_nan=False)
