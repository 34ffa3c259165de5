"""``lakehouse.yaml`` and the environment become typed settings; what is wrong is said by field, with the fix."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from cost_lakehouse.errors import ConfigurationError

CONFIG_VARIABLE = "COST_LAKEHOUSE_CONFIG"
DEFAULT_CONFIG = "lakehouse.yaml"
DEFAULT_DOWNLOAD_SCHEDULE = "0 */2 * * *"
SOURCE_NAME = re.compile(r"[a-z0-9-]+")
SOURCE_NAME_MAX = 40
_ENVIRONMENT_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _first_of_month(value: Any) -> Any:
    """Accept ``2026-01`` (YAML text) as the first of that month."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-01)?", value):
        raise ValueError("write a month, such as 2026-01")
    return f"{value[:7]}-01"


Month = Annotated[date, BeforeValidator(_first_of_month)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeSettings(_Strict):
    """Where bills are kept, and the SQL engine that summarises them."""

    engine: Literal["duckdb", "trino"] = "duckdb"
    catalog: str = "sqlite:///lake/catalog.db"
    warehouse: str = "lake/warehouse"
    first_month: Month = date(2020, 1, 1)

    @field_validator("engine")
    @classmethod
    def _engine_is_built(cls, value: str) -> str:
        if value == "trino":
            raise ValueError("this version runs on duckdb only; set `engine: duckdb`")
        return value

    @field_validator("catalog")
    @classmethod
    def _catalog_is_sqlite(cls, value: str) -> str:
        if not value.startswith("sqlite:///"):
            raise ValueError("this version keeps its catalog in SQLite; write sqlite:///PATH")
        return value

    @field_validator("warehouse")
    @classmethod
    def _warehouse_is_a_folder(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("this version keeps its warehouse in a folder; write a path")
        return value

    @field_validator("first_month")
    @classmethod
    def _starts_on_the_first(cls, value: date) -> date:
        if value.day != 1:
            raise ValueError("write a month, such as 2026-01")
        return value


class SourceSettings(_Strict):
    """One place a bill arrives from."""

    name: str
    kind: Literal["aws_cur"]
    location: str
    endpoint: str | None = None
    region: str | None = None
    role_arn: str | None = None
    external_id: SecretStr | None = None
    profile: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    paused: bool = False

    @field_validator("name")
    @classmethod
    def _name_is_a_partition_value(cls, value: str) -> str:
        if not SOURCE_NAME.fullmatch(value) or len(value) > SOURCE_NAME_MAX:
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {SOURCE_NAME_MAX} characters")
        return value

    @model_validator(mode="after")
    def _options_fit_the_location(self) -> SourceSettings:
        s3_only = ("endpoint", "region", "role_arn", "external_id", "profile", "access_key", "secret_key")
        if not self.is_s3:
            given = [name for name in s3_only if getattr(self, name) is not None]
            if given:
                raise ValueError(f"{', '.join(given)} only fits a location that starts with s3://")
            if "://" in self.location:
                raise ValueError("location must be a folder or start with s3://")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key go together")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id goes with role_arn")
        return self

    @property
    def is_s3(self) -> bool:
        """Whether the bill is read from an S3-compatible store."""
        return self.location.startswith("s3://")


class Settings(_Strict):
    """Everything ``lakehouse.yaml`` says. Relative paths are relative to that file (``base``)."""

    lake: LakeSettings = LakeSettings()
    sources: tuple[SourceSettings, ...] = ()
    base: Path = Field(exclude=True)
    file: Path = Field(exclude=True)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        names = [source.name for source in self.sources]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"sources: the name {doubled[0]!r} is used twice; every source needs its own")
        return self

    def path(self, value: str) -> Path:
        """A path of the file as an absolute one."""
        return (self.base / Path(value).expanduser()).resolve()

    @property
    def warehouse(self) -> Path:
        """The folder that holds the Iceberg tables."""
        return self.path(self.lake.warehouse)

    @property
    def catalog_file(self) -> Path:
        """The SQLite file of the Iceberg catalog."""
        return self.path(self.lake.catalog.removeprefix("sqlite:///"))

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance: ``DAGSTER_HOME``, by default ``.dagster/`` beside ``lakehouse.yaml``."""
        given = os.environ.get("DAGSTER_HOME")
        return Path(given).expanduser().resolve() if given else self.base / ".dagster"

    @property
    def download_schedule(self) -> str:
        """The cron text of the polling schedule (``DOWNLOAD_SCHEDULE``)."""
        return os.environ.get("DOWNLOAD_SCHEDULE") or DEFAULT_DOWNLOAD_SCHEDULE

    def source(self, name: str) -> SourceSettings:
        """The source of that name.

        Raises ConfigurationError where there is none.
        """
        for each in self.sources:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.sources) or "none"
        raise ConfigurationError(f"There is no source {name!r} in {self.file}.", f"Known sources: {known}.")


def find_config(given: Path | None = None) -> Path:
    """``--config``, else ``COST_LAKEHOUSE_CONFIG``, else ``./lakehouse.yaml``.

    Raises ConfigurationError where no such file exists.
    """
    chosen = given or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)
    path = chosen.expanduser().resolve()
    if not path.is_file():
        raise ConfigurationError(
            f"There is no configuration file {path}.",
            f"Copy lakehouse.example.yaml to {DEFAULT_CONFIG}, name yours with --config or {CONFIG_VARIABLE}, "
            "or try `cost-lakehouse demo`.",
        )
    return path


def load_settings(given: Path | None = None) -> Settings:
    """Read and check the configuration.

    Raises ConfigurationError that names each wrong field and its fix.
    """
    path = find_config(given)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
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
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must hold `lake:` and `sources:`.", "See lakehouse.example.yaml.")
    try:
        return Settings(**_with_environment(document, "", path), base=path.parent, file=path)
    except ValidationError as error:
        raise ConfigurationError(f"{path} is wrong.", "; ".join(_explain(each) for each in error.errors())) from None
    except TypeError:
        raise ConfigurationError(f"{path}: unknown key at the top.", "Known keys: lake, sources.") from None


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


def _explain(error: Any) -> str:
    """One line for one wrong field; the value is left out, as it may be a secret."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".") or "the file"
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"{place}: unknown key; remove it or correct its spelling"
    if kind == "missing":
        return f"{place}: is missing; add it"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
