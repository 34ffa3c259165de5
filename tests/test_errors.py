"""No message holds a secret, and none is made unreadable by a secret of one letter."""

from __future__ import annotations

import pytest

from cost_lakehouse.errors import without_secrets


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("Access to s3://acme-bills/a is denied", ["a"], "Access to s3://acme-bills/*** is denied"),
        ("key a, sent as 'a'", ["a"], "key ***, sent as '***'"),
        ("AKIA1234EXAMPLE in http://h/?k=xAKIA1234EXAMPLEx", ["AKIA1234EXAMPLE"], "*** in http://h/?k=x***x"),
        ("abc and abcdefghij", ["abc", "abcdefghij"], "*** and ***"),
        ("a.c is not abc", ["a.c"], "*** is not abc"),
        ("nothing", ["", "x"], "nothing"),
        ("the key is é", ["é"], "the key is ***"),
    ],
    ids=range(7),
)
def test_whole_values_are_masked(text: str, secrets: list[str], shown: str) -> None:
    assert without_secrets(text, secrets) == shown
