"""Files stay together and the longest come first, and every test has one of four marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grouping import LONGEST, MARKS, mark_of, place_of

ROOT = Path(__file__).parents[1]


def test_a_mark_says_what_a_test_needs() -> None:
    assert mark_of("tests/formats/test_focus.py", ["tmp_path"]) == "unit"
    assert mark_of("tests/test_ingest.py", ["workshop"]) == "embedded"
    assert mark_of("tests/sources/test_discovery.py", ["place"], ["folder"]) == "unit"
    assert mark_of("tests/sources/test_discovery.py", ["place"], ["s3"]) == "integration"
    assert mark_of("tests/lake/test_replace.py", ["lake_options"], ["postgresql and a folder"]) == "integration"
    assert mark_of("tests/lake/test_replace.py", ["lake_options"], ["sqlite and a folder"]) == "embedded"
    assert mark_of("tests/dbt/test_build_on_trino.py", ["production", "trino_server"]) == "integration"
    assert mark_of("tests/end_to_end/test_killed_loads.py", []) == "end_to_end"
    assert mark_of("tests/docs/test_examples.py", ["example", "demo"]) == "end_to_end"


def test_the_longest_files_are_there_and_come_first() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
    assert place_of(LONGEST[0]) < place_of(LONGEST[-1]) < place_of("tests/formats/test_focus.py")


def test_every_test_of_a_run_has_exactly_one_mark(request: pytest.FixtureRequest) -> None:
    marks = {item.nodeid: [mark.name for mark in item.iter_markers() if mark.name in MARKS] for item in request.session.items}
    assert [name for name, found in marks.items() if len(found) != 1] == []


def test_the_longest_files_of_a_run_come_first(request: pytest.FixtureRequest) -> None:
    places = [place_of(item.nodeid.partition("::")[0]) for item in request.session.items]
    assert places == sorted(places)
