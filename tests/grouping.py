"""What kind of test a test is, and which files come first: a run is as long as its last file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath

MARKS = {
    "unit": "functions and classes by themselves, with small files at most",
    "embedded": "a lake in a folder, dbt on DuckDB, Dagster or the command in this process: no server",
    "integration": "a real server on this machine: Trino, S3, PostgreSQL, or a cloud's API over HTTP",
    "end_to_end": "whole pipelines as people run them: the command's processes, the demo, the deployment, kill -9",
}
# What is end to end wherever it lies, by its file or its fixtures.
END_TO_END_FILES = {"tests/deploy/test_by_hand.py", "tests/services/test_by_hand.py", "tests/alerts/test_killed.py"}
END_TO_END_FIXTURES = {"demo"}
SERVERS = {"trino_server", "postgres_server", "s3_server", "oci_server", "athena"}
# Parameters by which a fixture chooses a server.
SERVER_PARAMETERS = ("s3", "postgresql")
# Folders (and files beside them) of pure functions; every other one makes lakes.
UNIT = {"audit", "deploy", "docs", "formats", "importers", "sample_bills", "services", "config", "sources"}
# The longest files, longest first: at least half a minute each on two cores. Of those that look at the demo only one is here:
# it is told once for all, and who comes meanwhile waits. So are both engines' lakes, which the first file makes.
LONGEST: tuple[str, ...] = (
    "tests/end_to_end/test_engines_agree.py",
    "tests/end_to_end/test_production_survives.py",
    "tests/deploy/test_by_hand.py",
    "tests/cli/test_demo.py",
    "tests/summaries/test_own_models.py",
    "tests/dbt/test_dbt_project.py",
    "tests/proof/test_closed_months.py",
    "tests/docs/test_examples.py",
    "tests/summaries/test_deliveries_agree.py",
    "tests/mirror/test_killed.py",
    "tests/sources/test_athena.py",
    "tests/serve/test_on_trino.py",
)


def mark_of(file: str, fixtures: Collection[str], parameters: Collection[object] = ()) -> str:
    """The mark of a test of that file (from the project's root), by what it uses."""
    folder = PurePath(file).parts[1]
    if folder == "end_to_end" or file in END_TO_END_FILES or END_TO_END_FIXTURES.intersection(fixtures):
        return "end_to_end"
    chosen = [word for value in parameters if isinstance(value, str) for word in value.split()]
    if SERVERS.intersection(fixtures) or any(word in SERVER_PARAMETERS for word in chosen):
        return "integration"
    return "unit" if folder in UNIT else "embedded"


def place_of(file: str) -> int:
    """Where a file comes in the order of the run; what is short shares the last place, and keeps its order there."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)
