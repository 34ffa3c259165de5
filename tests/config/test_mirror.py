"""What lakehouse.yaml may say of mirrors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError

TENANCY = "ocid1.tenancy.oc1..aaaa"
SECRET = "ocid1.vaultsecret.oc1.eu-frankfurt-1.aaaa"


def settings_of(folder: Path, *mirrors: dict[str, Any]) -> Any:
    file = folder / "lakehouse.yaml"
    made = [{"name": "acme", "tenancy": TENANCY, "destination": "mirror", **mirror} for mirror in mirrors]
    file.write_text(yaml.safe_dump({"mirrors": made}), encoding="utf-8")
    return load_settings(file)


def test_the_defaults_are_those_of_the_manual(tmp_path: Path) -> None:
    (mirror,) = settings_of(tmp_path, {}).mirrors
    assert (mirror.part_size_mib, mirror.parts_at_once, mirror.objects_at_once) == (64, 8, 4)
    assert (mirror.schedule, mirror.delete, mirror.paused) == ("0 */6 * * *", False, False)
    assert mirror.prefixes == ("reports/cost-csv/", "reports/usage-csv/", "FOCUS Reports/")
    assert (mirror.oci.auth, mirror.oci.namespace, mirror.oci.bucket_of(TENANCY)) == ("api_key", "bling", TENANCY)


def test_off_is_no_schedule(tmp_path: Path) -> None:
    assert settings_of(tmp_path, {"schedule": False}).mirrors[0].schedule is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tenancy": "acme"}, "write the tenancy's OCID"),
        ({"destination": "gs://bucket"}, "write a folder, or s3://bucket/prefix"),
        ({"region": "eu-central-1"}, "region only fits a destination that starts with s3://"),
        ({"part_size_mib": 4}, "greater than or equal to 5"),
        ({"reports": []}, "name at least one of"),
        ({"oci": {"auth": "instance_principal", "profile": "X"}}, "profile and config_file go with `auth: api_key`"),
        ({"oci": {"endpoint": "https://user:password@host"}}, "without a path or a password"),
        ({"destination": "s3://b", "vault": {"access_key": "AKIAOOPS", "secret_key": SECRET}}, "write the OCID of a Vault"),
        (
            {
                "destination": "s3://b",
                "access_key": "a",
                "secret_key": "b",
                "vault": {"access_key": SECRET, "secret_key": SECRET},
            },
            "keep one of them",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        settings_of(tmp_path, wrong)
    assert said in told.value.fix
    assert "AKIAOOPS" not in str(told.value)


def test_two_mirrors_do_not_share_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the name 'acme' is used twice"):
        settings_of(tmp_path, {}, {"destination": "other"})


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("copy", "./copy", "are one place"),
        ("copy/", "away/../copy", "are one place"),
        ("copy", "link", "are one place"),
        ("copy", "copy/reports", "lie one inside the other"),
        ("link/below", "copy", "lie one inside the other"),
        ("s3://bucket/a", "s3://bucket//a/", "are one place"),
        ("s3://bucket/a", "s3://Bucket/a", "are one place"),
        ("s3://bucket", "s3://bucket/a", "lie one inside the other"),
    ],
    ids=["dot", "up", "link", "inside", "inside-link", "slashes", "capitals", "prefix"],
)
def test_two_mirrors_of_one_place_are_refused_however_it_is_spelled(tmp_path: Path, one: str, other: str, how: str) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    with pytest.raises(ConfigurationError, match=f"'acme' .* and 'globex' .* {how}"):
        settings_of(tmp_path, {"destination": one}, {"name": "globex", "destination": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"destination": "copy"}, {"destination": "copy-2"}),
        ({"destination": "s3://bucket/a"}, {"destination": "s3://bucket/ab"}),
        ({"destination": "s3://bucket/a"}, {"destination": "s3://bucket/a", "endpoint": "https://store.example.com"}),
        ({"destination": "s3://bucket/a"}, {"destination": "bucket/a"}),
    ],
    ids=["names", "prefixes", "stores", "folder"],
)
def test_places_that_only_look_alike_are_two(tmp_path: Path, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert len(settings_of(tmp_path, one, {"name": "globex", **other}).mirrors) == 2


@pytest.mark.parametrize("destination", ["lake/warehouse", "lake/warehouse/bills"], ids=["same", "inside"])
def test_a_mirror_into_the_warehouse_is_refused(tmp_path: Path, destination: str) -> None:
    with pytest.raises(ConfigurationError, match="'acme' would copy reports into .*, where the lake's warehouse"):
        settings_of(tmp_path, {"destination": destination})


def test_a_mirror_beside_the_warehouse_in_one_folder_is_fine(tmp_path: Path) -> None:
    assert len(settings_of(tmp_path, {"destination": "lake"}).mirrors) == 1


def test_a_bucket_may_be_asked_to_encrypt(tmp_path: Path) -> None:
    bucket = {"destination": "s3://bucket"}
    (with_key,) = settings_of(tmp_path, {**bucket, "sse_type": "SSE-KMS", "kms_key_id": "alias/bills"}).mirrors
    assert (with_key.sse_type, with_key.kms_key_id) == ("SSE-KMS", "alias/bills")
    assert settings_of(tmp_path, {**bucket, "sse_type": "SSE-S3"}).mirrors[0].kms_key_id is None
    for wrong, said in (
        ({**bucket, "sse_type": "SSE-KMS"}, "SSE-KMS and kms_key_id go together"),
        ({**bucket, "kms_key_id": "alias/bills"}, "SSE-KMS and kms_key_id go together"),
        ({"sse_type": "SSE-S3"}, "sse_type only fits a destination that starts with s3://"),
        ({**bucket, "sse_type": "SSE-C"}, "sse_type"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            settings_of(tmp_path, wrong)
