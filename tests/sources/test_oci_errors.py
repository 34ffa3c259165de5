"""What can go wrong with Oracle Cloud: each told with its cause and what to do, and never with a secret."""

from __future__ import annotations

import ssl
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.oci.store import OciStore
from tests.services.certificates import make_tls
from tests.services.oci import OciServer
from tests.services.ports import free_ports


def failure(tenancy: str, settings: OciSettings) -> SourceError:
    with pytest.raises(SourceError) as told:
        list(OciStore.of(tenancy, settings, attempts=1).list("reports/"))
    return told.value


def settings_of(server: OciServer, folder: Path, tenancy: str | None = None) -> OciSettings:
    key = server.add_user(folder / "oci", tenancy=tenancy)
    return OciSettings(config_file=str(key.config_file), endpoint=server.endpoint)


def test_missing_policy_wrong_tenancy_and_wrong_region_look_the_same_and_all_three_are_named(
    oci_server: OciServer, tmp_path: Path
) -> None:
    oci_server.make_bucket()
    other = oci_server.new_tenancy()
    for tenancy, settings in (
        (oci_server.tenancy, settings_of(oci_server, tmp_path / "other", other)),  # no right
        (other, settings_of(oci_server, tmp_path / "mine", other)),  # not the home region: no such bucket
    ):
        told = failure(tenancy, settings)
        assert f"oci://{tenancy}@bling/reports/" in told.problem
        assert "NotAuthorizedOrNotFound" in told.problem
        assert "endorse group NAME to read objects in tenancy usage-report" in told.fix
        assert "`tenancy` is not this identity's tenancy" in told.fix
        assert "home region" in told.fix


def test_a_key_that_is_not_known(oci_server: OciServer, tmp_path: Path) -> None:
    key = oci_server.add_user(tmp_path)
    oci_server.directory.forget(key)
    told = failure(oci_server.tenancy, OciSettings(config_file=str(key.config_file), endpoint=oci_server.endpoint))
    assert "does not accept the API key of profile DEFAULT" in told.problem
    assert "fingerprint" in told.fix
    assert "PRIVATE KEY" not in str(told)


def test_a_wrong_clock(oci_server: OciServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(oci_server, tmp_path)
    wrong = SimpleNamespace(formatdate=lambda usegmt: formatdate(0, usegmt=usegmt))
    monkeypatch.setattr("oci.signer.email", SimpleNamespace(utils=wrong))
    told = failure(oci_server.tenancy, settings)
    assert "clock is wrong" in told.problem


def test_no_file_no_profile_no_key(oci_server: OciServer, tmp_path: Path) -> None:
    settings = settings_of(oci_server, tmp_path)
    file = Path(str(settings.config_file))
    assert (
        f"there is no file {tmp_path}/none"
        in failure(oci_server.tenancy, settings.model_copy(update={"config_file": f"{tmp_path}/none"})).problem
    )
    assert (
        f"{file} has no profile OTHER" in failure(oci_server.tenancy, settings.model_copy(update={"profile": "OTHER"})).problem
    )
    content = file.read_text(encoding="utf-8")
    (key_file,) = file.parent.glob("*.pem")
    key_file.write_text("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----\n", encoding="ascii")
    told = failure(oci_server.tenancy, settings)
    assert "is no private key" in told.problem
    assert "c2VjcmV0" not in str(told)
    key_file.unlink()
    assert "cannot be read" in failure(oci_server.tenancy, settings).problem
    file.write_text("\n".join(line for line in content.splitlines() if not line.startswith("user")), encoding="utf-8")
    key_file.write_text("x", encoding="ascii")
    assert "user is missing" in failure(oci_server.tenancy, settings).problem


def test_nobody_listens(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = settings_of(OciServer().start(), tmp_path).model_copy(update={"endpoint": f"http://127.0.0.1:{port}"})
    assert f"http://127.0.0.1:{port} cannot be reached" in failure("ocid1.tenancy.oc1..a", settings).problem


def test_a_certificate_that_nobody_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls, authority = make_tls(tmp_path)
    server = trusted_only_with(tls)
    try:
        settings = settings_of(server, tmp_path)
        told = failure(server.tenancy, settings)
        assert "its certificate is not trusted" in told.problem
        assert "REQUESTS_CA_BUNDLE" in told.fix
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        assert list(OciStore.of(server.tenancy, settings, attempts=1).list("")) == []
    finally:
        server.stop()


def trusted_only_with(tls: ssl.SSLContext) -> OciServer:
    server = OciServer(tls=tls).start()
    server.make_bucket()
    return server
