"""Sources put into the text of a lakehouse.yaml: after those that are there, with everything else as it was written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cost_lakehouse.config.source import source_settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.importers.drafts import Draft
from cost_lakehouse.importers.yaml_text import as_yaml, with_sources


def draft(name: str = "new", comments: tuple[str, ...] = ("From a file.",), **values: Any) -> Draft:
    given = {"kind": "aws_cur", "location": f"s3://b/cur/{name}", **values}
    return Draft(name, "aws[0]", given, comments, {}, source_settings({"name": name, **given}))


ADDED = """\
  # From a file.
  - name: new
    kind: aws_cur
    location: s3://b/cur/new
"""
BEFORE = """\
# a file of ours
lake:
  first_month: 2026-01   # kept

sources:
  # the first
  - name: old     # its name
    kind: aws_cur
    location: "s3://b/cur/old" # where
    # region: us-east-1
"""
AFTER = """\

  # others, commented out:
  # - name: other

alerts: {lateness: {after: 36h}}
"""


def test_they_stand_after_the_last_source_and_its_comments() -> None:
    assert with_sources(BEFORE + AFTER, [draft()]) == BEFORE + ADDED + AFTER


def test_several_at_the_files_end() -> None:
    two = with_sources(BEFORE, [draft(), draft("newer")])
    assert two.startswith(BEFORE + ADDED)
    assert [item["name"] for item in yaml.safe_load(two)["sources"]] == ["old", "new", "newer"]


def test_a_list_at_the_margin_stays_there() -> None:
    text = "sources:\n- name: old\n  kind: aws_cur\n  location: s3://b/p/r\nlake: {}\n"
    made = with_sources(text, [draft()])
    assert made == text.replace("lake: {}\n", "") + "".join(f"{line[2:]}\n" for line in ADDED.splitlines()) + "lake: {}\n"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", f"sources:\n{ADDED}"),
        ("lake: {}", f"lake: {{}}\nsources:\n{ADDED}"),
        ("lake: {}\n...\n", f"lake: {{}}\nsources:\n{ADDED}...\n"),
        ("sources:\nlake: {}\n", f"sources:\n{ADDED}lake: {{}}\n"),
        ("sources: # none yet\nlake: {}\n", f"sources: # none yet\n{ADDED}lake: {{}}\n"),
        ("sources: []  # none yet\nlake: {}\n", f"sources:  # none yet\n{ADDED}lake: {{}}\n"),
        ("sources: []", f"sources:\n{ADDED}"),
        ("sources:\n  - {name: old}\n", f"sources:\n  - {{name: old}}\n{ADDED}"),
        ("sources:\n  - {name: old,\n     kind: a}\nlake: 1", f"sources:\n  - {{name: old,\n     kind: a}}\n{ADDED}lake: 1"),
        ("sources:\n  - name: |\n      old\n\nlake: 1\n", f"sources:\n  - name: |\n      old\n\n{ADDED}lake: 1\n"),
        ("sources:\n  - name: old", f"sources:\n  - name: old\n{ADDED}"),
    ],
)
def test_however_the_file_is_written(text: str, made: str) -> None:
    assert with_sources(text, [draft()]) == made


def test_line_ends_of_windows_stay() -> None:
    text = BEFORE.replace("\n", "\r\n")
    assert with_sources(text, [draft()]) == text + ADDED.replace("\n", "\r\n")


@pytest.mark.parametrize("text", ["sources: [{name: old}]\n", "{lake: {}}\n", "- 1\n", "sources: old\n"])
def test_what_would_have_to_be_rewritten_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        with_sources(text, [draft()])


def test_a_comment_cannot_become_a_key_and_a_value_stays_a_text() -> None:
    made = as_yaml([draft(comments=("From\nlake: evil",), role_arn=("arn:aws:iam::111122223333:role/a",), region="no")])
    (read,) = yaml.safe_load(made)
    assert read == {
        "name": "new",
        "kind": "aws_cur",
        "location": "s3://b/cur/new",
        "role_arn": ["arn:aws:iam::111122223333:role/a"],
        "region": "no",
    }
