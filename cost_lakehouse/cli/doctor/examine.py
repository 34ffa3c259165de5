"""``cost-lakehouse doctor``: tries everything that a load needs, and says of each failure why and what to do."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.doctor.findings import Finding, not_writable
from cost_lakehouse.cli.output import EXIT_FAILED, console, size
from cost_lakehouse.cli.progress import working
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError, LakeError, SourceError

if TYPE_CHECKING:
    from cost_lakehouse.lake.catalog import Lake

LITTLE_SPACE = 1_000_000_000


Check = Callable[[], Finding]


def examine(config: Path | None) -> int:
    """Run every check and print it; the exit code: 1 where one failed, 2 (raised) where the configuration is wrong."""
    settings = settings_of(config)
    terminal = console()
    failed = warned = 0
    count = len(settings.sources)
    terminal.print(_line(Finding("configuration", "ok", f"{settings.file}: {count} source{'' if count == 1 else 's'}")))
    for name, check in checks(settings):
        with working(f"Checking {name}", console(stderr=True)):
            found = examine_one(name, check)
        failed += found.state == "failed"
        warned += found.state == "warning"
        terminal.print(_line(found), soft_wrap=True)
        if found.fix:
            terminal.print(f"         fix: {found.fix}", soft_wrap=True)
    terminal.print()
    terminal.print(f"{failed} failed, {warned} to look at." if failed or warned else "Everything is in order.")
    return EXIT_FAILED if failed else 0


def checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    """Every check with its name, the cheapest first."""
    from cost_lakehouse.cli.doctor.clusters import cluster_check
    from cost_lakehouse.cli.doctor.oci import mirror_checks
    from cost_lakehouse.cli.doctor.organizations import organization_check

    yield "warehouse", lambda: _warehouse(settings)
    yield "catalog", lambda: _catalog(settings)
    yield "engine", lambda: _engine(settings)
    yield "dagster home", lambda: _dagster_home(settings)
    for source in settings.sources:
        yield f"source {source.name}", lambda source=source: _source(settings, source)  # type: ignore[misc]
    for organization in settings.organizations:
        yield f"organization {organization.name}", lambda one=organization: organization_check(settings, one)  # type: ignore[misc]
    for cluster in settings.clusters:
        yield f"cluster {cluster.name}", lambda one=cluster: cluster_check(settings, one)  # type: ignore[misc]
    for mirror in settings.mirrors:
        yield from mirror_checks(settings, mirror)
    yield "dbt", lambda: _dbt(settings)
    if settings.alerts.has_channels:
        yield "alerts", lambda: _alerts(settings)


def examine_one(name: str, check: Check) -> Finding:
    """A check's finding; its error is one too."""
    try:
        return check()
    except CostLakehouseError as error:
        return Finding(name, "failed", error.problem, error.fix)
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the other checks have to be told too
        return Finding(
            name, "failed", f"{type(error).__name__}: {error}", "This is unexpected: please report it with this message."
        )


def _warehouse(settings: Settings) -> Finding:
    if settings.lake.is_s3:
        return _s3_warehouse(settings)
    folder = settings.path(settings.lake.warehouse)
    problem = not_writable(folder)
    if problem:
        raise LakeError(
            f"The warehouse {folder} cannot be written: {problem}.", "Give this user write access, or change `lake.warehouse`."
        )
    free = shutil.disk_usage(folder).free
    says = f"{folder} is writable, {size(free)} free"
    if free < LITTLE_SPACE:
        return Finding("warehouse", "warning", says, "Make room: a load writes the new slice before it drops the old one.")
    return Finding("warehouse", "ok", says)


def _s3_warehouse(settings: Settings) -> Finding:
    """Write, list, read and delete one small object: what every load does."""
    from cost_lakehouse.lake.s3_warehouse import S3Warehouse

    warehouse = S3Warehouse(settings.warehouse, settings.store)
    name = f".cost-lakehouse-doctor-{secrets.token_hex(8)}"
    location = f"{warehouse.location}/{name}/probe"
    try:
        with warehouse.file_io.new_output(location).create() as stream:
            stream.write(b"writable")
        listed = [entry.location for entry in warehouse.list(name)]
        with warehouse.file_io.new_input(location).open() as stream:
            read = stream.read()
    finally:
        warehouse.delete([location])
    if listed != [location] or read != b"writable":
        raise LakeError(f"{settings.warehouse} does not give back what was written.", "Look at the store's own log.")
    return Finding("warehouse", "ok", f"{settings.warehouse} can be written, listed, read and cleared")


def _catalog(settings: Settings) -> Finding:
    from cost_lakehouse.lake.catalog import Lake

    label = settings.catalog_url.render_as_string(hide_password=True)
    lake = Lake(settings)
    record = lake.identity.record()
    belongs = f", of the same lake as the warehouse ({record.id}, format {record.format_version})" if record else ""
    return Finding("catalog", "ok", f"{label}: {len(lake.table_names())} tables{belongs}")


def _engine(settings: Settings) -> Finding:
    import duckdb

    from cost_lakehouse.lake.catalog import Lake
    from cost_lakehouse.lake.duckdb_views import connect

    lake = Lake(settings)
    with connect(lake, ["raw.receipts"]) as connection:
        row = connection.execute("select count(*) from raw.receipts").fetchone()
    receipts = row[0] if row else 0
    duckdb_reads = f"DuckDB {duckdb.__version__} reads the lake ({receipts} receipts)"
    if settings.lake.engine == "duckdb":
        return Finding("engine", "ok", duckdb_reads)
    return Finding("engine", "ok", f"{_try_trino(lake, receipts)}; {duckdb_reads}")


def _try_trino(lake: Lake, receipts: int) -> str:
    """Read with Trino what the lake holds, and with DuckDB what Trino writes: what every build does."""
    from cost_lakehouse.lake.trino_client import execute, rows, trino_settings
    from cost_lakehouse.summaries.trino_build import TrinoBuild, build_schema

    given = trino_settings(lake.settings)
    ((version,),) = rows(lake.settings, "select version()")
    ((found,),) = rows(lake.settings, "select count(*) from raw.receipts")
    with build_schema(lake) as schema:
        execute(lake.settings, f"create table {schema}.probe as select 1 as id")
        if found != receipts or lake.table_or_none(f"{schema}.probe") is None:
            raise LakeError(
                f"Trino's catalog {given.catalog!r} is of another lake than {lake.settings.file}.",
                "Let lake.catalog and lake.warehouse name the database and the store that Trino's catalog file names.",
            )
        with TrinoBuild(lake, schema).connect() as connection:
            connection.execute("select id from marts.probe").fetchall()
    return f"Trino {version} at {given.host}:{given.port} reads the lake and builds in it"


def _dagster_home(settings: Settings) -> Finding:
    folder = settings.dagster_home
    problem = not_writable(folder)
    if problem:
        raise ConfigurationError(
            f"Dagster's home {folder} cannot be written: {problem}.",
            "Give this user write access, or set DAGSTER_HOME to another folder.",
        )
    return Finding("dagster home", "ok", f"{folder} is writable")


def _source(settings: Settings, source: SourceSettings) -> Finding:
    from cost_lakehouse.sources.registry import open_source

    name = f"source {source.name}"
    if source.paused:
        return Finding(name, "ok", "paused; not looked at")
    try:
        found = open_source(settings, source).check()
    except SourceError as error:
        from cost_lakehouse.storage.s3_refusal import explained

        raise explained(source, error) from None
    return Finding(name, found.state, found.says, found.fix)


def _dbt(settings: Settings) -> Finding:
    from cost_lakehouse.summaries.dbt_project import parse_if_stale

    project = parse_if_stale(settings)
    own = f", with your models in {project.models_folder}" if project.models_folder is not None else ""
    return Finding("dbt", "ok", f"{project.folder} can be parsed{own}")


def _alerts(settings: Settings) -> Finding:
    """How the channels did last; nothing is sent."""
    from cost_lakehouse.cli.commands.alerts import channel_troubles

    dead, warned, says = channel_troubles(settings)
    if dead:
        return Finding("alerts", "failed", dead[0], f"{dead[1]} `cost-lakehouse alerts test` tries every channel.".strip())
    if warned:
        return Finding("alerts", "warning", warned, "Correct the receivers.")
    return Finding("alerts", "ok", says)


_MARKS = {"ok": ("  ok     ", "green"), "warning": ("  look   ", "yellow"), "failed": ("  failed ", "bold red")}


def _line(found: Finding) -> Text:
    mark, colour = _MARKS[found.state]
    return Text(mark, style=colour).append(f"{found.name}: ", style="bold").append(found.says, style="default")
