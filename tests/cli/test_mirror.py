"""``cost-lakehouse mirror`` as a user calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cost_lakehouse.cli.app import app
from tests.services.oci import Fault, OciServer

COST = "reports/cost-csv/1.csv.gz"


@pytest.fixture
def cloud(oci_server: OciServer, tmp_path: Path) -> OciServer:
    oci_server.add_user(tmp_path / "oci")
    bucket = oci_server.make_bucket()
    oci_server.add_object(bucket, COST, b"12345")
    oci_server.add_object(bucket, "FOCUS Reports/2026/10/01/1.csv.gz", b"123")
    return oci_server


def configure(cloud: OciServer, folder: Path, *mirrors: dict[str, Any]) -> None:
    oci = {"config_file": str(folder / "oci/config"), "endpoint": cloud.endpoint}
    made = [{"name": "acme", "tenancy": cloud.tenancy, "oci": oci, "destination": "mirror", **mirror} for mirror in mirrors]
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump({"mirrors": made}), encoding="utf-8")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["mirror", *arguments])


def test_copies_and_says_what_was_done(cloud: OciServer, tmp_path: Path) -> None:
    configure(cloud, tmp_path, {})
    first = call()
    assert first.exit_code == 0, first.output
    assert (tmp_path / "mirror" / COST).read_bytes() == b"12345"
    row = next(line for line in first.stdout.splitlines() if line.startswith("acme"))
    assert row.split()[:6] == ["acme", "2", "2", "8", "B", "0"]
    row = next(line for line in call().stdout.splitlines() if line.startswith("acme"))
    assert row.split()[:6] == ["acme", "2", "0", "0", "B", "2"]


def test_a_dry_run_names_what_it_would_copy(cloud: OciServer, tmp_path: Path) -> None:
    configure(cloud, tmp_path, {})
    told = call("--dry-run")
    assert told.exit_code == 0
    assert f"would copy {COST}" in told.stdout
    assert "this was a dry run" in told.stdout
    assert not (tmp_path / "mirror" / COST).exists()


def test_one_mirror_of_several(cloud: OciServer, tmp_path: Path) -> None:
    configure(
        cloud, tmp_path, {}, {"name": "other", "destination": "other"}, {"name": "third", "destination": "x", "paused": True}
    )
    assert call("--name", "other").exit_code == 0
    assert (tmp_path / "other" / COST).exists()
    assert not (tmp_path / "mirror").exists()
    unknown, paused = call("--name", "nobody"), call("--name", "third")
    assert (unknown.exit_code, paused.exit_code) == (2, 2)
    assert "Known mirrors: acme, other, third" in unknown.stderr
    assert "is paused" in paused.stderr


def test_without_a_mirror_there_is_nothing_to_do(cloud: OciServer, tmp_path: Path) -> None:
    configure(cloud, tmp_path)
    told = call()
    assert told.exit_code == 2
    assert "There is no mirror" in told.stderr


def test_a_failure_names_the_object_and_keeps_no_other_mirror_from_running(cloud: OciServer, tmp_path: Path) -> None:
    other = cloud.new_tenancy()
    configure(cloud, tmp_path, {"name": "wrong", "tenancy": other, "destination": "wrong"}, {})
    cloud.fail(Fault(403, "Forbidden", "Not yours", times=9, matches=lambda seen: "FOCUS" in seen.path))
    told = call()
    assert told.exit_code == 1
    assert "home region" in told.stderr
    assert "FOCUS Reports/2026/10/01/1.csv.gz" in told.stderr
    assert (tmp_path / "mirror" / COST).exists()


def test_an_empty_bucket_is_told(cloud: OciServer, tmp_path: Path) -> None:
    for name in list(next(iter(cloud.buckets.values())).names):
        next(iter(cloud.buckets.values())).remove(name)
    configure(cloud, tmp_path, {})
    told = call()
    assert told.exit_code == 0
    assert "holds no reports" in told.stdout
