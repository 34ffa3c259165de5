"""What lakehouse.yaml may say of organisations, and whose credentials ask them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError

ROLE = "arn:aws:iam::111122223333:role/read-the-bill"
PAYER = {
    "name": "acme-payer",
    "kind": "aws_cur",
    "location": "s3://acme-billing/cur/hourly",
    "region": "eu-central-1",
    "role_arn": ROLE,
    "external_id": "acme:4711",
    "proxy": "http://proxy.example.com:3128",
    "requester_pays": True,
}


def settings_of(folder: Path, *organizations: dict[str, Any], sources: list[dict[str, Any]] | None = None) -> Settings:
    file = folder / "lakehouse.yaml"
    document = {"sources": [PAYER] if sources is None else sources, "organizations": list(organizations)}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(file)


def test_the_defaults_are_those_of_the_manual(tmp_path: Path) -> None:
    (organization,) = settings_of(tmp_path, {"name": "acme"}).organizations
    assert (organization.schedule, organization.tags, organization.paused) == ("15 5 * * *", True, False)
    assert settings_of(tmp_path, {"name": "acme", "schedule": False}).organizations[0].schedule is None


def test_a_sources_credentials_are_used_and_nothing_else_of_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"name": "acme", "source": "acme-payer"})
    access = settings.access_to(settings.organization("acme"))
    assert access.role_arns == (ROLE,)
    assert access.external_id is not None
    assert access.external_id.get_secret_value() == "acme:4711"
    assert access.proxy is not None
    assert (access.region, access.endpoint) == ("eu-central-1", None)


def test_the_endpoint_of_a_sources_bucket_is_not_asked(tmp_path: Path) -> None:
    source = {**PAYER, "endpoint": "https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com"}
    own = {"name": "acme", "source": "acme-payer", "endpoint": "https://organizations.example.com"}
    settings = settings_of(tmp_path, {"name": "other", "source": "acme-payer"}, own, sources=[source])
    assert [settings.access_to(organization).endpoint for organization in settings.organizations] == [
        None,
        "https://organizations.example.com",
    ]


def test_own_credentials_need_no_source(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"name": "acme", "role_arn": ROLE, "profile": "billing"}, sources=[])
    access = settings.access_to(settings.organizations[0])
    assert (access.role_arns, access.profile) == ((ROLE,), "billing")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "Acme"}, r"organizations\[0\].name: use lower-case"),
        ({"source": "globex"}, "acme names the source 'globex', which is not there"),
        ({"source": "acme-payer", "role_arn": ROLE}, "role_arn and source are different credentials"),
        ({"role_arn": "acme"}, "write a role's ARN"),
        ({"source": "acme-copy"}, "the source 'acme-copy' of acme is not read from AWS"),
        ({"source": "acme-minio"}, "the source 'acme-minio' of acme is not read from AWS"),
        ({"sauce": "acme-payer"}, r"organizations\[0\].sauce: unknown key"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    copy = {"name": "acme-copy", "kind": "aws_cur", "location": "bills/cur"}
    minio = {"name": "acme-minio", "kind": "aws_cur", "location": "s3://b/cur", "endpoint": "https://minio.example.com"}
    with pytest.raises(ConfigurationError, match=said):
        settings_of(tmp_path, {"name": "acme", **wrong}, sources=[PAYER, copy, minio])


def test_two_organisations_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the name 'acme' is used twice"):
        settings_of(tmp_path, {"name": "acme"}, {"name": "acme", "profile": "other"})
    with pytest.raises(ConfigurationError, match=r"There is no organisation 'globex'.*Known organisations: acme"):
        settings_of(tmp_path, {"name": "acme"}).organization("globex")
