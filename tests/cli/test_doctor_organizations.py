"""What ``doctor`` says of an organisation: which right is missing, by name, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.config import Settings
from tests.services.organizations import KEYS, Fault, OrganizationsServer
from tests.services.ports import free_ports

pytestmark = pytest.mark.usefixtures("no_own_credentials")


@pytest.fixture
def server() -> Iterator[OrganizationsServer]:
    with OrganizationsServer("111122223333") as made:
        yield made


def doctor(folder: Path, **other: Any) -> Finding:
    """What the check of this one organisation says."""
    organization = {"name": "acme-org", "region": "us-east-1", **KEYS, **other}
    settings = Settings.model_validate({"base": folder, "file": folder / "lakehouse.yaml", "organizations": [organization]})
    return examine_one("organization", dict(checks(settings))["organization acme-org"])


def test_an_organisation_that_can_be_read_is_in_order_and_each_right_is_tried(
    server: OrganizationsServer, tmp_path: Path
) -> None:
    found = doctor(tmp_path, endpoint=server.endpoint)
    assert (found.state, found.says) == ("ok", f"{server.id}: accounts and units can be listed")
    assert sorted(server.asked) == [
        "DescribeOrganization",
        "ListAccounts",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
        "ListRoots",
        "ListTagsForResource",
    ]


def test_without_tags_their_right_is_not_needed(server: OrganizationsServer, tmp_path: Path) -> None:
    server.faults = [Fault("ListTagsForResource", "AccessDeniedException")]
    assert doctor(tmp_path, endpoint=server.endpoint, tags=False).state == "ok"
    assert "ListTagsForResource" not in server.asked


def test_each_right_that_is_missing_is_named(server: OrganizationsServer, tmp_path: Path) -> None:
    server.faults = [Fault(text, "AccessDeniedException") for text in ("ListAccountsForParent", "ListTagsForResource")]
    found = doctor(tmp_path, endpoint=server.endpoint)
    assert found.state == "failed"
    assert found.says == "AWS refuses organizations:ListAccountsForParent, organizations:ListTagsForResource."
    assert "`cost-lakehouse policy aws` prints the policy" in found.fix


def test_an_account_without_an_organisation_and_a_place_that_does_not_answer(
    server: OrganizationsServer, tmp_path: Path
) -> None:
    server.faults = [Fault("DescribeOrganization", "AWSOrganizationsNotInUseException")]
    assert "is in no organisation" in doctor(tmp_path, endpoint=server.endpoint).says
    found = doctor(tmp_path, endpoint=f"http://127.0.0.1:{free_ports(1)[0]}")
    assert (found.state, "cannot be reached" in found.says) == ("failed", True)
    assert KEYS["secret_key"] not in f"{found}"


def test_a_paused_one_is_not_looked_at(server: OrganizationsServer, tmp_path: Path) -> None:
    assert doctor(tmp_path, endpoint=server.endpoint, paused=True).says == "paused; not looked at"
    assert server.asked == []
