"""Commands import only what they use: by modules, as time differs from machine to machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "boto3",
    "botocore",
    "dagster",
    "dbt",
    "duckdb",
    "oci",
    "pandas",
    "polars",
    "pyarrow",
    "pyiceberg",
    "sqlalchemy",
    "trino",
)
CALLS = """
import sys
from typer.testing import CliRunner
from cost_lakehouse.cli.app import app
for call in sys.argv[2:]:
    result = CliRunner().invoke(app, call.split("|"))
    print(result.exit_code, call)
print(" ".join(name for name in sys.argv[1].split(",") if name in sys.modules))
"""


def called(folder: Path, *calls: str) -> tuple[list[str], set[str]]:
    """The commands' exit codes, run one after the other in one new process, and which heavy modules it imported."""
    told = subprocess.run(
        [sys.executable, "-c", CALLS, ",".join(HEAVY), *calls], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line.split()[0] for line in told[: len(calls)]], set(told[len(calls)].split())


@pytest.fixture
def lakehouse(tmp_path: Path) -> Path:
    (tmp_path / "bills").mkdir()
    text = "lake: {first_month: 2026-10}\nsources:\n- {name: acme, kind: aws_cur, location: bills}\n"
    (tmp_path / "lakehouse.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text("lake: {colour: red}\n", encoding="utf-8")
    return tmp_path


def test_wrong_usage_is_answered_before_anything_is_imported(lakehouse: Path) -> None:
    calls = [
        "--help",
        "--version",
        "run|--month|2026-13",
        "run|--month|2026-09",
        "run|--kind|nope",
        "discover|--source|nope",
        "discover|--month|october",
        *(
            f"{command}|--config|{file}"
            for file in ("wrong.yaml", "none.yaml")
            for command in ("status", "run", "doctor", "mirror")
        ),
        "query|select 1|--config|wrong.yaml",
        "query| ",
    ]
    codes, imported = called(lakehouse, *calls)
    assert codes == ["0", "0", *["2"] * (len(calls) - 2)]
    assert imported == set()


def test_a_query_imports_neither_dagster_nor_dbt_nor_boto3(lakehouse: Path) -> None:
    codes, imported = called(lakehouse, "query|select 1")
    assert codes == ["0"]
    assert imported == {"duckdb", "pyarrow", "pyiceberg", "sqlalchemy"}


def test_status_and_discover_import_neither_dagster_nor_dbt_nor_boto3(lakehouse: Path) -> None:
    codes, imported = called(lakehouse, "status", "discover", "status|--json")
    assert codes == ["0", "0", "0"]
    assert imported == {"duckdb", "pyarrow", "pyiceberg", "sqlalchemy"}
