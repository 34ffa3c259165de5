"""A service that cannot be had fails CI, and is skipped elsewhere with the reason shown."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.services.or_skip import or_skip
from tests.services.process import ServiceError


def get_nothing() -> NoReturn:
    raise ServiceError("no route to the registry")


def test_ci_fails_where_a_service_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(ServiceError, match="no route"):
        or_skip(get_nothing)


def test_a_developers_own_run_goes_on_without_it_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no route to the registry"):
        or_skip(get_nothing)
