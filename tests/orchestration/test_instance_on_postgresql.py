"""Dagster's records in PostgreSQL: in which database and schema, without a password on disk, for several machines at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.orchestration import instance as instance_module
from cost_lakehouse.orchestration.constants import PROCESS_TAG
from cost_lakehouse.orchestration.dagster_database import dagster_database, open_storage
from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs, process_label
from cost_lakehouse.orchestration.liveness import APPLICATION, DatabaseLock, database_of, lives_elsewhere
from tests.orchestration.test_instance import killed_process
from tests.services.postgres import PostgresServer

ROOT = Path(__file__).parents[2]


@dg.job
def nothing() -> None:
    pass


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of its own, as a URL."""
    name = postgres_server.make_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def settings(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lakehouse whose catalog is in that database; its password is in the environment only."""
    url = make_url(database)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    monkeypatch.setenv("LAKEHOUSE_DB_PASSWORD", str(url.password))
    file = tmp_path / "lakehouse.yaml"
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(file))
    catalog = f"postgresql://{url.username}:${{LAKEHOUSE_DB_PASSWORD}}@{url.host}:{url.port}/{url.database}"
    file.write_text(f"lake: {{catalog: '{catalog}'}}\n", encoding="utf-8")
    return load_settings(file)


def instance_of_dagster_dev(tmp_path: Path) -> dg.DagsterInstance:
    """``dagster dev`` without DAGSTER_HOME: a temporary folder, configured by the dagster.yaml of the current folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(temporary), config_dir=str(ROOT)))


def tables(database: str, schema: str) -> set[str]:
    with create_engine(make_url(database).set(drivername="postgresql+psycopg2")).connect() as connection:
        found = connection.execute(
            text("select table_name from information_schema.tables where table_schema = :schema"), {"schema": schema}
        )
        return set(found.scalars())


def test_runs_are_kept_in_the_catalogs_database_and_seen_by_dagster_dev(
    settings: Settings, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with command_instance(settings) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id
    monkeypatch.setenv("DAGSTER_HOME", "")
    with instance_of_dagster_dev(tmp_path) as seen_by_dev:
        assert [get_run.run_id for get_run in seen_by_dev.get_runs()] == [run_id]
        assert seen_by_dev.all_logs(run_id)
        assert seen_by_dev.schedule_storage is not None
        seen_by_dev.schedule_storage.all_instigator_state()

    assert {"runs", "event_logs", "job_ticks", "alembic_version"} <= tables(database, "dagster")
    assert tables(database, "public") == set()


def test_no_password_is_written_to_disk_or_handed_on_in_the_instances_reference(settings: Settings, database: str) -> None:
    with command_instance(settings) as instance:
        nothing.execute_in_process(instance=instance)
        reference = repr(instance.get_ref())

    password = str(make_url(database).password)
    assert password not in reference
    written = [path for path in settings.base.rglob("*") if path.is_file()]
    assert settings.dagster_home / "dagster.yaml" in written
    assert [item for item in written if password in item.read_text(encoding="utf-8", errors="replace")] == []


def test_a_database_of_its_own_can_be_named(
    settings: Settings, database: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = postgres_server.make_database("dagster")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", postgres_server.url(own))

    with command_instance(settings) as instance:
        nothing.execute_in_process(instance=instance)

    assert "runs" in tables(postgres_server.url(own), "dagster")
    assert tables(database, "dagster") == set()


@pytest.mark.parametrize("given", ["sqlite:///s3cret.db", "postgresql://s3cret@host", "s3cret", "mysql://a:s3cret@host/db"])
def test_a_wrong_address_of_that_database_is_said_without_its_password(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", given)

    with pytest.raises(ConfigurationError, match="COST_LAKEHOUSE_DAGSTER_DB is no address of a PostgreSQL database") as told:
        dagster_database(tmp_path / "lakehouse.yaml")

    assert "s3cret" not in str(told.value)


def test_a_mistake_elsewhere_in_the_configuration_leads_dagster_to_no_other_records(
    settings: Settings, database: str, tmp_path: Path
) -> None:
    with command_instance(settings) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id
    settings.file.write_text(settings.file.read_text() + "sources: [{naem: acme}]\n", encoding="utf-8")

    with instance_of_dagster_dev(tmp_path) as seen_by_dev:
        assert [get_run.run_id for get_run in seen_by_dev.get_runs()] == [run_id]


@pytest.mark.parametrize(
    "broken",
    [
        "lake: [",
        "lake: {catalog: 'postgresql://a:${NOT_SET}@127.0.0.1/b'}",
        "lake: {catalog: 'mysql://a@b/c'}",
        "lake: {catalog: 3}",
        "- a list",
    ],
)
def test_dagster_starts_where_the_catalog_cannot_be_read_and_says_so(
    broken: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.file.write_text(broken, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))

    with instance_of_dagster_dev(tmp_path) as instance:
        assert list(instance.get_runs()) == []
        assert isinstance(instance.get_ref().storage, DagsterSqliteStorage)

    assert "lake.catalog cannot be read" in caplog.text


def test_a_users_own_storage_is_kept(settings: Settings, database: str) -> None:
    settings.dagster_home.mkdir()
    theirs = f"storage: {{sqlite: {{base_dir: {settings.base / 'theirs'}}}}}\n"
    (settings.dagster_home / "dagster.yaml").write_text(theirs, encoding="utf-8")

    with command_instance(settings) as instance:
        nothing.execute_in_process(instance=instance)

    assert tables(database, "dagster") == set()


def test_an_older_home_without_a_storage_takes_the_configurations(settings: Settings, database: str) -> None:
    settings.dagster_home.mkdir()
    (settings.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")

    with command_instance(settings) as instance:
        nothing.execute_in_process(instance=instance)

    assert "runs" in tables(database, "dagster")


def test_a_database_that_does_not_answer_is_said_without_its_password(settings: Settings, database: str) -> None:
    wrong = make_url(database).set(drivername="postgresql+psycopg2", database="not_there")

    with pytest.raises(LakeError, match="not_there") as told:
        open_storage(wrong, None)

    assert str(wrong.password) not in str(told.value)
    assert "COST_LAKEHOUSE_DAGSTER_DB" in told.value.fix


def test_several_processes_may_be_the_first_at_once(database: str) -> None:
    url = make_url(database).set(drivername="postgresql+psycopg2")

    with ThreadPoolExecutor(4) as threads:
        for storage in threads.map(lambda _: open_storage(url, None), range(4)):
            storage.run_storage.get_runs()
            storage.schedule_storage.all_instigator_state()


def test_two_runs_may_be_the_first_to_need_a_pool(settings: Settings) -> None:
    with command_instance(settings) as instance:
        events = instance.event_log_storage
        # Both saw that there is none, and make it.
        assert [events.initialize_concurrency_limit_to_default("summaries") for _ in range(2)] == [True, True]
        assert [(pool.name, pool.limit) for pool in events.get_pool_limits()] == [("summaries", 1)]
        assert events.claim_concurrency_slot("summaries", "run", "step").is_claimed
        assert not events.claim_concurrency_slot("summaries", "other", "step").is_claimed


def killed_run(instance: dg.DagsterInstance, label: str) -> dg.DagsterRun:
    return instance.create_run_for_job(nothing, tags={PROCESS_TAG: label}, status=dg.DagsterRunStatus.STARTED)


def test_a_killed_process_of_this_home_is_noticed_at_once(settings: Settings) -> None:
    label = killed_process()

    with command_instance(settings) as instance:
        run = killed_run(instance, label)

        assert end_dead_runs(instance) == [run.run_id]


def test_a_run_of_another_machine_goes_on_while_its_process_holds_its_lock(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As it is with machines that are called alike: same host name, a number that nobody has here.
    label = f"{os.uname().nodename}|999999999|of-another-machine"
    with command_instance(settings) as instance:
        run = killed_run(instance, label)
        address = database_of(instance)
        assert address is not None
        elsewhere = DatabaseLock(make_url(address), label)
        monkeypatch.setattr(instance_module, "SILENCE_SECONDS", 0)
        assert lives_elsewhere(address, label)
        assert end_dead_runs(instance) == []
        assert end_dead_runs(instance) == []

        elsewhere.release()

        # Without a lock once may be a database that was restarted a moment ago.
        assert not lives_elsewhere(address, label)
        assert end_dead_runs(instance) == []
        assert end_dead_runs(instance) == [run.run_id]


def test_a_process_that_had_no_lock_for_a_moment_is_not_dead(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    label = "another-host|1|of-another-machine"
    with command_instance(settings) as instance:
        killed_run(instance, label)
        monkeypatch.setattr(instance_module, "SILENCE_SECONDS", 0)
        assert end_dead_runs(instance) == []
        back = DatabaseLock(make_url(str(database_of(instance))), label)
        assert end_dead_runs(instance) == []
        back.release()

        # The first silence is forgotten: this is the first one again.
        assert end_dead_runs(instance) == []


def test_a_silence_that_is_too_short_ends_nothing(settings: Settings) -> None:
    with command_instance(settings) as instance:
        killed_run(instance, "another-host|1|of-another-machine")

        assert end_dead_runs(instance) == []
        assert end_dead_runs(instance) == []


def test_a_lock_comes_back_after_the_database_took_it_away(
    settings: Settings, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cost_lakehouse.orchestration.liveness.RENEWAL_SECONDS", 0.05)
    with command_instance(settings) as instance:
        label = process_label(instance)
        address = str(database_of(instance))
        assert lives_elsewhere(address, label)

        postgres_server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            f"where application_name = '{APPLICATION}' and datname = '{make_url(address).database}'"
        )

        assert any(lives_elsewhere(address, label) for _ in range(500))
    assert not lives_elsewhere(address, label)
