"""Talks to Trino; whatever goes wrong is told with its cause and what to do, and never with a secret."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import requests
from trino import auth as trino_auth
from trino import dbapi, exceptions

from cost_lakehouse.config import Settings
from cost_lakehouse.config.trino import BasicAuth, CertificateAuth, JwtAuth, OAuth2Auth, OAuth2Client, TrinoSettings
from cost_lakehouse.errors import ConfigurationError, LakeError

ROWS_AT_ONCE = 5_000
_SOURCE = "cost-lakehouse"
_CLIENT_ERRORS = (exceptions.Error, exceptions.HttpError, requests.RequestException)


class StatementRefused(LakeError):
    """Trino is well, but the statement is wrong: its syntax, a name, a type, a right or a value."""


class TimeIsUp(LakeError):
    """The statement took longer than it may, and was ended by Trino."""


@dataclass(frozen=True)
class Result:
    """A statement's result: the columns' names and Trino types, and the rows, fetched as they are read."""

    names: list[str]
    types: list[str]
    rows: Iterator[Sequence[Any]]


def trino_settings(settings: Settings) -> TrinoSettings:
    """What ``lakehouse.yaml`` says of Trino.

    Raises ConfigurationError where it says nothing.
    """
    if settings.lake.trino is None:
        raise ConfigurationError(f"{settings.file} says nothing of Trino.", "Add `lake.trino` with at least `host`.")
    return settings.lake.trino


def connect(settings: Settings, schema: str | None = None, seconds: float | None = None) -> dbapi.Connection:
    """A connection to the lake's catalog, whose statements may take so many seconds. Nothing is sent before the first one.

    Raises ConfigurationError where a file that the settings name is not there.
    """
    given = trino_settings(settings)
    return dbapi.Connection(
        host=given.host,
        port=given.port,
        user=given.user,
        source=_SOURCE,
        catalog=given.catalog,
        schema=schema,
        http_scheme=given.http_scheme,
        auth=_authentication(settings, given),
        http_session=_Session(verification(settings, given)),
        session_properties={
            **given.session_properties,
            **({} if seconds is None else {"query_max_run_time": f"{max(1, round(seconds * 1000))}ms"}),
        },
        timezone="UTC",
        legacy_prepared_statements=False,  # else the client asks, with a query of its own, whether Trino is older than 418
        max_attempts=given.max_attempts,
        request_timeout=given.request_timeout_seconds,
    )


def rows(
    settings: Settings,
    sql: str,
    parameters: Sequence[Any] = (),
    schema: str | None = None,
    seconds: float | None = None,
    most: int | None = None,
) -> list[tuple[Any, ...]]:
    """Run one statement over a connection of its own, and return its rows (``most`` at most); none where it gives none.

    Raises LakeError, TimeIsUp where it takes longer than ``seconds``.
    """
    with running(settings, sql, parameters, schema, seconds) as result:
        return [tuple(row) for row in islice(result.rows, most)]


def execute(settings: Settings, sql: str) -> None:
    """Run one statement to its end. Raises LakeError."""
    rows(settings, sql)


@contextmanager
def running(
    settings: Settings,
    sql: str,
    parameters: Sequence[Any] = (),
    schema: str | None = None,
    seconds: float | None = None,
) -> Iterator[Result]:
    """One statement's result, to be read inside the context; what is not read then is cancelled. Raises LakeError."""
    with explained(settings), connect(settings, schema, seconds) as connection:
        cursor = connection.cursor()
        cursor.execute(sql, list(parameters) or None)
        description = cursor.description or []
        try:
            yield Result([item[0] for item in description], [str(item[1]) for item in description], _rows(cursor))
        finally:
            with suppress(*_CLIENT_ERRORS):  # what is cancelled is of no use any more
                cursor.close()


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn what the client raises inside into LakeError."""
    given = trino_settings(settings)
    try:
        yield
    except _CLIENT_ERRORS as error:
        problem, fix = explain(error, given)
        if isinstance(error, exceptions.TrinoQueryError) and error.error_name == "EXCEEDED_TIME_LIMIT":
            raise TimeIsUp(problem, fix) from None
        refused = isinstance(error, exceptions.TrinoQueryError) and error.error_type == "USER_ERROR"
        raise (StatementRefused if refused else LakeError)(problem, fix) from None


def verification(settings: Settings, given: TrinoSettings) -> bool | str:
    """Whether Trino's certificate is checked, or by which authority's file.

    Raises ConfigurationError where that file is not there.
    """
    return str(_file(settings, given.verify, "lake.trino.verify")) if isinstance(given.verify, str) else given.verify


def certificate_files(settings: Settings, auth: CertificateAuth) -> tuple[str, str]:
    """The client certificate and its key. Raises ConfigurationError where one is not there."""
    cert = _file(settings, auth.cert, "lake.trino.auth.cert")
    return str(cert), str(_file(settings, auth.key, "lake.trino.auth.key"))


def access_token(settings: Settings, client: OAuth2Client) -> str:
    """A token for this process by the client credentials grant. Raises LakeError where none is given."""
    given = trino_settings(settings)
    what = f"No OAuth2 token from {client.token_url}"
    try:
        answer = requests.post(
            client.token_url,
            data={"grant_type": "client_credentials", **({"scope": client.scope} if client.scope else {})},
            auth=(client.client_id, client.client_secret.get_secret_value()),
            timeout=given.request_timeout_seconds,
            verify=verification(settings, given),
        )
    except requests.exceptions.SSLError as error:
        raise LakeError(f"{what}: its certificate is not trusted ({_cause(error)}).", _TRUST) from None
    except requests.RequestException as error:
        raise LakeError(
            f"{what}: {type(error).__name__}.", "Check lake.trino.auth.client.token_url and the way there."
        ) from None
    try:
        token = answer.json().get("access_token") if answer.ok else None
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str):
        raise LakeError(
            f"{what}: it answers {answer.status_code}.", "Check client_id, client_secret and scope of lake.trino.auth.client."
        )
    return token


def explain(error: Exception, given: TrinoSettings) -> tuple[str, str]:
    """What happened and what to do about it."""
    where = f"Trino at {given.http_scheme}://{given.host}:{given.port}"
    if isinstance(error, exceptions.TrinoConnectionError) and isinstance(error.__context__, requests.RequestException):
        error = error.__context__
    text = str(error)
    if isinstance(error, exceptions.TrinoQueryError):
        return _explain_query(error, given, where)
    if isinstance(error, requests.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
            return f"{where} does not speak TLS.", "Set lake.trino.http_scheme to http, or the port of its https connector."
        if "CERTIFICATE_REQUIRED" in text or "certificate required" in text:
            return f"{where} wants a client certificate.", "Set lake.trino.auth: {method: certificate, cert: ..., key: ...}."
        return f"The certificate of {where} is not trusted: {_cause(error)}.", _TRUST
    if isinstance(error, requests.exceptions.Timeout):
        return f"{where} did not answer in {given.request_timeout_seconds:g} s.", "See whether it is overloaded, and try again."
    if isinstance(error, requests.RequestException):
        return (
            f"{where} cannot be reached: {_cause(error)}.",
            "Start it, or correct lake.trino.host, port and http_scheme; a query under way can be run again.",
        )
    status = re.match(r"error (\d{3})", text)
    code = status.group(1) if status else ""
    if code == "401" or isinstance(error, exceptions.TrinoAuthError):
        return (
            f"{where} refuses the login of user {given.user} by {given.auth.method}.",
            "Check lake.trino.auth (method, password, token or certificate) and lake.trino.user.",
        )
    if code == "403":
        return f"{where} does not let user {given.user} in.", "Give this user access, or change lake.trino.user or auth."
    if code in ("404", "405", "400"):
        return f"{where} answers {code}: it is no Trino coordinator.", "Correct lake.trino.host, port and http_scheme."
    if code:
        return f"{where} answers {code}.", "It is starting, stopping or overloaded; wait and try again."
    return f"{where} failed: {type(error).__name__}.", "Look at Trino's own log, then try again."


def _explain_query(error: exceptions.TrinoQueryError, given: TrinoSettings, where: str) -> tuple[str, str]:
    name = error.error_name or ""
    message = error.message
    if name == "CATALOG_NOT_FOUND":
        return (
            f"{where} has no catalog {given.catalog!r}: {message}.",
            "Set lake.trino.catalog to the Iceberg catalog of this lake.",
        )
    if name in ("PERMISSION_DENIED",):
        return f"{where}: {message}.", f"Give user {given.user} access in Trino's access control."
    if name == "SERVER_STARTING_UP":
        return f"{where} is still starting.", "Wait a moment, then try again."
    if error.error_type == "USER_ERROR":
        return message, f"Correct the SQL or its input (Trino's {name}, query {error.query_id})."
    fix = (
        "Run it again when Trino has what it lacks." if error.error_type == "INSUFFICIENT_RESOURCES" else "Look at Trino's log."
    )
    return f"{where}: {name}: {message}.", f"{fix} It is query {error.query_id}."


_TRUST = "Set lake.trino.verify to the PEM file of the authority that signed it; `verify: false` turns the check off."


def _authentication(settings: Settings, given: TrinoSettings) -> trino_auth.Authentication | None:
    auth = given.auth
    if isinstance(auth, BasicAuth):
        return trino_auth.BasicAuthentication(auth.user or given.user, auth.password.get_secret_value())
    if isinstance(auth, JwtAuth):
        return trino_auth.JWTAuthentication(auth.token.get_secret_value())
    if isinstance(auth, CertificateAuth):
        return trino_auth.CertificateAuthentication(*certificate_files(settings, auth))
    if isinstance(auth, OAuth2Auth):
        if auth.client is not None:
            return trino_auth.JWTAuthentication(access_token(settings, auth.client))
        return trino_auth.OAuth2Authentication(_Browser() if auth.redirect == "browser" else _Console())  # type: ignore[arg-type]
    return None


class _Session(requests.Session):
    """A session whose own ``verify`` counts: in requests the variable REQUESTS_CA_BUNDLE is stronger, even than a file."""

    def __init__(self, verify: bool | str) -> None:
        super().__init__()
        self.verify = verify

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)


class _Console(trino_auth.RedirectHandler):
    """Shows the link; on stderr, as stdout carries results."""

    def __call__(self, url: str) -> None:
        sys.stderr.write(f"Open this address to log in to Trino: {url}\n")
        sys.stderr.flush()


class _Browser(trino_auth.WebBrowserRedirectHandler):
    """Opens the link in the person's browser."""


def _rows(cursor: dbapi.Cursor) -> Iterator[Sequence[Any]]:
    while some := cursor.fetchmany(ROWS_AT_ONCE):
        yield from some


def _file(settings: Settings, path: str, field: str) -> Path:
    found = settings.path(path)
    if not found.is_file():
        raise ConfigurationError(f"{field}: there is no file {found}.", "Correct the path; it is relative to lakehouse.yaml.")
    return found


def _cause(error: Exception) -> str:
    """The innermost reason, without the addresses and object names around it."""
    text = str(error)
    for pattern in (
        r"certificate verify failed: ([^(\n]+?)\s*\(",
        r"hostname '[^']*' doesn't match[^\n]*?(?=\)|$)",
        r"\[Errno -?\d+\] ([^'\")]+)",
    ):
        found = re.search(pattern, text)
        if found:
            return (found.group(1) if found.groups() else found.group(0)).strip().rstrip(".")
    return type(error).__name__
