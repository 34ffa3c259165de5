"""Where pods share no files, what a run printed in one is read in another, through the real S3 server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.instance import INSTANCE_FILE, INSTANCE_RULES
from cost_lakehouse.orchestration.run_logs import LOGS_VARIABLE
from tests.services.s3 import S3Server

# The code server's pod: one run, captured as Dagster captures it.
ONE_RUN = """
import sys
import dagster as dg
from dagster._core.instance.ref import InstanceRef

@dg.op
def load():
    print("line items of acme: 1,204.50 USD", flush=True)
    print("and a warning", file=sys.stderr, flush=True)

@dg.job(executor_def=dg.in_process_executor)
def load_line_items():
    load()

with dg.DagsterInstance.from_ref(InstanceRef.from_dir(sys.argv[1])) as instance:
    print("RUN", load_line_items.execute_in_process(instance=instance).run_id, flush=True)
"""


def home(folder: Path) -> Path:
    """A pod's own folder with the instance's rules."""
    folder.mkdir()
    (folder / INSTANCE_FILE).write_text(INSTANCE_RULES, encoding="utf-8")
    return folder


def instance_in(folder: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder)))


def test_what_a_run_prints_in_one_pod_is_read_in_another(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOGS_VARIABLE, f"s3://{s3_shared_bucket}/run-logs/of-this-test/")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    code, webserver = home(tmp_path / "code"), home(tmp_path / "webserver")
    done = subprocess.run(
        [sys.executable, "-c", ONE_RUN, str(code)],
        env={**os.environ, "DAGSTER_HOME": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    run_id = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("RUN "))

    monkeypatch.setenv("DAGSTER_HOME", str(webserver))
    with instance_in(webserver) as instance:
        assert not (webserver / "storage").exists()
        logs = instance.compute_log_manager
        (key,) = logs.get_log_keys_for_log_key_prefix([run_id, "compute_logs"], ComputeIOType.STDOUT)
        data = logs.get_log_data(key)

    assert b"line items of acme: 1,204.50 USD" in (data.stdout or b"")
    assert b"and a warning" in (data.stderr or b"")


def test_without_the_variable_logs_are_files_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.delenv(LOGS_VARIABLE, raising=False)
    with instance_in(folder) as instance:
        assert isinstance(instance.compute_log_manager, LocalComputeLogManager)


@pytest.mark.parametrize("given", ["/var/log", "s3://", "https://logs.example.com/x"], ids=["folder", "no-bucket", "https"])
def test_a_place_that_is_none_in_s3_is_refused(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home(tmp_path / "home")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv(LOGS_VARIABLE, given)
    with instance_in(folder) as instance, pytest.raises(ConfigurationError, match=LOGS_VARIABLE):
        _ = instance.compute_log_manager
