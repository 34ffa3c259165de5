"""What ``doctor`` says of a bill in a bucket that cannot be read: cause and fix, and never a secret."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import AwsCurSettings
from tests.cli.test_policy import limited_to
from tests.services.ports import free_ports
from tests.services.s3 import S3Server
from tests.services.sts import StsServer
from tests.sources.places import Report, S3Place

ME = "arn:aws:iam::444455556666:role/machine"
READER = "arn:aws:iam::111122223333:role/read-the-bill"
EXTERNAL_ID = "acme:4711-external"
MANIFEST = "cur/hourly/20261001-20261101/hourly-Manifest.json"

pytestmark = pytest.mark.usefixtures("no_own_credentials")


@pytest.fixture
def report(s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path) -> Report:
    """A bill that is all there, in a real bucket."""
    made = Report(S3Place(s3_server, s3_shared_bucket, f"{uuid.uuid4().hex[:12]}/", tmp_path))
    made.deliver("assembly-1")
    return made


def doctor(source: AwsCurSettings, folder: Path) -> Finding:
    """What the check of this one source says."""
    settings = Settings(base=folder, file=folder / "lakehouse.yaml", sources=(source,))
    return examine_one("source", dict(checks(settings))[f"source {source.name}"])


def changed(report: Report, **other: Any) -> AwsCurSettings:
    given = report.source()
    keys = {"access_key": given.access_key, "secret_key": given.secret_key}
    base = {
        "name": given.name,
        "kind": given.kind,
        "location": given.location,
        "endpoint": given.endpoint,
        "region": given.region,
    }
    return AwsCurSettings.model_validate({**base, **keys, **other})


@pytest.fixture
def sts(s3_server: S3Server) -> Iterator[StsServer]:
    with StsServer(s3_server) as server:
        server.add_role(READER, trusts={ME}, external_id=EXTERNAL_ID)
        yield server


def test_a_bill_that_can_be_read_with_a_role_is_in_order(report: Report, sts: StsServer, tmp_path: Path) -> None:
    role = {"role_arn": READER, "external_id": EXTERNAL_ID, "sts_endpoint": sts.endpoint}
    found = doctor(changed(report, **sts.add_user(ME), **role), tmp_path)
    assert (found.state, found.fix) == ("ok", ""), found
    assert "1 month, newest delivery" in found.says


@pytest.mark.parametrize("sent", ["another:id-0815", None])
def test_a_wrong_or_missing_external_id(report: Report, sts: StsServer, tmp_path: Path, sent: str | None) -> None:
    role = {"role_arn": READER, "sts_endpoint": sts.endpoint, **({"external_id": sent} if sent else {})}
    found = doctor(changed(report, **sts.add_user(ME), **role), tmp_path)
    assert (found.state, found.says) == ("failed", f"The role {READER} cannot be assumed by {ME}.")
    assert "external_id" in found.fix
    assert "policy aws" in found.fix
    assert EXTERNAL_ID not in f"{found}"
    assert sent is None or sent not in f"{found}"


def test_authentication_that_fails(report: Report, tmp_path: Path) -> None:
    found = doctor(changed(report, access_key="AKIAUNKNOWN", secret_key="s3cret-s3cret"), tmp_path)
    assert "does not know the access key" in found.says
    found_too = doctor(changed(report, secret_key="s3cret-s3cret"), tmp_path)
    assert "secret key does not fit its access key" in found_too.says
    for item in (found, found_too):
        assert item.state == "failed"
        assert "`secret_key`" in item.fix
        assert "s3cret" not in f"{item}"


def test_no_manifest_yet(report: Report, tmp_path: Path) -> None:
    found = doctor(changed(report, location=report.source().location + "-of-nobody"), tmp_path)
    assert found.state == "warning"
    assert "no manifest" in found.says
    assert "up to 24 hours" in found.fix


def test_a_policy_that_gives_the_manifest_and_not_the_files(
    report: Report, s3_server: S3Server, s3_shared_bucket: str, sts: StsServer, tmp_path: Path
) -> None:
    bucket = f"arn:aws:s3:::{s3_shared_bucket}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{bucket}/*Manifest.json"]},
        ],
    }
    found = doctor(changed(report, **limited_to(s3_server, policy)), tmp_path)
    assert found.state == "failed"
    assert "hourly-00001.csv.gz is denied" in found.says
    assert "s3:GetObject on arn:aws:s3:::" in found.fix

    sts.roles[READER].policy = policy
    role = {"role_arn": READER, "external_id": EXTERNAL_ID, "sts_endpoint": sts.endpoint, "session_name": "bills"}
    found = doctor(changed(report, **sts.add_user(ME), **role), tmp_path)
    assert found.says.endswith("is denied: it was asked for by arn:aws:sts::111122223333:assumed-role/read-the-bill/bills.")


def test_a_proxy_that_does_not_answer(report: Report, tmp_path: Path) -> None:
    proxy = f"http://lakehouse:pa55word@127.0.0.1:{free_ports(1)[0]}"
    found = doctor(changed(report, proxy=proxy), tmp_path)
    assert found.state == "failed"
    assert found.says.startswith("The proxy on the way to ")
    assert "`proxy`" in found.fix
    assert "pa55word" not in f"{found}"


Refusal = tuple[int, str, str, str]  # status, code, message, region


class _Refusing(ThreadingHTTPServer):
    """A bucket as AWS has them, with one manifest; ``refuse`` says what is answered instead."""

    daemon_threads = True

    def __init__(self, refuse: Callable[[str, Any], Refusal | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Bucket)
        self.refuse = refuse

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Bucket(BaseHTTPRequestHandler):
    server: _Refusing

    def do_GET(self) -> None:
        refusal = self.server.refuse(self.path, self.headers)
        if refusal is not None:
            status, code, message, region = refusal
            self._send(status, f"<Error><Code>{code}</Code><Message>{message}</Message><Region>{region}</Region></Error>")
            return
        folder = MANIFEST.rpartition("/")[0] + "/"
        entry = (
            f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
            if "prefix=cur%2Fhourly%2F&" in f"{self.path}&"
            else f"<Contents><Key>{MANIFEST}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
            "<ETag>&quot;e&quot;</ETag><Size>10</Size></Contents>"
        )
        self._send(200, f"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>{entry}</ListBucketResult>")

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""


def doctor_of(refuse: Callable[[str, Any], Refusal | None], folder: Path, **other: Any) -> Finding:
    server = _Refusing(refuse)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        given = {"name": "acme", "kind": "aws_cur", "location": "s3://b/cur/hourly", "endpoint": server.endpoint}
        keys = {"access_key": "AKIAOWN", "secret_key": "s3cret", "region": "us-east-1"}
        found = doctor(AwsCurSettings.model_validate({**given, **keys, **other}), folder)
    finally:
        server.shutdown()
        server.server_close()
    assert not any(text in f"{found}" for text in ("AKIAOWN", "s3cret"))
    return found


def test_a_bucket_in_another_region_is_told_with_its_region(tmp_path: Path) -> None:
    wrong = (400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'", "eu-central-1")
    found = doctor_of(lambda path, headers: wrong, tmp_path)
    assert (found.state, found.says) == ("failed", "The bucket b is in another region than the one that was asked.")
    assert found.fix.startswith("Set `region` to eu-central-1")


def test_a_kms_key_that_may_not_be_used(tmp_path: Path) -> None:
    message = (
        "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
    )
    found = doctor_of(lambda path, headers: (403, "AccessDenied", message, "") if MANIFEST in path else None, tmp_path)
    assert (found.state, "is encrypted with a KMS key" in found.says) == ("failed", True)
    assert "kms:Decrypt" in found.fix


def test_a_bucket_whose_requester_pays(tmp_path: Path) -> None:
    def refuse(path: str, headers: Any) -> Refusal | None:
        pays = headers.get("x-amz-request-payer") == "requester"
        return None if pays else (403, "AccessDenied", "Access Denied", "")

    found = doctor_of(refuse, tmp_path)
    assert found.state == "failed"
    assert found.says == "The requester pays for what is read from the bucket b, and acme does not say that it will."
    assert "`requester_pays: true`" in found.fix
    missing = (404, "NoSuchKey", "no such key", "")
    with_it = doctor_of(
        lambda path, headers: refuse(path, headers) or (missing if MANIFEST in path else None), tmp_path, requester_pays=True
    )
    assert "requester" not in with_it.says


def test_a_denial_that_paying_would_not_lift_is_told_as_it_is(tmp_path: Path) -> None:
    found = doctor_of(lambda path, headers: (403, "AccessDenied", "Access Denied", ""), tmp_path)
    assert found.says.startswith("Access to s3://b/cur/hourly")
    assert "policy aws" in found.fix
