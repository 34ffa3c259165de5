"""AWS keys that are kept in OCI Vault: they open the destination, and nobody gets to see them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cost_lakehouse.errors import MirrorFailed, SourceError
from tests.mirror.conftest import Mirroring
from tests.services.s3 import S3Server


@pytest.fixture
def mirroring_with_vault(bucket_mirroring: Mirroring) -> Mirroring:
    """The keys as people paste them: with a line break after them."""
    server = server_of(bucket_mirroring)
    cloud, options = bucket_mirroring.cloud, bucket_mirroring.target.options
    del options["access_key"], options["secret_key"]
    options["vault"] = {
        "access_key": cloud.add_secret(f"  {server.access_key}\n".encode()),
        "secret_key": cloud.add_secret(f"{server.secret_key}\r\n".encode()),
    }
    bucket_mirroring.add("reports/cost-csv/1.csv.gz", b"x")
    return bucket_mirroring


def server_of(mirroring: Mirroring) -> S3Server:
    assert mirroring.target.server is not None
    return mirroring.target.server


def test_keys_of_the_vault_open_the_destination(
    mirroring_with_vault: Mirroring, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    report = mirroring_with_vault.run()
    assert mirroring_with_vault.target.contents() == {"reports/cost-csv/1.csv.gz": b"x"}
    server, output = server_of(mirroring_with_vault), capfd.readouterr()
    shown = caplog.text + output.out + output.err + str(report) + str(report.facts())
    assert server.secret_key not in shown
    assert server.access_key not in str(report) + output.out + output.err
    # Not on this machine's disk either, apart from what the S3 server itself was configured with.
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(server.secret_key.encode() in item or server.access_key.encode() in item for item in written)


def test_a_secret_that_may_not_be_read_is_told(mirroring_with_vault: Mirroring) -> None:
    ocid = mirroring_with_vault.target.options["vault"]["secret_key"]
    mirroring_with_vault.cloud.secrets.pop(ocid)
    with pytest.raises(SourceError, match=f"the Vault secret {ocid} is not there, or not for this identity") as told:
        mirroring_with_vault.run()
    assert "allow group NAME to read secret-bundles" in told.value.fix


@pytest.mark.parametrize("content", [b" \n", b"\xff\xfe\x00"])
def test_a_secret_without_a_key_is_told(mirroring_with_vault: Mirroring, content: bytes) -> None:
    ocid = mirroring_with_vault.cloud.add_secret(content)
    mirroring_with_vault.target.options["vault"]["access_key"] = ocid
    with pytest.raises(SourceError, match=f"The Vault secret {ocid} holds no AWS key"):
        mirroring_with_vault.run()


def test_a_wrong_key_is_told_without_it(mirroring_with_vault: Mirroring) -> None:
    vault = mirroring_with_vault.target.options["vault"]
    vault["secret_key"] = mirroring_with_vault.cloud.add_secret(b"guessed-by-somebody")
    with pytest.raises(MirrorFailed, match="The secret key does not fit its access key") as told:
        mirroring_with_vault.run()
    assert "guessed-by-somebody" not in str(told.value)
    assert "the secret in the vault" in told.value.fix
