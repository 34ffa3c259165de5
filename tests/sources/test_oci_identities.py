"""Each identity that a machine can have at Oracle Cloud, proven against the local server as far as the SDK lets us."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.oci.store import OciStore
from tests.services.certificates import make_tls
from tests.services.oci import OciServer
from tests.services.oci_identity import pem_of
from tests.services.ports import free_ports


@pytest.fixture
def server(oci_server: OciServer) -> OciServer:
    oci_server.add_object(oci_server.make_bucket(), "reports/cost-csv/1.csv.gz", b"1")
    return oci_server


def names(server: OciServer, settings: OciSettings) -> list[str]:
    return [entry.key for entry in OciStore.of(server.tenancy, settings, attempts=1).list("")]


def test_an_api_key_of_a_profile(server: OciServer, tmp_path: Path) -> None:
    server.add_user(tmp_path, tenancy=server.new_tenancy())
    key = server.add_user(tmp_path, profile="REPORTS")
    given = OciSettings(config_file=str(key.config_file), profile="REPORTS", endpoint=server.endpoint)
    assert names(server, given) == ["reports/cost-csv/1.csv.gz"]
    assert server.seen[-1].principal == key.principal.ocid


def test_the_instance_principal_of_a_machine(server: OciServer, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = server.become_instance()
    monkeypatch.setenv("OCI_METADATA_BASE_URL", f"{server.endpoint}/opc/v2")
    given = OciSettings(auth="instance_principal", endpoint=server.endpoint, auth_endpoint=server.endpoint)
    assert names(server, given) == ["reports/cost-csv/1.csv.gz"]
    assert server.seen[-1].principal == machine.ocid


def test_a_machine_without_an_instance_principal(oci_server: OciServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("OCI_METADATA_BASE_URL", f"http://127.0.0.1:{port}/opc/v2")
    with pytest.raises(SourceError, match="This machine has no instance principal") as told:
        OciStore.of(oci_server.tenancy, OciSettings(auth="instance_principal"), attempts=1)
    assert "use `auth: api_key`" in told.value.fix


def test_the_resource_principal_of_a_function(server: OciServer, monkeypatch: pytest.MonkeyPatch) -> None:
    function = server.add_principal("fnfunc")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2")
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_RPST", server.directory.issue_token(function, key.public_key()))
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", pem_of(key))
    monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_REGION", server.region)
    assert names(server, OciSettings(auth="resource_principal", endpoint=server.endpoint)) == ["reports/cost-csv/1.csv.gz"]
    assert server.seen[-1].principal == function.ocid


def test_a_process_without_a_resource_principal(oci_server: OciServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCI_RESOURCE_PRINCIPAL_VERSION", raising=False)
    with pytest.raises(SourceError, match="This process has no resource principal"):
        OciStore.of(oci_server.tenancy, OciSettings(auth="resource_principal"), attempts=1)


def test_the_workload_identity_of_a_pod(server: OciServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port and token file of a cluster are fixed in the SDK, so the test moves them; all else is as there."""
    tls, authority = make_tls(tmp_path)
    cluster = OciServer(tls=tls, tenancy=server.tenancy, directory=server.directory).start()
    try:
        token = tmp_path / "token"
        token.write_text(service_account_token(), encoding="ascii")
        pod = cluster.become_cluster(token.read_text(encoding="ascii"))
        signer = "oci.auth.signers.resource_principals_signer"
        monkeypatch.setattr(f"{signer}.OCI_KUBERNETES_PROXYMUX_SERVICE_PORT", cluster.port)
        monkeypatch.setattr("oci.auth.rpt_path_providers.OCI_KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH", str(token))
        monkeypatch.setenv("OCI_KUBERNETES_SERVICE_ACCOUNT_CERT_PATH", str(authority))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("OCI_RESOURCE_PRINCIPAL_REGION", server.region)
        assert names(server, OciSettings(auth="workload_identity", endpoint=server.endpoint)) == ["reports/cost-csv/1.csv.gz"]
        assert server.seen[-1].principal == pod.ocid
    finally:
        cluster.stop()


def service_account_token() -> str:
    return jwt.encode({"sub": "pod", "exp": int(time.time()) + 3600}, "a key of the cluster, which nobody here knows", "HS256")


def test_a_pod_without_workload_identity(oci_server: OciServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SourceError, match="This pod has no workload identity"):
        OciStore.of(oci_server.tenancy, OciSettings(auth="workload_identity"), attempts=1)
