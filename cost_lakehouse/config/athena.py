"""Where a bill lies in Athena, and how much reading it there may cost: ``athena`` of a source."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from cost_lakehouse.config.oci import Address
from cost_lakehouse.config.yaml_file import Strict

WINDOW_DAYS = 7


def _is_name(value: str) -> str:
    # A quotation mark would end the name in the SQL that is sent.
    if not re.fullmatch(r"[^\"`'\\\s]{1,255}", value):
        raise ValueError("write the name as the Glue catalog has it, without quotation marks and blanks")
    return value


def _is_results(value: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^'\s]*)?", value):
        raise ValueError("write s3://bucket/prefix")
    return value.rstrip("/")


Name = Annotated[str, AfterValidator(_is_name)]


class AthenaSettings(Strict):
    """A Cost and Usage Report's table (legacy or CUR 2.0), who runs the queries, and where their results go."""

    database: Name
    table: Name
    workgroup: Name = "primary"
    catalog: Name = "AwsDataCatalog"
    region: str | None = None  # Athena's; None: the source's
    # s3://bucket/prefix for results. None: the workgroup's own place, and results come page by page.
    results: Annotated[str, AfterValidator(_is_results)] | None = None
    window_days: int = Field(WINDOW_DAYS, ge=1, le=31)  # days of usage that one query reads
    unload: bool | None = None  # None: Parquet files where there are `results` and Athena may write there, else pages
    max_scanned_gb: float | None = Field(None, gt=0)  # for one load of one month
    price_per_tb: Decimal = Field(Decimal(5), ge=0)
    endpoint: Address | None = None

    @model_validator(mode="after")
    def _unload_has_a_place(self) -> AthenaSettings:
        if self.unload and self.results is None:
            raise ValueError("unload needs results: s3://bucket/prefix to write the Parquet files to")
        return self

    @property
    def label(self) -> str:
        """The table for people."""
        return f"{self.database}.{self.table}"
