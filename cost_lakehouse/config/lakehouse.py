"""``lakehouse.yaml`` and the environment become typed settings; what is wrong is said by field, with the fix."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator

from cost_lakehouse.config.alerts import AlertSettings
from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.config.budgets import BudgetSettings
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.config.federated_store import read_federated_store
from cost_lakehouse.config.maintenance import MaintenanceSettings
from cost_lakehouse.config.mirror import REPORT_PREFIXES, MirrorSettings
from cost_lakehouse.config.organizations import OrganizationSettings, check_source
from cost_lakehouse.config.places import Place
from cost_lakehouse.config.polling import PollingSettings
from cost_lakehouse.config.publish import PublishSettings
from cost_lakehouse.config.push import PushSettings
from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.config.source import SOURCE_KINDS, AnySource, SourceSettings
from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.config.trino import TrinoSettings
from cost_lakehouse.config.workers import WorkerSettings
from cost_lakehouse.config.yaml_file import Strict, explain, read_yaml
from cost_lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

CONFIG_VARIABLE = "COST_LAKEHOUSE_CONFIG"
DEFAULT_CONFIG = "lakehouse.yaml"
DEFAULT_DOWNLOAD_SCHEDULE = "0 */2 * * *"
CATALOG_BACKENDS = ("sqlite", "postgresql")


def _first_of_month(value: Any) -> Any:
    """Accept ``2026-01`` (YAML text) as the first of that month."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-01)?", value):
        raise ValueError("write a month, such as 2026-01")
    return f"{value[:7]}-01"


Month = Annotated[date, BeforeValidator(_first_of_month)]


def _backend_of(catalog: str) -> str:
    """The kind of database of a SQLAlchemy URL, without its driver."""
    return catalog.partition("://")[0].partition("+")[0]


def _has_database(catalog: str) -> bool:
    """Raises ValueError where it is no URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return bool(make_url(catalog).database)
    except ArgumentError:
        raise ValueError("write sqlite:///PATH or postgresql://USER:${PASSWORD}@HOST/DATABASE") from None


class LakeSettings(Strict):
    """Where bills are kept, and the SQL engine that summarises them."""

    engine: Literal["duckdb", "trino"] = "duckdb"
    # A SQLAlchemy URL; secret because it may hold a password.
    catalog: SecretStr = SecretStr("sqlite:///lake/catalog.db")
    warehouse: str = "lake/warehouse"
    first_month: Month = date(2020, 1, 1)
    trino: TrinoSettings | None = None
    store: StoreSettings | None = None
    store_config: str | None = None
    maintenance: MaintenanceSettings = MaintenanceSettings()
    workers: WorkerSettings = WorkerSettings()
    # FOCUS rows: a mart of every build, only what `export focus` makes of a month when it is asked, or not at all.
    focus: Literal["table", "export", "off"] = "export"

    @field_validator("catalog")
    @classmethod
    def _catalog_is_known(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not re.match(r"[\w+]+://", text):
            raise ValueError("write sqlite:///PATH or postgresql://USER:${PASSWORD}@HOST/DATABASE")
        backend = _backend_of(text)
        if backend == "sqlite" and re.fullmatch(r"[\w+]+:///[^?]+(\?.*)?", text):
            return value  # SQLAlchemy takes a third of a second, which a file's path does not need
        if backend not in CATALOG_BACKENDS or not _has_database(text):
            raise ValueError("the catalog is kept in SQLite (sqlite:///PATH) or PostgreSQL (postgresql://USER@HOST/DATABASE)")
        return value

    @field_validator("warehouse")
    @classmethod
    def _warehouse_is_a_folder_or_s3(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if separator and (scheme != "s3" or not rest.strip("/")):
            raise ValueError("write a folder, or s3://bucket/prefix")
        return value.rstrip("/") if separator else value

    @field_validator("first_month")
    @classmethod
    def _starts_on_the_first(cls, value: date) -> date:
        if value.day != 1:
            raise ValueError("write a month, such as 2026-01")
        return value

    @model_validator(mode="after")
    def _parts_fit_together(self) -> LakeSettings:
        if self.store is not None and self.store_config is not None:
            raise ValueError("store and store_config say the same thing; keep one of them")
        if (self.store is not None or self.store_config is not None) and not self.is_s3:
            raise ValueError("store and store_config go with a warehouse that starts with s3://")
        if self.engine == "duckdb" and self.trino is not None:
            raise ValueError("trino goes with `engine: trino`")
        if self.engine == "trino":
            if self.trino is None:
                raise ValueError("`engine: trino` needs `trino:` with at least its host")
            if self.is_sqlite or not self.is_s3:
                raise ValueError(
                    "`engine: trino` needs what Trino can reach: `catalog: postgresql://...` and `warehouse: s3://bucket/prefix`"
                )
        return self

    @property
    def is_s3(self) -> bool:
        """Whether the warehouse is an S3-compatible store."""
        return self.warehouse.startswith("s3://")

    @property
    def is_sqlite(self) -> bool:
        """Whether the catalog is a SQLite file."""
        return _backend_of(self.catalog.get_secret_value()) == "sqlite"


_Named = TypeVar("_Named", SourceSettings, MirrorSettings, OrganizationSettings, PushSettings)


class Settings(Strict):
    """Everything ``lakehouse.yaml`` says. Relative paths are relative to that file (``base``)."""

    lake: LakeSettings = LakeSettings()
    sources: tuple[AnySource, ...] = ()
    mirrors: tuple[MirrorSettings, ...] = ()
    organizations: tuple[OrganizationSettings, ...] = ()
    alerts: AlertSettings = AlertSettings()
    polling: PollingSettings = PollingSettings()
    budgets: tuple[BudgetSettings, ...] = ()
    push: tuple[PushSettings, ...] = ()
    publish: PublishSettings = PublishSettings()
    serve: ServeSettings = ServeSettings()
    # A folder with a dbt package of the user's own: its models are built, tested and published like ours.
    models: str | None = None
    # A file of rules by which costs are shared out among teams: docs/allocation.md.
    allocations: str | None = None
    clusters: tuple[ClusterSettings, ...] = ()
    # A CSV file of rates by which costs are converted between currencies, where that is asked for: docs/ask.md.
    currency_rates: str | None = None
    base: Path = Field(exclude=True)
    file: Path = Field(exclude=True)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        names = [source.name for source in self.sources]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"sources: the name {doubled[0]!r} is used twice; every source needs its own")
        budgets = [budget.name for budget in self.budgets]
        if len(set(budgets)) < len(budgets):
            raise ValueError("budgets: a name is used twice; every budget needs its own")
        return self

    @model_validator(mode="after")
    def _clusters_are_of_sources(self) -> Settings:
        names = [cluster.name for cluster in self.clusters]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"clusters: the name {doubled[0]!r} is used twice; every cluster needs its own")
        known = {source.name for source in self.sources if source.kind.startswith("aws_")}
        strange = [cluster.source for cluster in self.clusters if cluster.source not in known]
        if strange:
            raise ValueError(f"clusters: there is no source {strange[0]!r} of AWS; name the one whose bill has the nodes")
        return self

    @model_validator(mode="after")
    def _mirrors_are_apart(self) -> Settings:
        """Where two write to one place, one overwrites the other's reports, and deletes what the other tenancy lacks."""
        names = [mirror.name for mirror in self.mirrors]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"mirrors: the name {doubled[0]!r} is used twice; every mirror needs its own")
        places = [(mirror, Place.of(mirror.destination, self.base, mirror.endpoint)) for mirror in self.mirrors]
        for (one, place), (other, beside) in combinations(places, 2):
            if place.overlaps(beside):
                how = "are one place" if place.holds(beside) and beside.holds(place) else "lie one inside the other"
                raise ValueError(
                    f"mirrors: the destinations of {one.name!r} ({one.destination}) and {other.name!r} ({other.destination}) "
                    f"{how}; every mirror needs a place of its own"
                )
        return self

    @model_validator(mode="after")
    def _mirrors_spare_the_warehouse(self) -> Settings:
        """A mirror deletes what is not its tenancy's, and maintenance what is not the lake's: neither may meet the other."""
        for mirror in self.mirrors:
            if mirror.is_s3 != self.lake.is_s3:
                continue
            endpoint = self.store.endpoint if self.lake.is_s3 else None
            warehouse = Place.of(self.lake.warehouse, self.base, endpoint)
            destination = Place.of(mirror.destination, self.base, mirror.endpoint)
            if any(warehouse.overlaps(destination.below(REPORT_PREFIXES[report])) for report in mirror.reports):
                raise ValueError(
                    f"mirrors: {mirror.name!r} would copy reports into {mirror.destination}, where the lake's warehouse "
                    f"({self.lake.warehouse}) is; give it a place of its own"
                )
        return self

    @model_validator(mode="after")
    def _pushes_are_apart(self) -> Settings:
        names = [target.name for target in self.push]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"push: the name {doubled[0]!r} is used twice; every target needs its own")
        warehouse = Place.of(self.lake.warehouse, self.base)
        for target in self.push:
            if not target.is_http and target.is_s3 == self.lake.is_s3:
                place = Place.of(target.to, self.base)
                if place.parts[: len(warehouse.parts)] == warehouse.parts:
                    raise ValueError(
                        f"push: {target.name!r} would write into the lake's warehouse ({self.lake.warehouse}), where "
                        "maintenance removes what no table knows; give it a place of its own"
                    )
        return self

    @model_validator(mode="after")
    def _organizations_are_apart(self) -> Settings:
        names = [organization.name for organization in self.organizations]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"organizations: the name {doubled[0]!r} is used twice; every organisation needs its own")
        sources = {source.name: source for source in self.sources}
        for organization in self.organizations:
            check_source(organization, sources)
        return self

    @model_validator(mode="after")
    def _alerts_name_what_is_there(self) -> Settings:
        known = {source.name for source in self.sources}
        shared = {source.name for source in self.sources if source.kind == "lakehouse"}
        # Of a place that many lakehouses push to, `source/writer` names one of them.
        said = {name for name in self.alerts.lateness.sources if name.partition("/")[0] not in shared or "/" not in name}
        strange = sorted(said - known)
        if strange:
            raise ValueError(f"alerts.lateness.sources: there is no source {strange[0]!r}; correct its spelling or remove it")
        return self

    def path(self, value: str) -> Path:
        """A path of the file as an absolute one."""
        return (self.base / Path(value).expanduser()).resolve()

    @property
    def warehouse(self) -> str:
        """Where the Iceberg tables are, as Iceberg writes it: ``file:///folder`` or ``s3://bucket/prefix``."""
        # Not ``as_uri``: pyiceberg takes a %20 literally.
        return self.lake.warehouse if self.lake.is_s3 else f"file://{self.path(self.lake.warehouse)}"

    @property
    def catalog_url(self) -> URL:
        """The catalog's database, with its password; a SQLite file's path is absolute."""
        from sqlalchemy.engine import make_url

        url = make_url(self.lake.catalog.get_secret_value())
        if self.lake.is_sqlite:
            return url.set(database=str(self.path(url.database or "")))
        return url.set(drivername="postgresql+psycopg2")

    @property
    def store(self) -> StoreSettings:
        """How the warehouse's store is reached: ``lake.store``, or what ``lake.store_config`` says.

        Raises ConfigurationError where that file is not there or wrong.
        """
        if self.lake.store_config is not None:
            return read_federated_store(self.path(self.lake.store_config), self.lake.warehouse)
        return (self.lake.store or StoreSettings()).relative_to(self.base)

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
        return self._named("source", self.sources, name)

    def mirror(self, name: str) -> MirrorSettings:
        """The mirror of that name.

        Raises ConfigurationError where there is none.
        """
        return self._named("mirror", self.mirrors, name)

    def organization(self, name: str) -> OrganizationSettings:
        """The organisation of that name.

        Raises ConfigurationError where there is none.
        """
        return self._named("organisation", self.organizations, name)

    def push_target(self, name: str) -> PushSettings:
        """The push target of that name, its paths absolute.

        Raises ConfigurationError where there is none.
        """
        return self._named("push target", self.push, name).relative_to(self.base)

    def push_store(self, target: PushSettings) -> StoreSettings:
        """How a target's store is reached: its own `store` or `store_config`, else as the lake's, else as AWS.

        Raises ConfigurationError where a `store_config` is not there or wrong.
        """
        if target.store_config is not None:
            return read_federated_store(self.path(target.store_config), target.to, f"push target {target.name}'s `to`")
        if target.store is not None:
            return target.store.relative_to(self.base)
        return self.store if self.lake.is_s3 else StoreSettings()

    def _named(self, kind: str, entries: Sequence[_Named], name: str) -> _Named:
        found = next((entry for entry in entries if entry.name == name), None)
        if found is None:
            known = ", ".join(entry.name for entry in entries) or "none"
            raise ConfigurationError(f"There is no {kind} {name!r} in {self.file}.", f"Known {kind}s: {known}.")
        return found

    def access_to(self, organization: OrganizationSettings) -> AwsAccess:
        """How the Organizations API is asked about it: by its own credentials, or by those of the source that it names."""
        return organization.access(None if organization.source is None else self.source(organization.source))


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
    document = read_yaml(path) or {}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must hold `lake:` and `sources:`.", "See lakehouse.example.yaml.")
    try:
        return Settings(**document, base=path.parent, file=path)
    except ValidationError as error:
        wrong = "; ".join(explain(candidate, SOURCE_KINDS) for candidate in error.errors())
        raise ConfigurationError(f"{path} is wrong.", wrong) from None
    except TypeError:
        raise ConfigurationError(
            f"{path}: unknown key at the top.",
            "Known keys: lake, sources, mirrors, organizations, alerts, polling, budgets, push, publish, serve, models, "
            "allocations, clusters, currency_rates.",
        ) from None
