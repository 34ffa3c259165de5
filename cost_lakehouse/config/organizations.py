"""Where account names, organisational units and tags are read: ``organizations`` of lakehouse.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator, model_validator

from cost_lakehouse.config.aws_access import ACCESS_KEYS, AwsAccess
from cost_lakehouse.config.source import SOURCE_NAME, SOURCE_NAME_MAX, SourceSettings

DEFAULT_SCHEDULE = "15 5 * * *"
# What may stand beside `source`: everything else is taken from it.
_OWN = ("endpoint",)


class OrganizationSettings(AwsAccess):
    """One AWS organisation, asked with credentials of its own, or with those of a source (``source``).

    Its management account answers, or a member that it has delegated Organizations to. ``endpoint`` is that of the
    Organizations API, never S3's.
    """

    name: str
    source: str | None = None  # whose credentials, roles and proxy are used
    tags: bool = True  # read each account's tags too: one request an account
    schedule: str | None = DEFAULT_SCHEDULE  # cron text in UTC; off: only by hand
    paused: bool = False

    @field_validator("name")
    @classmethod
    def _name_is_a_partition_value(cls, value: str) -> str:
        if not SOURCE_NAME.fullmatch(value) or len(value) > SOURCE_NAME_MAX:
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {SOURCE_NAME_MAX} characters")
        return value

    @field_validator("schedule", mode="before")
    @classmethod
    def _off_is_said_plainly(cls, value: Any) -> Any:
        """YAML reads ``off`` as false."""
        return None if value is False or value == "off" else value

    @model_validator(mode="after")
    def _credentials_are_of_one_place(self) -> OrganizationSettings:
        given = [name for name in ACCESS_KEYS if name not in _OWN and getattr(self, name) is not None]
        if self.source is not None and given:
            raise ValueError(f"{', '.join(given)} and source are different credentials; keep one of them")
        return self

    def access(self, source: SourceSettings | None) -> AwsAccess:
        """How the Organizations API is asked; ``source`` is the one that ``self.source`` names."""
        given = self if source is None else source
        values = {name: getattr(given, name) for name in ACCESS_KEYS}
        return AwsAccess.model_validate({**values, "endpoint": self.endpoint})


def check_source(organization: OrganizationSettings, sources: Mapping[str, SourceSettings]) -> None:
    """Raises ValueError where the source that the organisation names is not there, or has no credentials for AWS."""
    if organization.source is None:
        return
    source = sources.get(organization.source)
    if source is None:
        raise ValueError(f"organizations: {organization.name} names the source {organization.source!r}, which is not there")
    if not source.is_at_aws:
        raise ValueError(
            f"organizations: the source {source.name!r} of {organization.name} is not read from AWS, so that it has no "
            "credentials for it; give the organisation its own"
        )
