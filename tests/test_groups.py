"""Tests that share something costly run in one process, the others file by file."""

from __future__ import annotations

import pytest

from tests.groups import group_of


def test_tests_of_several_files_share_one_trino_and_one_demo() -> None:
    assert group_of(["tmp_path", "production", "trino_server"], "tests/dbt/test_build_on_trino.py") == "trino"
    assert group_of(["trino_server"], "tests/lake/test_trino_client.py") == "trino"
    assert group_of(["demo", "example"], "tests/docs/test_examples.py") == "demo"


def test_tests_of_one_file_share_its_fixtures() -> None:
    assert group_of(["tmp_path"], "tests/formats/test_focus.py") == "tests/formats/test_focus.py"


def test_every_test_of_a_run_has_a_group(request: pytest.FixtureRequest) -> None:
    groups = {each.nodeid: each.get_closest_marker("xdist_group") for each in request.session.items}
    assert [name for name, group in groups.items() if group is None] == []
