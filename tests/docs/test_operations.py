"""What the docs hand to clouds and machines is what these take: lifecycle rules, policies, units, a cron line."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.main import get_command

from cost_lakehouse.cli.app import app
from cost_lakehouse.orchestration.schedules import ensure_cron
from tests.docs.pages import Example, blocks


def of_page(name: str, *languages: str) -> list[Example]:
    return [example for example in blocks(*languages) if example.page.name == name]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Any:
    """AWS's S3, played by moto, which takes what AWS takes of rules and policies."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="acme-billing")
        yield client


def test_the_expiry_of_both_buckets_of_athena_is_taken_and_keeps_what_counts(s3: Any) -> None:
    results, report = (json.loads(example.text) for example in of_page("athena.md", "json"))
    for rules in (results, report):
        s3.put_bucket_lifecycle_configuration(Bucket="acme-billing", LifecycleConfiguration=rules)
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket="acme-billing")["Rules"]
    assert kept["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    # The bill's current files never expire; results do.
    assert "Expiration" not in kept
    assert results["Rules"][0]["Expiration"]["Days"] == 3


def test_the_reader_of_another_account_may_list_and_read_the_report_and_nothing_else() -> None:
    statements = next(
        rules for example in of_page("configure-aws.md", "json") if isinstance(rules := json.loads(example.text), list)
    )
    assert {statement["Action"] for statement in statements} == {"s3:ListBucket", "s3:GetObject"}
    assert {statement["Principal"]["AWS"] for statement in statements} == {"arn:aws:iam::444455556666:role/cost-lakehouse"}
    (listing, reading) = statements
    assert listing["Condition"]["StringLike"]["s3:prefix"] == ["cur/hourly-cur", "cur/hourly-cur/*"]
    assert reading["Resource"] == "arn:aws:s3:::acme-billing/cur/hourly-cur/*"


def test_the_mirrors_cron_line_and_unit_run_a_command_that_there_is() -> None:
    (line,) = [example.text for example in of_page("configure-oci.md", "text") if "cost-lakehouse mirror" in example.text]
    moment, command = re.fullmatch(r"(\S+ \S+ \S+ \S+ \S+) (.*)\n", line).groups()  # type: ignore[union-attr]
    ensure_cron(moment, "The cron line", "0 6 * * *")
    units = {}
    for example in of_page("configure-oci.md", "ini"):
        unit = configparser.ConfigParser(interpolation=None, strict=True)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read_string(example.text)
        units["timer" if "Timer" in unit else "service"] = unit
    run = units["service"]["Service"]
    assert run["Type"] == "oneshot"
    assert units["timer"]["Timer"]["Persistent"] == "true"
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for written in (command.split("&&")[1].split(">>")[0], run["ExecStart"]):
        program, name = shlex.split(written)
        assert program.endswith(".venv/bin/cost-lakehouse")
        assert name in commands
