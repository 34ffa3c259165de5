"""What lakehouse.yaml may say of a table in Athena."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError

TABLE = {"database": "billing", "table": "cur"}


def settings_of(folder: Path, source: dict[str, Any]) -> Any:
    file = folder / "lakehouse.yaml"
    file.write_text(yaml.safe_dump({"sources": [{"name": "acme", **source}]}), encoding="utf-8")
    return load_settings(file)


def test_database_and_table_are_enough(tmp_path: Path) -> None:
    (source,) = settings_of(tmp_path, {"kind": "aws_athena", "athena": TABLE}).sources
    assert (source.athena.workgroup, source.athena.catalog, source.athena.window_days) == ("primary", "AwsDataCatalog", 7)
    assert (source.athena.price_per_tb, source.athena.max_scanned_gb, source.athena.unload) == (Decimal(5), None, None)
    assert source.place == "Athena, table billing.cur"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "aws_athena"}, "go together"),
        ({"kind": "aws_cur", "location": "bills", "athena": TABLE}, "go together"),
        ({"kind": "aws_athena", "location": "s3://bill", "athena": TABLE}, "reads a table"),
        ({"kind": "aws_athena", "athena": {"database": "billing"}}, "table"),
        ({"kind": "aws_athena", "athena": {**TABLE, "table": 'cur" union select'}}, "without quotation marks"),
        ({"kind": "aws_athena", "athena": {**TABLE, "results": "results"}}, "write s3://bucket/prefix"),
        ({"kind": "aws_athena", "athena": {**TABLE, "results": "s3://bucket/it's"}}, "write s3://bucket/prefix"),
        ({"kind": "aws_athena", "athena": {**TABLE, "unload": True}}, "unload needs results"),
        ({"kind": "aws_athena", "athena": {**TABLE, "window_days": 0}}, "greater than or equal to 1"),
        ({"kind": "aws_athena", "athena": {**TABLE, "max_scanned_gb": 0}}, "greater than 0"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        settings_of(tmp_path, wrong)
    assert said in str(told.value)
