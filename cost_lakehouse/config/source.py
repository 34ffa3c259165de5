"""``sources:`` in ``lakehouse.yaml``: a place each that a bill arrives from, and who may read it there."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.config.aws_access import ACCESS_KEYS, AwsAccess
from cost_lakehouse.config.oci import OciSettings

SOURCE_NAME = re.compile(r"[a-z0-9-]+")
SOURCE_NAME_MAX = 40
_S3_ONLY = (*ACCESS_KEYS, "requester_pays", "replica_of")
_OCI_KINDS = ("oci_cost_reports", "focus")


class SourceSettings(AwsAccess):
    """One place a bill arrives from.

    ``location`` is an ``s3://`` address or a folder; empty where ``tenancy`` says to read OCI's own bucket.
    """

    name: str
    kind: Literal["aws_cur", "aws_data_export", "aws_athena", "oci_cost_reports", "focus"]
    tenancy: str | None = None
    athena: AthenaSettings | None = None
    location: str = Field("", validate_default=True)
    requester_pays: bool = False
    replica_of: str | None = None  # the bucket that the manifests name, where location is a copy of it
    oci: OciSettings | None = None
    corrections: Literal["add", "replace"] | None = None
    paused: bool = False

    @field_validator("name")
    @classmethod
    def _name_is_a_partition_value(cls, value: str) -> str:
        if not SOURCE_NAME.fullmatch(value) or len(value) > SOURCE_NAME_MAX:
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {SOURCE_NAME_MAX} characters")
        return value

    @field_validator("location")
    @classmethod
    def _location_is_given(cls, value: str, others: ValidationInfo) -> str:
        if others.data.get("kind") == "aws_athena":
            if value:
                raise ValueError("kind aws_athena reads a table; say which in `athena`")
            return value
        if not value and not others.data.get("tenancy"):
            raise PydanticCustomError("missing", "Field required")
        if value and others.data.get("tenancy"):
            raise ValueError("location and tenancy are two places to read from; keep one of them")
        return value

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> SourceSettings:
        given = [name for name in ("tenancy", "oci") if getattr(self, name) is not None]
        if given and self.kind not in _OCI_KINDS:
            raise ValueError(f"{', '.join(given)} only fits kinds {' and '.join(_OCI_KINDS)}")
        if self.corrections is not None and self.kind != "oci_cost_reports":
            raise ValueError("corrections only fits kind oci_cost_reports")
        if self.oci is not None and self.tenancy is None:
            raise ValueError("oci goes with tenancy: without it nothing is read from OCI itself")
        return self

    @model_validator(mode="after")
    def _athena_goes_with_its_kind(self) -> SourceSettings:
        if (self.athena is None) == (self.kind == "aws_athena"):
            raise ValueError("kind aws_athena and the key athena go together: athena: {database: ..., table: ...}")
        return self

    @model_validator(mode="after")
    def _options_fit_the_location(self) -> SourceSettings:
        if not self.is_s3 and self.athena is None:
            given = [name for name in _S3_ONLY if getattr(self, name) not in (None, False)]
            if given:
                raise ValueError(f"{', '.join(given)} only fits a location that starts with s3://")
            if "://" in self.location:
                raise ValueError("location must be a folder or start with s3://")
        return self

    @property
    def is_s3(self) -> bool:
        """Whether the bill is read from an S3-compatible store."""
        return self.location.startswith("s3://")

    @property
    def place(self) -> str:
        """Where the bill arrives, for people."""
        if self.athena is not None:
            return f"Athena, table {self.athena.label}"
        return self.location or f"OCI, tenancy {self.tenancy}"

    @property
    def voids_corrected(self) -> bool:
        """Whether a correction takes the place of the row that it refers to, instead of being added to it."""
        return self.corrections == "replace"
