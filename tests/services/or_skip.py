"""What a test does where a service cannot be had: CI fails, and a developer's own run goes on without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.services.process import ServiceError

Had = TypeVar("Had")


def or_skip(get: Callable[[], Had]) -> Had:
    """What ``get`` returns; where it raises ServiceError the test is skipped with its words, or fails if ``CI`` is set."""
    try:
        return get()
    except ServiceError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
