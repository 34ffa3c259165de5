"""Asks a Prometheus over HTTP for one UTC day that is over; Amazon's managed one with requests that are signed (SigV4)."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any
from urllib.parse import urlencode

import requests

from cost_lakehouse.clusters.prometheus import HOUR, Answer, Query, hours_of, kept, missing_metric, queries
from cost_lakehouse.config.clusters import PrometheusSettings
from cost_lakehouse.errors import SourceError, shortened

_SECONDS = 120
_FORM = "application/x-www-form-urlencoded"
_SERVICE = "aps"  # what Amazon Managed Service for Prometheus is called in signatures


def day_of_prometheus(settings: PrometheusSettings, day: date, labels: tuple[str, ...]) -> bytes | None:
    """What it says of a day, as it is kept; None where it has nothing of it.

    Raises SourceError where it does not answer, or knows nodes and not what ran on them.
    """
    with requests.Session() as session:
        asker = _Asker(settings, session)
        answers: dict[str, Answer] = {}
        for name, query in queries(settings.match, labels).items():
            answers[name] = asker.answer(query, day)
            if name == "nodes" and not answers[name]:
                return None
    if missing := missing_metric(answers):
        raise SourceError(
            f"{settings.url} knows nodes on {day}, and nothing of {missing}.",
            "Let it scrape kube-state-metrics and cAdvisor, and correct `match` of the cluster's `prometheus`.",
        )
    return kept(day, answers)


class _Asker:
    """One day's questions."""

    def __init__(self, settings: PrometheusSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session
        proxy = settings.proxy.get_secret_value() if settings.proxy is not None else None
        self._proxies = None if proxy is None else {"http": proxy, "https": proxy}
        self._signer = _signer(settings) if settings.sigv4 else None

    def answer(self, query: Query, day: date) -> Answer:
        """The series of one question. Raises SourceError."""
        first, last = hours_of(day)
        if query.by_hour:
            path, form = "/api/v1/query_range", {"query": query.promql, "start": first, "end": last, "step": HOUR}
        else:
            path, form = "/api/v1/query", {"query": query.promql, "time": last}
        url, body = f"{self._settings.url}{path}", urlencode(form)
        try:
            found = self._session.post(
                url, body, headers=self._headers(url, body), auth=_as_it_is, proxies=self._proxies, timeout=_SECONDS,
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise SourceError(
                f"{self._settings.url} does not answer: {type(error).__name__}.",
                "Correct `url` or `proxy` of the cluster's `prometheus`, or start it; then run again.",
            ) from None
        return self._read(found, day, "matrix" if query.by_hour else "vector")

    def _headers(self, url: str, body: str) -> dict[str, str]:
        settings = self._settings
        headers = {"Content-Type": _FORM, **{name: value.get_secret_value() for name, value in settings.headers.items()}}
        if settings.token is not None:
            headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        if settings.username is not None and settings.password is not None:
            pair = f"{settings.username}:{settings.password.get_secret_value()}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers if self._signer is None else self._signer(url, body, headers)

    def _read(self, found: requests.Response, day: date, kind: str) -> Answer:
        try:
            document = found.json()
        except ValueError:
            document = None
        if found.status_code in (401, 403):
            raise SourceError(
                f"{self._settings.url} refuses who asks (HTTP {found.status_code}).",
                "Correct the credentials of the cluster's `prometheus`; Amazon's needs aps:QueryMetrics.",
            )
        if not isinstance(document, dict) or found.status_code != 200 or document.get("status") != "success":
            said = document.get("error") if isinstance(document, dict) else None
            why = f": {self._without_secrets(shortened(str(said)))}" if said else ""
            raise SourceError(
                f"{self._settings.url} answers HTTP {found.status_code} when it is asked for {day}{why}.",
                "Look at its log; a query that takes too long needs a longer limit there.",
            )
        if document.get("warnings"):
            said = self._without_secrets(shortened(str(document["warnings"][0])))
            raise SourceError(
                f"{self._settings.url} does not know all of {day}: {said}.", "Run again once all of its stores answer."
            )
        data = document.get("data")
        if not isinstance(data, dict) or data.get("resultType") != kind or not isinstance(data.get("result"), list):
            raise SourceError(
                f"{self._settings.url} answers no {kind}.", "Let `url` be a Prometheus, or what answers like one."
            )
        result: Answer = data["result"]
        return result

    def _without_secrets(self, text: str) -> str:
        for secret in self._settings.secrets:
            text = text.replace(secret, "…")
        return text


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps the headers: without an `auth` of its own, requests would put what ~/.netrc says in their place."""
    return request


def _signer(settings: PrometheusSettings) -> Any:
    """Signs a request: address, body and headers in, all headers out. Raises SourceError where nobody signs."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError, ClientError

    from cost_lakehouse.storage.aws_session import session_of

    try:
        session, region = session_of(settings)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise SourceError(f"Nobody can sign for {settings.url}: {error}.", "Correct its profile, region or role.") from None
    if credentials is None:
        raise SourceError(f"There are no credentials of AWS to ask {settings.url} with.", "Give profile, role_arn or keys.")

    def signed(url: str, body: str, headers: dict[str, str]) -> dict[str, str]:
        request = AWSRequest(method="POST", url=url, data=body.encode(), headers=headers)
        try:
            SigV4Auth(credentials.get_frozen_credentials(), _SERVICE, region).add_auth(request)
        except (BotoCoreError, ClientError) as error:
            raise SourceError(f"Nobody can sign for {settings.url}: {error}.", "Correct its role or keys.") from None
        return dict(request.headers.items())

    return signed
