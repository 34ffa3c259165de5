"""Several questions that share one reading of the lines have the answers that each has by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost_lakehouse.ask.answer import Row, Total, rows_of
from cost_lakehouse.ask.dialects import DuckdbDialect
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.shared import Shared
from cost_lakehouse.ask.statement import marts_of, statement_of
from cost_lakehouse.errors import LakeError
from tests.ask.marts import Line, asked, marts_of_lines
from tests.ask.test_against_a_fold import OCTOBER, lines, requests


@settings(max_examples=40, deadline=None)
@given(found=st.lists(lines, max_size=10), questions=st.lists(requests(), min_size=2, max_size=4))
def test_each_answer_is_what_it_is_alone(found: list[Line], questions: list[Request]) -> None:
    alike = [question for question in questions if marts_of(question) == marts_of(questions[0])]
    shared = Shared("together", tuple(alike))

    with marts_of_lines(found) as connection:
        made = shared.statement(DuckdbDialect())
        connection.execute(made.sql, made.parameters)
        shared.check(connection.execute(shared.proof().sql).fetchall())
        answers: list[tuple[tuple[Row, ...], tuple[Total, ...]]] = []
        for question in alike:
            made = statement_of(question, DuckdbDialect(), shared.lines_of)
            answers.append(rows_of(question, connection.execute(made.sql, made.parameters).fetchall()))
        alone = [asked(connection, question) for question in alike]

    assert answers == alone


def test_sums_that_differ_from_question_to_question_are_no_answer() -> None:
    shared = Shared("together", (Request(bill_of(OCTOBER), groups=("service",)),))

    shared.check([(1, True, "USD", 2, "3.5"), (0, True, "USD", 2, "3.50")])
    with pytest.raises(LakeError, match="not the same by all"):
        shared.check([(1, True, "USD", 2, "3.5"), (0, True, "USD", 2, "3.6")])
