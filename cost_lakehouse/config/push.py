"""``push:`` in ``lakehouse.yaml``: places that changed months go to, for other lakehouses and programs to read."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from cost_lakehouse.config.alerts import headers_are_ones
from cost_lakehouse.config.source import SOURCE_NAME, SOURCE_NAME_MAX
from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.config.yaml_file import Strict

POSTGRES = "postgres"
"""What `publish.postgres` is called among the targets; no other may be."""

_HERE = ("127.0.0.1", "localhost", "::1")
_SHORTEST_SECRET = 16
_HTTP_ONLY = ("secret", "headers", "proxy", "source_address", "ca_file")
_S3_ONLY = ("store", "store_config")
_PROXY = re.compile(r"https?://[^/\s]+/?")


class PushSettings(Strict):
    """One target: a folder, ``s3://bucket/prefix`` or an ``https://`` address that takes POSTs.

    ``what`` names marts, and ``focus``, ``receipts``, ``control_totals``. ``writer`` is the name that readers know this
    lakehouse by; ``schedule`` (cron text in UTC) pushes at fixed times instead of after each run.
    """

    name: str
    to: str = Field(min_length=1)
    what: tuple[str, ...] = ("daily_costs",)
    format: Literal["parquet", "csv"] = "parquet"
    writer: str | None = None
    schedule: str | None = None
    paused: bool = False
    store: StoreSettings | None = None
    store_config: str | None = None
    secret: SecretStr | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    proxy: SecretStr | None = None
    source_address: str | None = None
    ca_file: str | None = None

    @field_validator("name", "writer")
    @classmethod
    def _name_is_a_folder(cls, value: str | None) -> str | None:
        if value is not None and (not SOURCE_NAME.fullmatch(value) or len(value) > SOURCE_NAME_MAX):
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {SOURCE_NAME_MAX} characters")
        if value == POSTGRES:
            raise ValueError(f"{POSTGRES} is what `publish.postgres` is called")
        return value

    @field_validator("to")
    @classmethod
    def _to_is_a_place(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if not separator:
            return value
        if scheme not in ("s3", "https", "http") or not rest.strip("/"):
            raise ValueError("write a folder, s3://bucket/prefix or https://host/path")
        if scheme == "http" and urlsplit(value).hostname not in _HERE:
            raise ValueError("costs leave this machine over https:// only; http:// is for an address of this machine")
        if scheme != "s3" and urlsplit(value).username is not None:
            raise ValueError("write no user or password into the address; `headers` takes an Authorization header")
        return value.rstrip("/")

    @field_validator("what")
    @classmethod
    def _what_is_named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in value if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
        if wrong or not value:
            raise ValueError("name marts such as daily_costs, without their schema, and focus, receipts, control_totals")
        return tuple(dict.fromkeys(value))

    @field_validator("schedule", mode="before")
    @classmethod
    def _off_is_said_plainly(cls, value: Any) -> Any:
        """YAML reads ``off`` as false."""
        return None if value is False or value == "off" else value

    @field_validator("secret")
    @classmethod
    def _secret_cannot_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"write {_SHORTEST_SECRET} characters or more, as `openssl rand -hex 32` makes them")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_ones(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return headers_are_ones(value)

    @field_validator("proxy")
    @classmethod
    def _proxy_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _PROXY.fullmatch(value.get_secret_value()):
            raise ValueError("write http://host:port, or http://user:password@host:port")
        return value

    @field_validator("source_address")
    @classmethod
    def _source_address_is_one(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("write an IP address of this machine, from which the target is to be reached") from None
        return value

    @model_validator(mode="after")
    def _options_fit_the_place(self) -> PushSettings:
        if self.store is not None and self.store_config is not None:
            raise ValueError("store and store_config say the same thing; keep one of them")
        kinds = (("s3://", self.is_s3, _S3_ONLY), ("https://", self.is_http, _HTTP_ONLY))
        for start, is_it, names in kinds:
            given = [name for name in names if getattr(self, name)]
            if given and not is_it:
                raise ValueError(f"{', '.join(given)} only fits a `to` that starts with {start}")
        if self.is_http and self.secret is None:
            raise ValueError("`to` is an HTTP address, and what is posted is signed: add `secret: ${NAME}`")
        return self

    def relative_to(self, base: Path) -> PushSettings:
        """The same with its folder and files as absolute paths, taken relative to ``base``."""
        files = {name: getattr(self, name) for name in ("ca_file", "store_config")}
        found = {name: str((base / Path(file).expanduser()).resolve()) for name, file in files.items() if file is not None}
        if not self.is_s3 and not self.is_http:
            found["to"] = str((base / Path(self.to).expanduser()).resolve())
        return self.model_copy(update=found)

    @property
    def is_s3(self) -> bool:
        """Whether the target is an S3-compatible store."""
        return self.to.startswith("s3://")

    @property
    def is_http(self) -> bool:
        """Whether the target takes POSTs."""
        return self.to.startswith(("https://", "http://"))

    @property
    def place(self) -> str:
        """The target for people; of an address its path and query stay unsaid."""
        if not self.is_http:
            return self.to
        parts = urlsplit(self.to)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def follows_runs(self) -> bool:
        """Whether it is pushed to after every run that changed a month."""
        return not self.paused and self.schedule is None
