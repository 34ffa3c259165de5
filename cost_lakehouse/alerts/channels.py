"""The ways to people, one of each that is configured."""

from __future__ import annotations

from typing import Protocol

from cost_lakehouse.alerts.messages import Message
from cost_lakehouse.config import Settings
from cost_lakehouse.config.alerts import EMAIL, NOTIFICATIONS


class Channel(Protocol):
    """One way to people."""

    @property
    def name(self) -> str:
        """What it is called in the configuration."""
        ...

    @property
    def goes_to(self) -> str:
        """Where it leads, for people, without what is secret."""
        ...

    def send(self, message: Message) -> str:
        """Hand a message over; what the channel remarked though it took it, mostly nothing.

        Raises NotSent where it did not take it.
        """
        ...


def channels_of(settings: Settings) -> list[Channel]:
    """Every configured channel; nothing is opened before something is sent."""
    alerts = settings.alerts.relative_to(settings.base)
    found: list[Channel] = []
    if alerts.email is not None:
        from cost_lakehouse.alerts.email_channel import EmailChannel

        found.append(EmailChannel(EMAIL, alerts.email))
    if alerts.webhooks:
        from cost_lakehouse.alerts.webhook_channel import WebhookChannel

        found += [WebhookChannel(webhook) for webhook in alerts.webhooks]
    if alerts.notifications is not None:
        from cost_lakehouse.alerts.oci_channel import OciChannel

        found.append(OciChannel(NOTIFICATIONS, alerts.notifications))
    return found
