"""``publish:`` in ``lakehouse.yaml``: databases that chosen marts are kept in as plain tables."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from cost_lakehouse.config.yaml_file import Strict

_URL = re.compile(r"postgres(?:ql)?(?:\+psycopg2)?://\S+")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")


class PostgresSettings(Strict):
    """A PostgreSQL that marts are published to. ``history_months`` is how many months it keeps, with the
    present one; without it all."""

    url: SecretStr
    schema_name: str = Field(default="cost_lakehouse", alias="schema")
    tables: tuple[str, ...] = ("daily_costs", "bill_status")
    history_months: int | None = Field(default=None, ge=1)

    @field_validator("url")
    @classmethod
    def _url_is_one(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        try:
            has_database = bool(urlsplit(text).path.strip("/"))
        except ValueError:
            has_database = False
        if not _URL.fullmatch(text) or not has_database:
            raise ValueError("write postgresql://USER:${PASSWORD}@HOST/DATABASE")
        return value

    @field_validator("schema_name")
    @classmethod
    def _schema_is_a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or value.startswith("pg_"):
            raise ValueError("use lower-case letters, digits and underscores, at most 40 characters")
        return value

    @field_validator("tables")
    @classmethod
    def _tables_are_marts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(_NAME.fullmatch(name) for name in value):
            raise ValueError("name marts such as daily_costs, without their schema")
        return tuple(dict.fromkeys(value))

    @property
    def dsn(self) -> str:
        """The address as PostgreSQL's own library takes it."""
        return re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql://", self.url.get_secret_value())

    @property
    def place(self) -> str:
        """Host, database and schema for people."""
        parts = urlsplit(self.dsn)
        return f"postgresql://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}, schema {self.schema_name}"

    @property
    def user(self) -> str:
        """Who publishes; "" where the address names nobody."""
        return urlsplit(self.dsn).username or ""

    @property
    def database(self) -> str:
        """The database's name."""
        return urlsplit(self.dsn).path.strip("/")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        return tuple(item for item in (self.url.get_secret_value(), urlsplit(self.dsn).password) if item)


class PublishSettings(Strict):
    """Where marts are published besides the lake."""

    postgres: PostgresSettings | None = None
