"""The places that discovery is tried on: each case runs on a folder and on a real S3 server."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.services.s3 import S3Server
from tests.sources.places import FolderPlace, Place, Report, S3Place


@pytest.fixture(params=["folder", "s3"])
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if store_kind == "folder":
        return FolderPlace(tmp_path / "bucket")
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Place(server, request.getfixturevalue("s3_shared_bucket"), f"{uuid.uuid4().hex[:12]}/", tmp_path)


@pytest.fixture
def report(place: Place) -> Report:
    return Report(place)


@pytest.fixture
def folder_report(tmp_path: Path) -> Report:
    return Report(FolderPlace(tmp_path / "bucket"))
