"""The command binds, says where, answers, and stops when it is told to."""

from __future__ import annotations

import gc
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from pyiceberg.manifest import ManifestFile

from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake import manifests
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.remembered import Remembered
from cost_lakehouse.serve.server import address_of, bound
from cost_lakehouse.serve.starting import start
from tests.demo import command


def test_the_command_answers_until_it_is_stopped(lake: Lake) -> None:
    arguments = [sys.executable, "-m", "cost_lakehouse.cli", "serve", "--port", "0", "--config", str(lake.settings.file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(f"{found[0]}/v1/sources", timeout=60) as answer:  # noqa: S310
                assert (answer.status, b'"acme"' in answer.read()) == (200, True)
        finally:
            process.send_signal(signal.SIGTERM)
            _, logged = process.communicate(timeout=60)
    assert "GET /v1/sources" in logged


def test_pages_do_not_wait_for_manifests_and_garbage(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "_entries", Remembered(100_000, len))
    try:
        start(lake)
        assert gc.get_freeze_count()
        frozen = {id(known) for known in manifests.manifests_of(lake.current("marts.daily_costs"))}
        assert frozen
        assert not frozen & {id(one) for one in gc.get_objects()}  # the collector does not look at them any more
        monkeypatch.setattr(ManifestFile, "fetch_manifest_entry", lambda *_: pytest.fail("a manifest is read twice"))
        assert manifests.file_tasks(lake.current("marts.daily_costs"))
    finally:
        gc.unfreeze()


def test_a_server_starts_while_its_catalog_does_not_answer(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lake, "table_names", lambda: lake.current("marts.that_is_not_there"))
    try:
        with caplog.at_level("INFO", "cost_lakehouse.serve"):
            start(lake)
    finally:
        gc.unfreeze()
    assert "The marts' manifests are not read ahead: " in caplog.text


def test_a_taken_port_is_said_with_what_to_do() -> None:
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert address_of(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(CostLakehouseError, match=rf"127\.0\.0\.1:{port} cannot be bound: Address already in use"):
            bound("127.0.0.1", port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    try:
        listener = bound("::1", 0)
    except CostLakehouseError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert re.fullmatch(r"http://\[::1\]:\d+", address_of(listener))


def test_others_are_not_served_without_a_token(lake: Lake) -> None:
    result = command("serve", "--host", "0.0.0.0", "--port", "0", "--config", str(lake.settings.file))  # noqa: S104

    assert result.exit_code == 2
    assert "Set a token in lakehouse.yaml" in result.stderr


def test_wrong_configuration_is_said_before_anything_is_bound(tmp_path: Path) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text("serve: {token: x}\n", encoding="utf-8")

    assert command("serve", "--config", str(file)).exit_code == 2
