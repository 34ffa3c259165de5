"""What an entry of another tool's configuration says of a source here, free of that tool's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from cost_lakehouse.errors import ConfigurationError

_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Bucket:
    """Where nothing but a bucket is known, or a part of the way: reports below ``prefix`` called ``report`` are looked for."""

    name: str
    prefix: str = ""
    report: str | None = None


@dataclass(frozen=True)
class Entry:
    """One payer. ``values`` are keys of a source in lakehouse.yaml, with ``kind`` where no report has to be found.

    ``place`` is where it stands in the file, such as ``aws[0]``; ``label`` what its name is made of. ``external_id`` is the
    value itself: whoever looks for reports needs it, and it stands in ``external_id_field``. ``hints`` are for people.
    """

    place: str
    label: str
    values: Mapping[str, Any]
    bucket: Bucket | None = None
    external_id: SecretStr | None = None
    external_id_field: str = ""
    key_fields: tuple[str, ...] = ()  # where an access key stands, which is not copied
    hints: tuple[str, ...] = ()


@dataclass
class Payload:
    """A whole configuration: its entries, and what cannot be a source, each with the reason."""

    entries: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # no bill that is read here
    wrong: list[str] = field(default_factory=list)  # a bill that would be read if the entry said enough


class NotUsable(Exception):
    """An entry lacks what a source needs; the message says what."""


def text_of(values: Mapping[str, Any], *names: str) -> str:
    """The first of the fields that holds text, without blanks around it; empty where none does."""
    for name in names:
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value).zfill(12)  # an account's id that somebody wrote as a number
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def mapping_of(value: Any, place: str) -> Mapping[str, Any]:
    """A JSON object.

    Raises NotUsable where it is something else.
    """
    if not isinstance(value, Mapping):
        raise NotUsable(f"{place} is no JSON object")
    return value


def bucket_of(address: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``, ``bucket`` or an ARN."""
    bare = re.sub(r"^(s3[an]?://|arn:aws[a-z-]*:s3:::)", "", address)
    bucket, _, prefix = bare.partition("/")
    return bucket, prefix.strip("/")


def label_of(*candidates: str) -> str:
    """What a source's name is made of: the first that says something; an account's number is told as one."""
    for candidate in candidates:
        if candidate:
            return f"aws-{candidate}" if _ACCOUNT.fullmatch(candidate) else candidate
    return "aws"


def account_of(role_arn: str) -> str:
    """The account of a role; empty where it is none."""
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 and _ACCOUNT.fullmatch(parts[4]) else ""


def no_payload(what: str, fix: str) -> ConfigurationError:
    """The error of a file that is not what it was said to be."""
    return ConfigurationError(f"This is no configuration of {what}.", fix)
