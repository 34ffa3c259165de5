"""What a source payload of Koku says: a role and a bucket, and where AWS's report lies in it."""

from __future__ import annotations

from typing import Any

import pytest

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.importers.entries import Bucket
from cost_lakehouse.importers.koku import parse_koku

ROLE = "arn:aws:iam::111122223333:role/CostManagement"


def source(name: str = "Acme Payer", kind: str = "AWS", **data_source: Any) -> dict[str, Any]:
    return {
        "name": name,
        "source_type": kind,
        "authentication": {"credentials": {"role_arn": ROLE, "external_id": "acme:4711"}},
        "billing_source": {"data_source": {"bucket": "acme-billing", **data_source}},
    }


def test_a_source_is_a_bucket_whose_reports_are_looked_for() -> None:
    (entry,) = parse_koku(source(bucket_region="eu-west-1", report_prefix="/cur/", report_name="hourly")).entries
    assert (entry.place, entry.label) == ("the source", "Acme Payer")
    assert entry.values == {"region": "eu-west-1", "role_arn": ROLE}
    assert entry.bucket == Bucket("acme-billing", "cur", "hourly")


def test_its_external_id_is_pointed_to() -> None:
    (entry,) = parse_koku({"data": [source()]}).entries
    assert entry.external_id_field == "data[0].authentication.credentials.external_id"
    assert entry.external_id is not None
    assert entry.external_id.get_secret_value() == "acme:4711"
    assert "acme:4711" not in f"{entry}"


def test_a_page_a_list_and_older_payloads_are_read() -> None:
    old = {
        "name": "old",
        "type": "AWS",
        "authentication": {"provider_resource_name": ROLE},
        "billing_source": {"bucket": "old-billing"},
    }
    page = parse_koku({"meta": {"count": 2}, "links": {}, "data": [source(), old]}).entries
    assert [(item.place, item.values["role_arn"], item.bucket) for item in page] == [
        ("data[0]", ROLE, Bucket("acme-billing")),
        ("data[1]", ROLE, Bucket("old-billing")),
    ]
    assert [entry.place for entry in parse_koku([old]).entries] == ["[0]"]


def test_a_paused_source_stays_so_and_storage_only_is_told() -> None:
    (entry,) = parse_koku({**source(storage_only=True), "paused": True}).entries
    assert entry.values["paused"] is True
    assert "storage_only" in entry.hints[0]


def test_sources_of_other_clouds_are_told_and_hold_back_no_other() -> None:
    payload = parse_koku({"data": [source("azure", "Azure"), source("oci", "OCI"), source(), source("none", bucket="")]})
    assert [entry.label for entry in payload.entries] == ["Acme Payer"]
    assert payload.left_out == [
        "data[0] azure: it is no source of AWS, and no bill of this kind is read from a payload.",
        "data[1] oci: read Oracle's reports with `tenancy` (docs/configure-oci.md), not from Koku's copy.",
    ]
    assert payload.wrong == ["data[3]: billing_source.data_source names no bucket."]


@pytest.mark.parametrize("document", ["text", {}, {"aws": []}, 3])
def test_another_document_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError, match="no configuration of Koku"):
        parse_koku(document)
