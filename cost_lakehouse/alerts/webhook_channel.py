"""Messages by HTTP POST: JSON, or as Slack and Teams want it. The address never shows: who knows it can write there."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, RequestException, SSLError, Timeout

from cost_lakehouse.alerts.bodies import BODIES
from cost_lakehouse.alerts.messages import Message
from cost_lakehouse.config.alerts import WebhookSettings
from cost_lakehouse.errors import NotSent, without_secrets

TIMEOUTS = (5.0, 10.0)  # to connect, to answer
ATTEMPTS = 3
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 5.0  # a server that wants to be left alone for longer gets its message in a later look
_SAID_MAX = 200
_WRONG_ADDRESS = {401, 403, 404, 405, 410}


class _Discretion(logging.Filter):
    """The HTTP library logs the path of every request at level DEBUG; a webhook's path is its password."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Nothing of the thread that posts."""
        return not getattr(self._here, "is_posting", False)

    @contextmanager
    def posting(self) -> Iterator[None]:
        """While this thread posts."""
        logger = logging.getLogger("urllib3.connectionpool")
        logger.addFilter(self)  # once, however often
        self._here.is_posting = True
        try:
            yield
        finally:
            self._here.is_posting = False


_DISCRETION = _Discretion()


class WebhookChannel:
    """One address that takes messages."""

    def __init__(self, settings: WebhookSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        self.name = settings.channel
        self._settings = settings
        self._sleep = sleep

    @property
    def goes_to(self) -> str:
        """The format alone."""
        return f"webhook ({self._settings.format})"

    def send(self, message: Message) -> str:
        """Post the message; tries again where the server is busy (429) or broken (5xx).

        Raises NotSent where it is not taken.
        """
        body = json.dumps(BODIES[self._settings.format](message), ensure_ascii=False).encode()
        for attempt in range(1, ATTEMPTS + 1):
            response = self._post(body)
            if response.ok and not response.is_redirect:
                return ""
            busy = response.status_code == 429 or response.status_code >= 500
            pause = _pause(response, attempt)
            if not busy or attempt == ATTEMPTS or pause > LONGEST_PAUSE:
                raise self._refused(response)
            self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _post(self, body: bytes) -> requests.Response:
        given = self._settings
        headers = {name: secret.get_secret_value() for name, secret in given.headers.items()}
        if given.ca_file is not None and not Path(given.ca_file).is_file():
            raise NotSent(f"Webhook {self.name}: there is no file {given.ca_file}.", "Let `ca_file` name a PEM file.")
        # requests' own errors quote the address: their text is not used, and no cause is kept.
        try:
            with _DISCRETION.posting():
                return requests.post(
                    given.url.get_secret_value(),
                    data=body,
                    headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "cost-lakehouse", **headers},
                    timeout=TIMEOUTS,
                    allow_redirects=False,
                    verify=given.ca_file or True,
                )
        except SSLError:
            problem, fix = "the server's certificate cannot be trusted", "`ca_file` takes an authority of your own."
        except ConnectTimeout:
            problem, fix = "the server cannot be reached in time", "Check the address and the way there (firewall, proxy)."
        except Timeout:
            problem, fix = "the server did not answer in time", "It is tried again at the next look."
        except NoConnection:
            problem, fix = "the server cannot be reached", "Check the address and the way there (name, firewall, proxy)."
        except (RequestException, ValueError, OSError):
            problem, fix = "the address or a header cannot be used", "Correct `url` and `headers`."
        raise NotSent(f"Webhook {self.name}: {problem}.", fix)

    def _refused(self, response: requests.Response) -> NotSent:
        said = self._without_secrets(" ".join(response.text.split()))[:_SAID_MAX]
        problem = f"Webhook {self.name}: the server answered {response.status_code}{f': {said}' if said else ''}."
        if response.is_redirect or response.status_code in _WRONG_ADDRESS:
            return NotSent(problem, "Copy the webhook's address again from where it was made; it may have been revoked.")
        if response.status_code == 429 or response.status_code >= 500:
            return NotSent(problem, "It is tried again at the next look.")
        return NotSent(problem, f"Check that `format: {self._settings.format}` is what it takes.", of_message=True)

    def _without_secrets(self, text: str) -> str:
        """What a server says may quote what it was sent."""
        url = self._settings.url.get_secret_value()
        _, _, path = url.partition("://")[2].partition("/")
        secrets = [url, path, *path.split("/"), *(header.get_secret_value() for header in self._settings.headers.values())]
        return without_secrets(text, (secret for secret in secrets if len(secret) > 3))


def _pause(response: requests.Response, attempt: int) -> float:
    """How long to wait before the next attempt: what the server asks for, else longer each time."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
        except ValueError:
            pass
    return FIRST_PAUSE * float(2 ** (attempt - 1))
