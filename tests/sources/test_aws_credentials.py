"""Whose credentials read a source: each way on a real S3 server, which takes only keys that it has given out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_store import S3Store
from sample_bills import Bill, BillDelivery, FileFormat, Versioning, write_delivery
from tests.services.s3 import S3Server
from tests.services.sts import StsServer
from tests.sources.s3_sources import refused

ME = "arn:aws:iam::444455556666:role/machine"
HUB = "arn:aws:iam::444455556666:role/hub"
READER = "arn:aws:iam::111122223333:role/read-the-bill"
EXTERNAL_ID = "acme:4711-external"
TOKEN = "eyJhbGciOi.a-web-identity.token"

pytestmark = pytest.mark.usefixtures("no_own_credentials")


@pytest.fixture
def sts(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[StsServer]:
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    with StsServer(s3_server) as server:
        yield server


@pytest.fixture
def place(s3_server: S3Server, s3_shared_bucket: str) -> dict[str, Any]:
    return {
        "name": "acme-payer",
        "kind": "aws_cur",
        "location": f"s3://{s3_shared_bucket}/cur/hourly",
        "endpoint": s3_server.endpoint,
        "region": "eu-central-1",
    }


def source_of(place: dict[str, Any], **other: Any) -> AwsCurSettings:
    return AwsCurSettings.model_validate({**place, **other})


def reads(source: AwsCurSettings) -> bool:
    list(S3Store.of(source, attempts=1).list("nothing/"))
    return True


def test_the_environments_keys_a_profiles_and_a_sources_own_are_kept_apart(
    s3_server: S3Server, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        f"[billing]\naws_access_key_id = {s3_server.access_key}\naws_secret_access_key = {s3_server.secret_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with_profile, with_nothing = source_of(place, profile="billing"), source_of(place)
    with_keys = source_of(place, access_key=s3_server.access_key, secret_key=s3_server.secret_key)
    assert "No AWS credentials were found" in refused(with_nothing).problem
    assert reads(with_profile)
    assert reads(with_keys)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    assert "does not know the access key" in refused(with_nothing).problem
    assert reads(with_profile)
    assert reads(with_keys)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    assert reads(with_nothing)


def test_a_role_is_assumed_with_its_external_id_and_session_name(sts: StsServer, place: dict[str, Any]) -> None:
    sts.add_role(READER, trusts={ME}, external_id=EXTERNAL_ID)
    role = {"role_arn": READER, "external_id": EXTERNAL_ID, "session_name": "bills-of-acme", "sts_endpoint": sts.endpoint}
    assert reads(source_of(place, **sts.add_user(ME), **role))
    (asked,) = sts.asked
    assert (asked.parameters["RoleArn"], asked.parameters["ExternalId"]) == (READER, EXTERNAL_ID)
    assert [session.arn for session in sts.sessions] == ["arn:aws:sts::111122223333:assumed-role/read-the-bill/bills-of-acme"]
    assert asked.region == "eu-central-1"


def test_roles_are_assumed_one_after_another_and_the_last_one_reads(sts: StsServer, place: dict[str, Any]) -> None:
    sts.add_role(HUB, trusts={ME})
    sts.add_role(READER, trusts={HUB}, external_id=EXTERNAL_ID)
    chain = {"role_arn": [HUB, READER], "external_id": EXTERNAL_ID, "sts_endpoint": sts.endpoint, "sts_region": "eu-west-1"}
    assert reads(source_of(place, **sts.add_user(ME), **chain))
    # The second asks for its credentials first, and so learns that it needs the first.
    assert {item.parameters["RoleArn"]: item.parameters.get("ExternalId") for item in sts.asked} == {
        HUB: None,
        READER: EXTERNAL_ID,
    }
    assert sts.caller(sts.asked[-1].key) == "arn:aws:sts::444455556666:assumed-role/hub/cost-lakehouse"
    assert {item.region for item in sts.asked} == {"eu-west-1"}


@pytest.mark.parametrize("said_by", ["source", "environment", "environment with its role"])
def test_a_web_identity_needs_no_keys(
    sts: StsServer, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said_by: str
) -> None:
    sts.add_role(HUB, tokens={TOKEN})
    sts.add_role(READER, trusts={HUB}, external_id=EXTERNAL_ID)
    file = tmp_path / "token"
    file.write_text(TOKEN)
    given: dict[str, Any] = {"role_arn": [HUB, READER], "external_id": EXTERNAL_ID, "sts_endpoint": sts.endpoint}
    if said_by == "source":
        given["web_identity_token_file"] = str(file)
    else:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    if said_by == "environment with its role":  # as EKS sets them (IRSA): boto3 assumes it, and STS is named for all
        monkeypatch.setenv("AWS_ROLE_ARN", HUB)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint)
        given["role_arn"] = READER

    assert reads(source_of(place, **given))

    asked = {item.parameters["Action"]: item for item in sts.asked}
    assert sts.caller(asked["AssumeRole"].key).startswith("arn:aws:sts::444455556666:assumed-role/hub/")  # type: ignore[union-attr]
    by_token = asked["AssumeRoleWithWebIdentity"]
    assert (by_token.parameters["WebIdentityToken"], by_token.key) == (TOKEN, None)


def test_an_external_id_is_never_left_out_because_there_is_a_web_identity(
    sts: StsServer, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    error = refused(source_of(place, role_arn=READER, external_id=EXTERNAL_ID, sts_endpoint=sts.endpoint))
    assert "AWS_ROLE_ARN env var is set" in error.problem
    assert sts.asked == []


def test_a_web_identitys_token_is_read_again_for_each_session(
    s3_server: S3Server, place: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    with StsServer(s3_server, session_seconds=30) as sts:  # so short that it is renewed for each request
        sts.add_role(HUB, tokens={"first", "second"})
        given = {"role_arn": HUB, "sts_endpoint": sts.endpoint, "web_identity_token_file": str(file)}
        store = S3Store.of(source_of(place, **given), attempts=1)
        for token in ("first", "second"):
            file.write_text(token)
            list(store.list("nothing/"))
        assert [item.parameters["WebIdentityToken"] for item in sts.asked][:: len(sts.asked) - 1] == ["first", "second"]


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ({"region": "eu-central-1"}, "sts.eu-central-1.amazonaws.com"),
        ({"region": "eu-central-1", "sts_region": "us-east-1"}, "sts.us-east-1.amazonaws.com"),
        ({}, "sts.us-east-1.amazonaws.com"),
        ({"role_arn": "arn:aws-cn:iam::111122223333:role/r"}, "sts.cn-north-1.amazonaws.com.cn"),
        ({"role_arn": "arn:aws-us-gov:iam::111122223333:role/r"}, "sts.us-gov-west-1.amazonaws.com"),
        ({"sts_endpoint": "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com"}, "vpce-1.sts.eu-west-1.vpce.amazonaws.com"),
    ],
)
def test_sts_is_asked_in_the_region_or_where_the_source_says(
    given: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain: Any = boto3.session.Session.client

    def client(self: Any, service: str, **other: Any) -> Any:
        made = plain(self, service, **other)
        asked.append(made.meta.endpoint_url.partition("://")[2])
        return made

    monkeypatch.setattr(boto3.session.Session, "client", client)
    base = {"name": "a", "kind": "aws_cur", "location": "s3://b/p/r", "role_arn": READER}
    session_of(AwsCurSettings.model_validate({**base, **given}))
    assert asked == [host]


@pytest.mark.parametrize(
    ("trusts", "external_id", "sent", "fix"),
    [
        ({ME}, EXTERNAL_ID, "another-id-0815", "`external_id` may be another one than the role's trust policy demands"),
        ({ME}, EXTERNAL_ID, None, "if the role's trust policy demands an external id (sts:ExternalId), set `external_id`"),
        (set(), None, None, "The role's trust policy must name who asks"),
    ],
)
def test_a_role_that_is_not_given_is_told_with_who_asked_and_what_may_be_wrong(
    sts: StsServer, place: dict[str, Any], trusts: set[str], external_id: str | None, sent: str | None, fix: str
) -> None:
    sts.add_role(READER, trusts=trusts, external_id=external_id)
    keys = sts.add_user(ME)
    given = {"role_arn": READER, "sts_endpoint": sts.endpoint, **({"external_id": sent} if sent else {})}
    error = refused(source_of(place, **keys, **given))
    assert error.problem == f"The role {READER} cannot be assumed by {ME}."
    assert fix in error.fix
    for secret in (*keys.values(), EXTERNAL_ID, sent):
        assert secret is None or secret not in str(error)


@pytest.mark.parametrize(("refusing", "by"), [(HUB, ME), (READER, "arn:aws:sts::444455556666:assumed-role/hub/cost-lakehouse")])
def test_the_role_of_a_chain_that_is_not_given_is_the_one_that_is_named(
    sts: StsServer, place: dict[str, Any], refusing: str, by: str
) -> None:
    sts.add_role(HUB, trusts={ME})
    sts.add_role(READER, trusts={HUB})
    sts.roles[refusing].trusts = set()
    error = refused(source_of(place, **sts.add_user(ME), role_arn=[HUB, READER], sts_endpoint=sts.endpoint))
    assert error.problem == f"The role {refusing} cannot be assumed by {by}."


def test_own_keys_that_sts_does_not_know_are_not_told_as_a_role_that_is_refused(sts: StsServer, place: dict[str, Any]) -> None:
    sts.add_role(READER, trusts={ME})
    keys = {"access_key": "AKIAUNKNOWN", "secret_key": "unknown-secret"}
    error = refused(source_of(place, **keys, role_arn=READER, sts_endpoint=sts.endpoint))
    assert "does not know the access key" in error.problem
    assert "AKIAUNKNOWN" not in str(error)


def test_a_web_identity_that_is_not_taken_or_not_there_is_told_without_its_token(
    sts: StsServer, place: dict[str, Any], tmp_path: Path
) -> None:
    sts.add_role(HUB)
    file = tmp_path / "token"
    source = source_of(place, role_arn=HUB, web_identity_token_file=str(file), sts_endpoint=sts.endpoint)
    assert refused(source).problem == f"The web identity's token file {file} cannot be read, or is empty."
    file.write_text(TOKEN)
    error = refused(source)
    assert error.problem == f"AWS does not give the role {HUB} to the web identity of this machine."
    assert TOKEN not in str(error)


def test_a_session_that_ends_in_the_middle_of_a_load_is_renewed_and_nothing_is_lost(
    s3_server: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = date(2026, 10, 1)
    bill = Bill(months=(month,), rows=150, file_format=FileFormat.CSV_GZIP, versioning=Versioning.OVERWRITE)
    written = write_delivery(tmp_path, bill, BillDelivery(month=month, delivered_at=datetime(2026, 11, 3, tzinfo=UTC), files=3))
    for path in written.bucket_root.rglob("*"):
        if path.is_file():
            key = path.relative_to(written.bucket_root).as_posix()
            s3_server.client().put_object(Bucket=s3_bucket, Key=key, Body=path.read_bytes())
    # As AWS does it, at another scale: sessions of 1.5 seconds, renewed half a second before they end.
    monkeypatch.setattr(RefreshableCredentials, "_advisory_refresh_timeout", 0.5)
    monkeypatch.setattr(RefreshableCredentials, "_mandatory_refresh_timeout", 0.5)
    with StsServer(s3_server, session_seconds=1.5) as sts:
        sts.add_role(HUB, trusts={ME})
        sts.add_role(READER, trusts={HUB})
        source = AwsCurSettings.model_validate(
            {
                "name": "acme",
                "kind": "aws_cur",
                "location": f"s3://{s3_bucket}/{bill.location.split('/', 1)[1]}",
                "endpoint": s3_server.endpoint,
                "role_arn": [HUB, READER],
                "sts_endpoint": sts.endpoint,
                **sts.add_user(ME),
            }
        )
        settings = Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml", sources=(source,))
        (finding,) = open_source(settings, source).list_deliveries().months
        assert isinstance(finding.delivery, Delivery)
        opened = open_source(settings, source)
        assert isinstance(opened, BucketSource)
        assert isinstance(opened.store, S3Store)
        client: Any = opened.store._client
        used: list[str] = []

        def wait_until_the_last_files_session_has_ended(**_: Any) -> None:
            assert all(session.ended.wait(10) for session in sts.sessions if session.key in used[-1:])

        def write_down(request: Any, **_: Any) -> None:
            used.append(request.headers["Authorization"].decode().partition("Credential=")[2].split("/")[0])

        client.meta.events.register("before-call.s3.GetObject", wait_until_the_last_files_session_has_ended)
        client.meta.events.register("before-send.s3.GetObject", write_down)
        result = load_delivery(Lake(settings), opened, finding.delivery)

        assert list(result.totals.values()) == [written.expected.total()]
        assert result.receipt.rows == written.expected.rows
        assert len(set(used)) == len(used) >= 3, "each file was read in a session of its own"
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            _with_key(s3_server, used[0]).list_objects_v2(Bucket=s3_bucket)


def _with_key(server: S3Server, key: str) -> Any:
    return boto3.session.Session().client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key="any"
    )
