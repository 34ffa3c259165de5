"""Who is told when something fails, and by which way: ``alerts`` of lakehouse.yaml."""

from __future__ import annotations

import re
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.config.yaml_file import Strict

Event = Literal[
    "run_failures", "failed_checks", "check_warnings", "late_deliveries", "late_corrections", "gaps", "anomalies", "budgets"
]
DEFAULT_EVENTS: tuple[Event, ...] = (
    "run_failures",
    "failed_checks",
    "late_deliveries",
    "late_corrections",
    "gaps",
    "anomalies",
    "budgets",
)
SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
EMAIL, NOTIFICATIONS = "email", "notifications"
_TOPIC = re.compile(r"ocid1\.onstopic\.[a-z0-9]+\.[a-z0-9-]*\.[a-z0-9]+")
_CHANNEL_NAME = re.compile(r"[a-z0-9-]+")


def _is_address(value: str) -> str:
    _, address = parseaddr(value)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address) or not value.isprintable():
        raise ValueError("write an e-mail address, such as finops@example.com")
    return value


def _is_web_address(value: str) -> str:
    if not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", value):
        raise ValueError("write https://host or https://host/path")
    return value.rstrip("/")


def _off_is_said_plainly(value: Any) -> Any:
    """YAML reads ``off`` as false."""
    return None if value is False or value == "off" else value


MailAddress = Annotated[str, AfterValidator(_is_address)]
WebAddress = Annotated[str, AfterValidator(_is_web_address)]
Hours = Annotated[float, Field(gt=0)]


class LatenessSettings(Strict):
    """When a source's deliveries count as late."""

    factor: float = Field(default=2.0, ge=1)  # of the source's own usual pause
    minimum_hours: Hours | None = None  # never sooner than this; by default what its provider promises, with some room
    first_delivery_hours: Hours = 48  # what a new source has for its first delivery
    # Sources that differ: the pause that is theirs in hours, or off.
    sources: dict[str, Annotated[Hours | None, BeforeValidator(_off_is_said_plainly)]] = Field(default_factory=dict)


class EmailSettings(Strict):
    """Messages by e-mail, through an SMTP server."""

    host: str
    port: int | None = Field(default=None, ge=1, le=65535)  # by default the usual one of ``security``
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: MailAddress = Field(alias="from")
    to: tuple[MailAddress, ...] = Field(min_length=1)
    ca_file: str | None = None  # an authority of one's own that vouches for the server

    @model_validator(mode="after")
    def _password_is_kept_secret(self) -> EmailSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.security == "none" and (self.password is not None or self.ca_file is not None):
            raise ValueError("user, password and ca_file go with `security: starttls` or `tls`")
        return self

    @property
    def port_used(self) -> int:
        """The port, given or usual."""
        return self.port or SMTP_PORTS[self.security]


def headers_are_ones(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Headers of an HTTP request, by name. Raises ValueError where one is none; its value is in no message."""
    for name, secret in value.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not secret.get_secret_value().isprintable():
            raise ValueError("write each header as `Name: value`, on one line")
    return value


class WebhookSettings(Strict):
    """Messages by HTTP POST. The address is a secret: whoever knows it can write there."""

    url: SecretStr
    format: Literal["json", "slack", "teams"] = "json"
    name: str = ""  # for people; by default the format
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    ca_file: str | None = None  # an authority of one's own that vouches for the server

    @field_validator("url")
    @classmethod
    def _url_is_one(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", value.get_secret_value()):
            raise ValueError("write https://host/path")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_ones(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return headers_are_ones(value)

    @field_validator("name")
    @classmethod
    def _name_is_a_word(cls, value: str) -> str:
        if value and (not _CHANNEL_NAME.fullmatch(value) or value in (EMAIL, NOTIFICATIONS)):
            raise ValueError(f"use lower-case letters, digits and hyphens; {EMAIL} and {NOTIFICATIONS} are taken")
        return value

    @property
    def channel(self) -> str:
        """What the channel is called."""
        return self.name or self.format


class NotificationsSettings(Strict):
    """Messages through a topic of OCI Notifications."""

    topic: str
    oci: OciSettings = OciSettings()

    @field_validator("topic")
    @classmethod
    def _topic_is_one(cls, value: str) -> str:
        if not _TOPIC.fullmatch(value):
            raise ValueError("write the topic's OCID, such as ocid1.onstopic.oc1.eu-frankfurt-1.aaaa")
        return value


class ReportMailSettings(Strict):
    """The report of the month before, by mail to those who get alerts. ``schedule`` is cron text in UTC."""

    schedule: str = Field(min_length=1)
    basis: str = "billed"


class AlertSettings(Strict):
    """Everything below ``alerts:``; any number of ways at once."""

    email: EmailSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    notifications: NotificationsSettings | None = None
    dagster_url: WebAddress | None = None  # where people open the Dagster UI; messages link to their run there
    events: tuple[Event, ...] = DEFAULT_EVENTS
    lateness: LatenessSettings = LatenessSettings()
    report: ReportMailSettings | None = None

    @model_validator(mode="after")
    def _report_goes_by_mail(self) -> AlertSettings:
        if self.report is not None and self.email is None:
            raise ValueError("`report` goes by mail: add `email`")
        return self

    @model_validator(mode="after")
    def _channels_are_apart(self) -> AlertSettings:
        names = [webhook.channel for webhook in self.webhooks]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"webhooks: two are called {doubled[0]!r}; give each its own name")
        return self

    @property
    def has_channels(self) -> bool:
        """Whether anybody is told."""
        return bool(self.email or self.webhooks or self.notifications)

    def relative_to(self, base: Path) -> AlertSettings:
        """The same with its files as absolute paths, taken relative to ``base``."""

        def absolute(file: str | None) -> str | None:
            return None if file is None else str((base / Path(file).expanduser()).resolve())

        email, notifications = self.email, self.notifications
        return self.model_copy(
            update={
                "email": email and email.model_copy(update={"ca_file": absolute(email.ca_file)}),
                "webhooks": tuple(
                    webhook.model_copy(update={"ca_file": absolute(webhook.ca_file)}) for webhook in self.webhooks
                ),
                "notifications": notifications
                and notifications.model_copy(update={"oci": notifications.oci.relative_to(base)}),
            }
        )
