"""What ``lake.trino`` may say, and how wrong settings are told: by field, without the value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.config.trino import BasicAuth, OAuth2Auth, TrinoSettings
from cost_lakehouse.errors import ConfigurationError

SECRET = "hunter2hunter2"


def settings(folder: Path, **trino: Any) -> Settings:
    """A production lakehouse.yaml whose ``lake.trino`` says this, read back."""
    lake = {
        "engine": "trino",
        "catalog": "postgresql://lake@db.example.com/lake",
        "warehouse": "s3://lake/warehouse",
        "trino": {"host": "trino.example.com", **trino},
    }
    file = folder / "lakehouse.yaml"
    file.write_text(yaml.safe_dump({"lake": lake}))
    return load_settings(file)


def trino(folder: Path, **given: Any) -> TrinoSettings:
    found = settings(folder, **given).lake.trino
    assert found is not None
    return found


def test_without_authentication_trino_is_asked_over_http(tmp_path: Path) -> None:
    given = trino(tmp_path)
    assert (given.http_scheme, given.port, given.user, given.catalog) == ("http", 8080, "cost-lakehouse", "lake")
    assert given.verify is True


def test_with_authentication_or_https_the_port_is_443(tmp_path: Path) -> None:
    basic = trino(tmp_path, auth={"method": "basic", "password": SECRET})
    assert (basic.http_scheme, basic.port) == ("https", 443)
    assert trino(tmp_path, http_scheme="https").port == 443
    assert trino(tmp_path, http_scheme="https", port=8443).port == 8443


def test_secrets_come_from_the_environment_and_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINO_PASSWORD", SECRET)
    read = settings(tmp_path, auth={"method": "basic", "password": "${TRINO_PASSWORD}"})
    assert read.lake.trino is not None
    assert isinstance(read.lake.trino.auth, BasicAuth)
    assert read.lake.trino.auth.password.get_secret_value() == SECRET
    assert SECRET not in repr(read)


def test_session_properties_are_written_as_trino_spells_them(tmp_path: Path) -> None:
    given = trino(tmp_path, session_properties={"query_max_run_time": "10m", "lake.sorted_writing_enabled": False, "n": 3})
    assert given.session_properties == {"query_max_run_time": "10m", "lake.sorted_writing_enabled": "false", "n": "3"}


def test_oauth2_is_of_a_person_or_of_a_process(tmp_path: Path) -> None:
    person = trino(tmp_path, auth={"method": "oauth2", "redirect": "browser"}).auth
    assert isinstance(person, OAuth2Auth)
    assert person.client is None
    client = {"token_url": "https://login.example.com/token", "client_id": "x", "client_secret": SECRET}
    process = trino(tmp_path, auth={"method": "oauth2", "client": client}).auth
    assert isinstance(process, OAuth2Auth)
    assert process.client is not None


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"auth": {"method": "basic"}}, "lake.trino.auth.basic.password", "is missing"),
        ({"auth": {"method": "kerberos"}}, "lake.trino.auth.method", "'none', 'basic', 'jwt', 'certificate', 'oauth2'"),
        ({"auth": {"method": "jwt", "token": SECRET, "password": SECRET}}, "lake.trino.auth.jwt.password", "unknown key"),
        ({"auth": {"method": "jwt", "token": SECRET}, "http_scheme": "http"}, "lake.trino.http_scheme", "jwt needs https"),
        ({"auth": {"method": "certificate", "cert": "c.pem"}}, "lake.trino.auth.certificate.key", "is missing"),
        (
            {"auth": {"method": "oauth2", "client": {"token_url": "http://x", "client_id": "x", "client_secret": SECRET}}},
            "lake.trino.auth.oauth2.client.token_url",
            "https://",
        ),
        ({"verify": "false"}, "lake.trino.verify", "without quotes"),
        ({"host": "https://trino.example.com"}, "lake.trino.host", "keys of their own"),
        ({"host": f"user:{SECRET}@trino"}, "lake.trino.host", "keys of their own"),
        ({"port": 0}, "lake.trino.port", "greater than or equal to 1"),
        ({"session_properties": {"a=b": "c"}}, "lake.trino.session_properties", "no session property"),
        ({"catalogue": "lake"}, "lake.trino.catalogue", "unknown key"),
        ({"catalog": "La-ke"}, "lake.trino.catalog", "pattern"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_without_secrets(tmp_path: Path, wrong: Any, field: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        settings(tmp_path, **wrong)
    assert f"{field}: " in told.value.fix
    assert says in told.value.fix
    assert SECRET not in str(told.value)
