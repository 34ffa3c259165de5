"""Copies of a tenancy's reports: ``mirrors`` of lakehouse.yaml."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cost_lakehouse.config.aws_access import ACCESS_KEYS, AwsAccess
from cost_lakehouse.config.oci import OciSettings, TenancyOcid
from cost_lakehouse.config.yaml_file import Strict

MEBIBYTE = 1024 * 1024
SMALLEST_PART_MIB, LARGEST_PART_MIB = 5, 5 * 1024
MIRROR_NAME = re.compile(r"[a-z0-9-]+")
MIRROR_NAME_MAX = 40
VAULT_SECRET = re.compile(r"ocid1\.vaultsecret\.[a-z0-9]+\.[a-z0-9-]*\.[a-z0-9]+")

Report = Literal["cost-csv", "usage-csv", "focus"]
REPORT_PREFIXES: dict[Report, str] = {
    "cost-csv": "reports/cost-csv/",
    "usage-csv": "reports/usage-csv/",
    "focus": "FOCUS Reports/",
}


class VaultKeys(Strict):
    """AWS keys that are kept in OCI Vault: the OCIDs of two secrets."""

    access_key: str
    secret_key: str
    region: str | None = None  # the vault's; None: the region of ``oci``

    @field_validator("access_key", "secret_key")
    @classmethod
    def _is_a_secret(cls, value: str) -> str:
        # Never the value in the message: it may be the key itself, written here by mistake.
        if not VAULT_SECRET.fullmatch(value):
            raise ValueError("write the OCID of a Vault secret, such as ocid1.vaultsecret.oc1.eu-frankfurt-1.aaaa")
        return value


class MirrorSettings(AwsAccess):
    """One tenancy's reports, copied to a bucket or folder of one's own."""

    name: str
    tenancy: TenancyOcid
    oci: OciSettings = OciSettings()
    destination: str
    vault: VaultKeys | None = None
    sse_type: Literal["SSE-S3", "SSE-KMS"] | None = None  # how the bucket is asked to encrypt; None: as its own setting says
    kms_key_id: str | None = None
    reports: tuple[Report, ...] = ("cost-csv", "usage-csv", "focus")
    part_size_mib: int = Field(default=64, ge=SMALLEST_PART_MIB, le=LARGEST_PART_MIB)
    parts_at_once: int = Field(default=8, ge=1, le=64)
    objects_at_once: int = Field(default=4, ge=1, le=64)
    delete: bool = False
    schedule: str | None = "0 */6 * * *"  # cron text in UTC; off: only by hand
    paused: bool = False

    @field_validator("name")
    @classmethod
    def _name_is_short(cls, value: str) -> str:
        if not MIRROR_NAME.fullmatch(value) or len(value) > MIRROR_NAME_MAX:
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {MIRROR_NAME_MAX} characters")
        return value

    @field_validator("schedule", mode="before")
    @classmethod
    def _off_is_said_plainly(cls, value: Any) -> Any:
        """YAML reads ``off`` as false."""
        return None if value is False or value == "off" else value

    @field_validator("reports")
    @classmethod
    def _some_report(cls, value: tuple[Report, ...]) -> tuple[Report, ...]:
        if not value:
            raise ValueError(f"name at least one of {', '.join(REPORT_PREFIXES)}")
        return tuple(dict.fromkeys(value))

    @field_validator("destination")
    @classmethod
    def _destination_is_a_folder_or_s3(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if separator and (scheme != "s3" or not rest.strip("/")):
            raise ValueError("write a folder, or s3://bucket/prefix")
        return value.rstrip("/") or value

    @model_validator(mode="after")
    def _options_fit_the_destination(self) -> MirrorSettings:
        s3_only = (*ACCESS_KEYS, "vault", "sse_type", "kms_key_id")
        given = [name for name in s3_only if getattr(self, name) is not None]
        if given and not self.is_s3:
            raise ValueError(f"{', '.join(given)} only fits a destination that starts with s3://")
        others = (self.access_key, self.profile, self.web_identity_token_file)
        if self.vault is not None and any(other is not None for other in others):
            raise ValueError("vault, access_key, profile and web_identity_token_file are different keys; keep one of them")
        if (self.sse_type == "SSE-KMS") != (self.kms_key_id is not None):
            raise ValueError("SSE-KMS and kms_key_id go together")
        return self

    @property
    def is_s3(self) -> bool:
        """Whether the copy is kept in an S3-compatible store."""
        return self.destination.startswith("s3://")

    @property
    def part_size(self) -> int:
        """The size of a part in bytes."""
        return self.part_size_mib * MEBIBYTE

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The beginnings of the keys that are copied."""
        return tuple(REPORT_PREFIXES[report] for report in self.reports)
