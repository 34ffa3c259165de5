"""Messages through a topic of OCI Notifications; who hears of them are the topic's subscriptions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cost_lakehouse.alerts.messages import Message
from cost_lakehouse.config.alerts import NotificationsSettings
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import NotSent, SourceError
from cost_lakehouse.sources.oci.client import notifications_client
from cost_lakehouse.sources.oci.errors import OciErrors, is_temporary, status_of

BODY_BYTES_MAX = 64 * 1024
ATTEMPTS = 3
LONGEST_PAUSE = 5.0
TIMEOUTS = (5, 10)  # to connect, to answer
_CUT = "\n[cut: `cost-lakehouse alerts` lists all that is open]\n"


class OciChannel:
    """One topic."""

    def __init__(self, name: str, settings: NotificationsSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self._topic = settings.topic
        self._oci = _in_region_of(settings.topic, settings.oci)
        self._sleep = sleep

    @property
    def goes_to(self) -> str:
        """The topic."""
        return f"OCI topic {self._topic}"

    def send(self, message: Message) -> str:
        """Publish the message.

        Raises NotSent where OCI does not take it.
        """
        import oci

        # The body begins with the title: Slack, SMS and HTTPS subscriptions show no other.
        details = oci.ons.models.MessageDetails(title=message.title, body=cut(message.text))
        try:
            client = notifications_client(
                self._oci, attempts=ATTEMPTS, pause=lambda pause: self._sleep(min(pause, LONGEST_PAUSE))
            )
            client.base_client.timeout = TIMEOUTS
            client.publish_message(self._topic, details)
        except SourceError as error:
            raise NotSent(error.problem, error.fix) from None
        except Exception as error:  # noqa: BLE001 - the SDK's errors have no common base
            raise self._explained(error) from None
        return ""

    def _explained(self, error: Exception) -> NotSent:
        explained = OciErrors(self._oci).explain(error, f"topic {self._topic}")
        status: Any = status_of(error)
        of_message = status in (400, 413) and not is_temporary(error)
        return NotSent(explained.problem, explained.fix, of_message=of_message)


def cut(text: str) -> str:
    """As much of a text as one message takes, in whole characters."""
    if len(text.encode()) <= BODY_BYTES_MAX:
        return text
    return text.encode()[: BODY_BYTES_MAX - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _in_region_of(topic: str, settings: OciSettings) -> OciSettings:
    """The identity, asking the region that the topic's OCID names: only there it can be published to."""
    region = topic.split(".")[3]
    if not region:
        return settings
    import oci

    return settings.model_copy(update={"region": oci.regions.get_region_from_short_name(region)})
