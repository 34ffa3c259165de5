"""The names that ``lake/tables.py`` knows until it takes every raw table from ``formats.table_format``."""

from __future__ import annotations

import pyarrow as pa

from cost_lakehouse.formats.raw_schema import MONEY, SLICE_FIELDS
from cost_lakehouse.formats.table_format import AWS_CUR

__all__ = ["MONEY", "SLICE_FIELDS", "aws_cur_schema"]


def aws_cur_schema() -> pa.Schema:
    """``raw.aws_cur``."""
    return AWS_CUR.schema
