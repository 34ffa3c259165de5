"""What ``cost-lakehouse doctor`` says of sources and mirrors at Oracle Cloud."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.config import load_settings
from tests.services.oci import OciServer
from tests.services.s3 import S3Server

Doctor = Callable[..., dict[str, Finding]]


@pytest.fixture
def doctor(oci_server: OciServer, tmp_path: Path) -> Doctor:
    """Examines a mirror and, where it is given, a source; the checks of both by name."""
    key = oci_server.add_user(tmp_path / "oci")

    def examine(source: dict[str, Any] | None = None, **options: Any) -> dict[str, Finding]:
        oci = {"config_file": "oci/config", "endpoint": oci_server.endpoint, "secrets_endpoint": oci_server.endpoint}
        mirror = {"name": "acme", "tenancy": key.principal.tenancy, "oci": oci, "destination": "mirror", **options}
        sources = [{"name": "acme", "kind": "oci_cost_reports", **source}] if source else []
        file = tmp_path / "lakehouse.yaml"
        file.write_text(yaml.safe_dump({"mirrors": [mirror], "sources": sources}), encoding="utf-8")
        chosen = [candidate for candidate in checks(load_settings(file)) if candidate[0].startswith(("mirror", "source"))]
        return {name: examine_one(name, check) for name, check in chosen}

    return examine


def add_report(server: OciServer) -> None:
    server.add_object(server.make_bucket(), "reports/cost-csv/1.csv.gz", b"x")


def test_a_mirror_that_works(doctor: Doctor, oci_server: OciServer) -> None:
    add_report(oci_server)
    found = doctor()
    assert {name: item.state for name, item in found.items()} == {
        "mirror acme: reports": "ok",
        "mirror acme: destination": "ok",
    }
    assert "(api key) holds reports/cost-csv" in found["mirror acme: reports"].says


def test_an_empty_bucket(doctor: Doctor, oci_server: OciServer) -> None:
    oci_server.make_bucket()
    found = doctor()["mirror acme: reports"]
    assert found.state == "warning"
    assert "home region" in found.fix


def test_no_right_to_list(doctor: Doctor) -> None:
    found = doctor()["mirror acme: reports"]
    assert found.state == "failed"
    assert "NotAuthorizedOrNotFound" in found.says
    assert "endorse group" in found.fix


def test_a_destination_that_cannot_be_written(doctor: Doctor, oci_server: OciServer, tmp_path: Path) -> None:
    add_report(oci_server)
    (tmp_path / "mirror").write_text("in the way")
    found = doctor()["mirror acme: destination"]
    assert found.state == "failed"
    assert str(tmp_path / "mirror") in found.says


def test_a_bucket_with_keys_of_the_vault(doctor: Doctor, oci_server: OciServer, s3_server: S3Server, s3_bucket: str) -> None:
    add_report(oci_server)
    vault = {
        "access_key": oci_server.add_secret(s3_server.access_key.encode()),
        "secret_key": oci_server.add_secret(s3_server.secret_key.encode()),
    }
    options = {"destination": f"s3://{s3_bucket}/oci", "endpoint": s3_server.endpoint, "vault": vault}
    assert {value.state for value in doctor(**options).values()} == {"ok"}
    assert s3_server.client().list_objects_v2(Bucket=s3_bucket).get("Contents", []) == []
    assert doctor(**{**options, "destination": "s3://not-there"})["mirror acme: destination"].state == "failed"
    oci_server.secrets.pop(vault["secret_key"])
    found = doctor(**options)["mirror acme: vault"]
    assert found.state == "failed"
    assert "read secret-bundles" in found.fix


def test_sources_at_oracle_and_at_the_mirror(doctor: Doctor, oci_server: OciServer) -> None:
    add_report(oci_server)
    oci = {"config_file": "oci/config", "endpoint": oci_server.endpoint}
    found = doctor({"tenancy": oci_server.tenancy, "oci": oci})["source acme"]
    assert (found.state, "1 for raw.oci_cost" in found.says) == ("ok", True)
    found = doctor({"location": "mirror"})["source acme"]
    assert (found.state, "`cost-lakehouse mirror`" in found.fix) == ("warning", True)


def test_a_paused_mirror_is_not_looked_at(doctor: Doctor) -> None:
    assert [value.says for value in doctor(paused=True).values()] == ["paused; not looked at"]
