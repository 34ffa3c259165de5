"""The dbt profile for Trino, made from ``lakehouse.yaml``; secrets stay in the environment of the process that runs dbt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cost_lakehouse.config import Settings
from cost_lakehouse.config.trino import BasicAuth, CertificateAuth, JwtAuth, OAuth2Auth
from cost_lakehouse.lake.trino_client import access_token, certificate_files, trino_settings, verification

# dbt strikes values of variables with this prefix out of all that it prints.
SECRET_VARIABLE = "DBT_ENV_SECRET_COST_LAKEHOUSE_TRINO"  # noqa: S105  # a name, not a secret
THREADS = 4
_SECRET = f"{{{{ env_var('{SECRET_VARIABLE}') }}}}"


def write_trino_profile(settings: Settings, folder: Path, schema: str, catalog: str | None = None) -> None:
    """Write ``profiles.yml`` into the folder: all models of the project go to ``schema`` of the lake's catalog, or of another.

    Raises ConfigurationError where a file that the settings name is not there.
    """
    output = trino_output(settings, schema) | ({"database": catalog} if catalog else {})
    profile = {"cost_lakehouse": {"target": "trino", "outputs": {"trino": output}}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")


def trino_output(settings: Settings, schema: str) -> dict[str, Any]:
    """The target as dbt-trino spells it. Raises ConfigurationError."""
    given = trino_settings(settings)
    output: dict[str, Any] = {
        "type": "trino",
        "host": given.host,
        "port": given.port,
        "user": given.user,
        "database": given.catalog,
        "schema": schema,
        "threads": THREADS,
        "timezone": "UTC",
        "retries": given.max_attempts,
        "session_properties": dict(given.session_properties),
        "cert": verification(settings, given),
    }
    auth = given.auth
    if isinstance(auth, BasicAuth):
        output |= {"method": "ldap", "password": _SECRET}
        if auth.user is not None and auth.user != given.user:
            output |= {"user": auth.user, "impersonation_user": given.user}
    elif isinstance(auth, JwtAuth) or (isinstance(auth, OAuth2Auth) and auth.client is not None):
        output |= {"method": "jwt", "jwt_token": _SECRET}
    elif isinstance(auth, CertificateAuth):
        cert, key = certificate_files(settings, auth)
        output |= {"method": "certificate", "client_certificate": cert, "client_private_key": key}
    elif isinstance(auth, OAuth2Auth):
        output |= {"method": "oauth" if auth.redirect == "browser" else "oauth_console"}
    else:
        output |= {"method": "none", "http_scheme": given.http_scheme}
    return output


def trino_environment(settings: Settings, secret: str) -> dict[str, str]:
    """What dbt's process has to know beside the profile."""
    # Set to anything, these would be stronger than the file that the profile names, or than `verify: false`.
    if trino_settings(settings).verify is not True:
        return {SECRET_VARIABLE: secret, "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}
    return {SECRET_VARIABLE: secret}


def trino_secret(settings: Settings) -> str:
    """What the profile reads from ``SECRET_VARIABLE``; empty where it needs no secret. Raises LakeError (OAuth2)."""
    auth = trino_settings(settings).auth
    if isinstance(auth, BasicAuth):
        return auth.password.get_secret_value()
    if isinstance(auth, JwtAuth):
        return auth.token.get_secret_value()
    if isinstance(auth, OAuth2Auth) and auth.client is not None:
        return access_token(settings, auth.client)
    return ""
