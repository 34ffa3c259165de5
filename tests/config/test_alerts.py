"""``alerts`` in lakehouse.yaml: what it takes, and what it says of what is wrong, without showing a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError

EMAIL = "email: {host: smtp.example.com, from: a@example.com, to: [b@example.com]"


def settings_of(folder: Path, alerts: str) -> Settings:
    """The settings of a file with one source and these alerts, as YAML in one line."""
    file = folder / "lakehouse.yaml"
    source = "sources: [{name: acme, kind: aws_cur, location: bills}]"
    file.write_text(f"{source}\nalerts: {{{alerts}}}\n", encoding="utf-8")
    return load_settings(file)


def test_nothing_has_to_be_said(tmp_path: Path) -> None:
    alerts = settings_of(tmp_path, "").alerts
    assert not alerts.has_channels
    expected = ("run_failures", "failed_checks", "late_deliveries", "late_corrections", "gaps", "anomalies", "budgets")
    assert alerts.events == expected


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_port_follows_from_security(tmp_path: Path, security: str, port: int) -> None:
    email = settings_of(tmp_path, f"{EMAIL}, security: {security}}}").alerts.email
    assert email is not None
    assert email.port_used == port


def test_several_channels_at_once(tmp_path: Path) -> None:
    hooks = "webhooks: [{url: 'https://a.example.com/x', format: slack}, {url: 'https://a.example.com/y', format: teams}]"
    topic = "notifications: {topic: ocid1.onstopic.oc1.eu-frankfurt-1.aaaa, oci: {config_file: oci/config}}"
    alerts = settings_of(tmp_path, f"{EMAIL}, ca_file: tls/ca.pem}}, {hooks}, {topic}").alerts
    assert [webhook.channel for webhook in alerts.webhooks] == ["slack", "teams"]
    absolute = alerts.relative_to(tmp_path)
    assert absolute.email is not None
    assert absolute.email.ca_file == str(tmp_path / "tls" / "ca.pem")
    assert absolute.notifications is not None
    assert absolute.notifications.oci.config_file == str(tmp_path / "oci" / "config")


def test_lateness_of_one_source_may_be_off(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "lateness: {sources: {acme: off}}").alerts.lateness.sources == {"acme": None}
    assert settings_of(tmp_path, "lateness: {sources: {acme: 12}}").alerts.lateness.sources == {"acme": 12}


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ("slack: x", "alerts.slack: unknown key"),
        (f"{EMAIL}, user: me}}", "user and password go together"),
        (f"{EMAIL}, user: me, password: a-secret, security: none}}", "go with `security: starttls` or `tls`"),
        ("email: {host: h, from: nobody, to: [b@example.com]}", "alerts.email.from: write an e-mail address"),
        ("email: {host: h, from: a@example.com, to: []}", "alerts.email.to"),
        ("webhooks: [{url: hooks.example.com/a-secret}]", "alerts.webhooks[0].url: write https://host/path"),
        ("webhooks: [{url: 'https://a/x'}, {url: 'https://a/y'}]", "two are called 'json'; give each its own name"),
        ("webhooks: [{url: 'https://a/x', name: email}]", "email and notifications are taken"),
        ("webhooks: [{url: 'https://a/x', headers: {'X Y': a-secret}}]", "write each header as `Name: value`"),
        ("notifications: {topic: a-topic}", "alerts.notifications.topic: write the topic's OCID"),
        ("dagster_url: localhost", "alerts.dagster_url: write https://host"),
        ("events: [everything]", "alerts.events[0]"),
        ("lateness: {sources: {acmee: 3}}", "there is no source 'acmee'"),
        ("lateness: {factor: 0.5}", "alerts.lateness.factor"),
        ("lateness: {sources: {acme: -1}}", "alerts.lateness.sources.acme"),
    ],
)
def test_what_is_wrong_is_said_by_field_and_without_secrets(tmp_path: Path, alerts: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        settings_of(tmp_path, alerts)
    assert said in error.value.fix
    assert "a-secret" not in str(error.value)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    hook = "webhooks: [{url: 'https://a.example.com/a-secret', headers: {X: a-secret}}]"
    settings = settings_of(tmp_path, f"{EMAIL}, user: me, password: a-secret}}, {hook}")
    assert "a-secret" not in repr(settings)
    assert "a-secret" not in settings.model_dump_json()
