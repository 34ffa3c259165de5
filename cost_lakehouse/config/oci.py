"""Who asks Oracle Cloud, and where: ``oci`` of a source, a mirror or an alert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from cost_lakehouse.config.yaml_file import Strict

TENANCY = re.compile(r"ocid1\.tenancy\.[a-z0-9]+\.[a-z0-9-]*\.[a-z0-9]+")
USAGE_REPORT_NAMESPACE = "bling"
DEFAULT_PROFILE = "DEFAULT"


def _is_tenancy(value: str) -> str:
    if not TENANCY.fullmatch(value):
        raise ValueError("write the tenancy's OCID, such as ocid1.tenancy.oc1..aaaa")
    return value


def _is_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^/@\s?#]+/?", value):
        raise ValueError("write https://host or http://host:port, without a path or a password")
    return value.rstrip("/")


TenancyOcid = Annotated[str, AfterValidator(_is_tenancy)]
Address = Annotated[str, AfterValidator(_is_address)]


class OciSettings(Strict):
    """One identity at Oracle Cloud, and the addresses of its services; the region's own where none is given."""

    auth: Literal["api_key", "instance_principal", "resource_principal", "workload_identity"] = "api_key"
    profile: str | None = None
    config_file: str | None = None
    # The tenancy's home region, where its reports are. None: what the configuration file or the principal says.
    region: str | None = None
    namespace: str = USAGE_REPORT_NAMESPACE
    bucket: str | None = None  # None: named by the tenancy's OCID
    endpoint: Address | None = None  # Object Storage
    secrets_endpoint: Address | None = None
    notifications_endpoint: Address | None = None
    invoices_endpoint: Address | None = None
    auth_endpoint: Address | None = None  # where an instance principal gets its token

    @model_validator(mode="after")
    def _options_fit_the_identity(self) -> OciSettings:
        if self.auth != "api_key" and (self.profile is not None or self.config_file is not None):
            raise ValueError("profile and config_file go with `auth: api_key`")
        if self.auth_endpoint is not None and self.auth != "instance_principal":
            raise ValueError("auth_endpoint goes with `auth: instance_principal`")
        return self

    def relative_to(self, base: Path) -> OciSettings:
        """The same with its configuration file as an absolute path, taken relative to ``base``."""
        if self.config_file is None:
            return self
        return self.model_copy(update={"config_file": str((base / Path(self.config_file).expanduser()).resolve())})

    def bucket_of(self, tenancy: str) -> str:
        """The bucket that holds the tenancy's reports."""
        return self.bucket or tenancy
