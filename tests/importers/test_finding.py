"""Where a report lies that was announced without a prefix: the bucket tells, as AWS may start its keys with a slash."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.importers.finding import as_it_lies
from cost_lakehouse.sources.aws.reports import FoundReport

KEYS = {"access_key": "AKIAOWN", "secret_key": "s3cret", "region": "us-east-1"}


@pytest.mark.parametrize(
    ("key", "location"),
    [
        ("/hourly/20261001-20261101/hourly-Manifest.json", "s3://acme-billing//hourly"),
        ("hourly/20261001-20261101/hourly-Manifest.json", "s3://acme-billing/hourly"),
        ("nothing-yet", "s3://acme-billing/hourly"),
    ],
)
def test_a_report_without_a_prefix_is_looked_for_with_and_without_a_slash(key: str, location: str) -> None:
    source = AwsCurSettings.model_validate({"name": "a", "kind": "aws_cur", "location": "s3://acme-billing", **KEYS})
    report = FoundReport("aws_cur", "s3://acme-billing/hourly", "hourly", "")
    with mock_aws():
        client = boto3.session.Session().client(
            "s3", region_name="us-east-1", aws_access_key_id="AKIAOWN", aws_secret_access_key="s3cret"
        )
        client.create_bucket(Bucket="acme-billing")
        client.put_object(Bucket="acme-billing", Key=key, Body=b"{}")
        assert as_it_lies(source, report).location == location
        below = FoundReport("aws_cur", "s3://acme-billing/cur/hourly", "hourly", "")
        assert as_it_lies(source, below) is below
