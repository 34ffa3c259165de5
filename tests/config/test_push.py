"""``push:`` in lakehouse.yaml: what it takes, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError

SECRET = "0123456789abcdef"


def settings(folder: Path, *targets: dict[str, Any], lake: dict[str, Any] | None = None) -> Settings:
    file = folder / "lakehouse.yaml"
    file.write_text(yaml.safe_dump({"lake": lake or {}, "push": list(targets)}))
    return load_settings(file)


def test_name_and_place_are_enough(tmp_path: Path) -> None:
    target = settings(tmp_path, {"name": "pane", "to": "out"}).push_target("pane")

    assert target.to == str(tmp_path / "out")
    assert (target.what, target.format, target.writer, target.follows_runs) == (("daily_costs",), "parquet", None, True)


def test_a_schedule_takes_the_place_of_runs_and_off_is_none(tmp_path: Path) -> None:
    given = settings(tmp_path, {"name": "a", "to": "a", "schedule": "0 6 * * *"}, {"name": "b", "to": "b", "schedule": "off"})

    assert [target.follows_runs for target in given.push] == [False, True]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"to": "out", "name": "Pane"}, "lower-case"),
        ({"to": "ftp://host/x"}, "s3://bucket/prefix or https://host/path"),
        ({"to": "http://example.com/costs", "secret": SECRET}, "over https:// only"),
        ({"to": "https://user:word@example.com/costs", "secret": SECRET}, "no user or password"),
        ({"to": "https://example.com/costs"}, "add `secret:"),
        ({"to": "https://example.com/costs", "secret": "short"}, "16 characters"),
        ({"to": "out", "secret": SECRET}, "only fits a `to` that starts with https://"),
        ({"to": "out", "store": {"region": "eu-west-1"}}, "only fits a `to` that starts with s3://"),
        ({"to": "s3://b", "store": {"region": "x"}, "store_config": "f.yaml"}, "say the same thing"),
        ({"to": "out", "what": ["marts.daily_costs"]}, "without their schema"),
        ({"to": "out", "what": []}, "name marts"),
        ({"to": "https://example.com", "secret": SECRET, "source_address": "eth0"}, "an IP address"),
        ({"to": "https://example.com", "secret": SECRET, "proxy": "proxy:3128"}, "http://host:port"),
        ({"to": "out", "whta": ["daily_costs"]}, "unknown key"),
        ({"to": "lake/warehouse/push"}, "would write into the lake's warehouse"),
    ],
)
def test_what_is_wrong_is_said_by_name_and_never_with_a_secret(tmp_path: Path, target: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, {"name": "pane", **target})

    assert says in str(caught.value)
    assert "user:word@" not in str(caught.value)


def test_two_targets_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'pane' is used twice"):
        settings(tmp_path, {"name": "pane", "to": "a"}, {"name": "pane", "to": "b"})


def test_a_federated_store_is_the_targets_store(tmp_path: Path) -> None:
    config = {"bucket": "fleet", "endpoint": "minio.example.com", "access_key": "key", "secret_key": "word"}
    (tmp_path / "federated-store.yaml").write_text(yaml.safe_dump({"type": "S3", "config": config, "prefix": "costs"}))
    given = settings(tmp_path, {"name": "pane", "to": "s3://fleet/costs", "store_config": "federated-store.yaml"})

    store = given.push_store(given.push_target("pane"))

    assert store.endpoint == "https://minio.example.com"
    elsewhere = settings(tmp_path, {"name": "pane", "to": "s3://other/costs", "store_config": "federated-store.yaml"})
    with pytest.raises(ConfigurationError, match="push target pane's `to` is s3://other/costs"):
        elsewhere.push_store(elsewhere.push_target("pane"))
