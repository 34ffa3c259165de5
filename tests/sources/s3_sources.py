"""Sources in a bucket for the tests, and what a refused one is told as."""

from __future__ import annotations

from typing import Any

import pytest

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.s3_store import S3Store
from tests.services.s3 import S3Server

SECRET = "wJalrXUtnFEMIverysecretKEY"


def source_of(server: S3Server, bucket: str, **other: Any) -> AwsCurSettings:
    given = {
        "name": "acme-payer",
        "kind": "aws_cur",
        "location": f"s3://{bucket}/cur/hourly",
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
    }
    return AwsCurSettings.model_validate({key: value for key, value in {**given, **other}.items() if value is not None})


def refused(source: AwsCurSettings) -> SourceError:
    """What listing this source is told as."""
    with pytest.raises(SourceError) as caught:
        list(S3Store.of(source, attempts=1).list("cur/"))
    return caught.value
