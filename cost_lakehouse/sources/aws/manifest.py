"""What a manifest of a legacy AWS Cost and Usage Report says: JSON in, checked facts out. Reads and lists nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from cost_lakehouse.sources.delivery import FileFormat

_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:T.*| .*)?")
_CSV_NAMES = (".csv", ".gz", ".zip")


class ManifestError(ValueError):
    """The manifest cannot be understood; the message says which field is wrong, without naming the file."""


@dataclass(frozen=True)
class CurManifest:
    """One delivery as AWS announces it. ``keys`` are as written, relative to the bucket, each once."""

    assembly_id: str
    report_name: str | None
    billing_period: date  # the first of the month
    keys: tuple[str, ...]
    file_format: FileFormat


def parse_manifest(content: bytes) -> CurManifest:
    """Read ``<report>-Manifest.json`` (fields: AWS CUR user guide, "Cost and Usage Reports delivery").

    Other fields are ignored: ``columns`` because files are read by their own header, which may hold more of them, and
    ``bucket`` because a replicated bucket has another name.
    Raises ManifestError.
    """
    document = _document(content)
    keys = _keys(document)
    return CurManifest(
        assembly_id=_text(document, "assemblyId"),
        report_name=_optional_text(document, "reportName"),
        billing_period=_billing_period(document),
        keys=keys,
        file_format=_file_format(document, keys),
    )


def _document(content: bytes) -> dict[str, Any]:
    try:
        # AWS writes no byte order mark; editors that people repair a manifest with do.
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise ManifestError("it is not a JSON object")
    return document


def _text(document: dict[str, Any], field: str) -> str:
    value = _optional_text(document, field)
    if value is None:
        raise ManifestError(f"it has no {field}")
    return value


def _optional_text(document: dict[str, Any], field: str) -> str | None:
    value = document.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ManifestError(f"its {field} is no text")
    return value


def _billing_period(document: dict[str, Any]) -> date:
    """``20180501T000000.000Z`` as AWS writes it, or an ISO date; only the day counts, months are UTC."""
    period = document.get("billingPeriod")
    if not isinstance(period, dict):
        raise ManifestError("it has no billingPeriod")
    start = period.get("start")
    if not isinstance(start, str) or not start:
        raise ManifestError("it has no billingPeriod.start")
    match = _DAY.fullmatch(start)
    day = first_of_month(*match.groups()) if match else None
    if day is None:
        raise ManifestError(f"its billingPeriod.start {start!r} is not the first day of a month")
    return day


def first_of_month(year: str, month: str, day: str = "1") -> date | None:
    """The month's first day, None where the digits are no date or another day."""
    try:
        parsed = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return parsed if parsed.day == 1 else None


def _keys(document: dict[str, Any]) -> tuple[str, ...]:
    keys = document.get("reportKeys")
    if not isinstance(keys, list):
        raise ManifestError("it has no reportKeys")
    for key in keys:
        if not isinstance(key, str) or not key or key.endswith("/"):
            raise ManifestError(f"its reportKeys hold {key!r}, which is no file")
        if ".." in re.split(r"[/\\]", key) or "\0" in key:
            raise ManifestError(f"its reportKeys hold {key!r}, which leads out of the report")
    # A key that is listed twice is one file: reading it twice would double its cost.
    return tuple(dict.fromkeys(keys))


def _file_format(document: dict[str, Any], keys: tuple[str, ...]) -> FileFormat:
    """By contentType and compression, else by the files' names."""
    said = f"{document.get('contentType')} {document.get('compression')}".lower()
    if "parquet" in said:
        return FileFormat.PARQUET
    if "csv" in said:
        return FileFormat.CSV
    names = [key.lower() for key in keys]
    if names and all(name.endswith(".parquet") for name in names):
        return FileFormat.PARQUET
    if not names or all(name.endswith(_CSV_NAMES) for name in names):
        return FileFormat.CSV
    raise ManifestError(f"neither its contentType ({document.get('contentType')!r}) nor its files' names tell CSV from Parquet")
