"""What runs print, kept in S3: for where the processes of Dagster share no files."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.orchestration.dagster_internals import ComputeLogManager, ConfigurableClassData

LOGS_VARIABLE = "COST_LAKEHOUSE_LOGS"
# While a step is running, what it printed so far is uploaded this often: a load of hours is not silent until its end.
UPLOAD_SECONDS = 30


def logs_in_s3(home: Path, inst_data: ConfigurableClassData | None) -> ComputeLogManager | None:
    """dagster-aws's log manager for ``COST_LAKEHOUSE_LOGS=s3://bucket/prefix``; None where the variable is not set.

    Credentials, region and endpoint are those that the AWS SDK finds by itself (a pod's role, ``AWS_ENDPOINT_URL_S3``).
    Raises ConfigurationError where the variable holds something else.
    """
    given = os.environ.get(LOGS_VARIABLE, "")
    if not given:
        return None
    place = urlsplit(given)
    if place.scheme != "s3" or not place.netloc or place.query or place.fragment:
        raise ConfigurationError(
            f"{LOGS_VARIABLE} is {given!r}, which is no place in S3.", "Write s3://bucket/prefix, or leave the variable out."
        )
    # Only here: the import takes seconds.
    from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

    return S3ComputeLogManager(
        bucket=place.netloc,
        prefix=place.path.strip("/") or "dagster",
        local_dir=str(home / "storage"),
        upload_interval=UPLOAD_SECONDS,
        inst_data=inst_data,
    )
