"""Targets that take POSTs: a signed request a file, and a month's manifest last; whoever takes it counts each id once.

Headers are those of Standard Webhooks: ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, which is
``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import RequestException, SSLError, Timeout

from cost_lakehouse.config.push import PushSettings
from cost_lakehouse.errors import PushFailed, without_secrets
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.publish.backbone.places import MonthToSend

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
TIMEOUTS = (10.0, 120.0)  # to connect, to answer
_CHUNK = 1024 * 1024
_SAID_MAX = 200
_TYPES = {".parquet": "application/vnd.apache.parquet", ".gz": "application/gzip", ".json": "application/json"}
_RETRY = "What was loaded and published stays; the next run tries again."


def signature(secret: str, message_id: str, timestamp: int, body: BinaryIO) -> str:
    """What ``webhook-signature`` says of a body, which is read to its end."""
    digest = hmac.new(secret.encode(), f"{message_id}.{timestamp}.".encode(), hashlib.sha256)
    while chunk := body.read(_CHUNK):
        digest.update(chunk)
    return "v1," + base64.b64encode(digest.digest()).decode()


class HttpPlace:
    """One address. A month counts there once its manifest has come."""

    def __init__(
        self,
        target: PushSettings,
        writer: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._writer = writer
        self._sleep = sleep
        self._clock = clock
        self._session = requests.Session()
        if target.proxy is not None:
            proxy = target.proxy.get_secret_value()
            self._session.trust_env = False  # what the configuration says, and no variable
            self._session.proxies = {"http": proxy, "https": proxy}
        if target.source_address is not None:
            for scheme in ("http://", "https://"):
                self._session.mount(scheme, _FromAddress(target.source_address))

    def held(self) -> Mapping[Slice, str] | None:
        """Only the ledger tells."""
        return None

    def send(self, month: MonthToSend) -> None:
        """Post the files, then the manifest. Raises PushFailed where one is not taken."""
        for path, file in month.files.items():
            self._post(month.month.id, path, file)
        self._post(month.month.id, month.month.manifest.path, month.manifest)

    def settle(self, now: datetime) -> None:
        """Each month's manifest did it."""

    def _post(self, month_id: str, path: str, content: Path | bytes) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            problem, fix, asked = self._tried(month_id, path, content)
            if not problem:
                return
            pause = asked if asked is not None else FIRST_PAUSE * 2.0 ** (attempt - 1)
            if fix is not None or attempt == ATTEMPTS or pause > LONGEST_PAUSE:
                raise PushFailed(f"push {self._target.name}: {path}: {problem}.", fix or _RETRY)
            self._sleep(pause)

    def _tried(self, month_id: str, path: str, content: Path | bytes) -> tuple[str, str | None, float | None]:
        """One attempt: what went wrong ("" where nothing did), what to do where another would not help, and the pause."""
        target = self._target
        message = f"{month_id}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        stamp = int(self._clock())
        secret = target.secret.get_secret_value() if target.secret else ""
        with ExitStack() as stack:
            body: BinaryIO = BytesIO(content) if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
            signed = signature(secret, message, stamp, body)
            body.seek(0)
            headers = {
                "Content-Type": _TYPES["." + path.rpartition(".")[2]],
                "User-Agent": "cost-lakehouse",
                "Idempotency-Key": message,
                "webhook-id": message,
                "webhook-timestamp": str(stamp),
                "webhook-signature": signed,
                "Lakehouse-Path": f"{self._writer}/{path}",
                "Lakehouse-Month-Id": month_id,
                **{name: given.get_secret_value() for name, given in target.headers.items()},
            }
            try:
                answer = self._session.post(
                    target.to,
                    data=body,
                    headers=headers,
                    timeout=TIMEOUTS,
                    allow_redirects=False,
                    verify=target.ca_file or True,
                )
            except SSLError:
                return "the server's certificate cannot be trusted", "`ca_file` takes an authority of your own.", None
            except Timeout:
                return "the server did not answer in time", None, None
            except NoConnection:
                return "the server cannot be reached", None, None
            except (RequestException, ValueError, OSError) as error:
                return f"the request cannot be made ({type(error).__name__})", "Correct `to`, `proxy` and `headers`.", None
        return self._judged(answer)

    def _judged(self, answer: requests.Response) -> tuple[str, str | None, float | None]:
        if answer.ok and not answer.is_redirect:
            return "", None, None
        said = without_secrets(" ".join(answer.text.split()), self._secrets)[:_SAID_MAX]
        problem = f"the server answered {answer.status_code}{f': {said}' if said else ''}"
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
            asked = answer.headers.get("Retry-After", "").strip()
            return problem, None, float(asked) if asked.isdigit() else None
        return problem, "Correct `to`, `secret` and `headers`, or what the server checks.", None

    @property
    def _secrets(self) -> list[str]:
        target = self._target
        given = [target.secret, target.proxy, *target.headers.values()]
        return [target.to, *(secret.get_secret_value() for secret in given if secret is not None)]


class _FromAddress(HTTPAdapter):
    """Connects from one address of this machine, which a firewall may know."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        """As requests makes its pool, with the address to connect from."""
        return super().init_poolmanager(*arguments, source_address=(self._address, 0), **options)
