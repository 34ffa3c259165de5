"""What ``doctor`` says of clusters: of their files, and of the API that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.config import Settings
from tests.clusters.test_prometheus import LABELS, MATCH, Server
from tests.clusters.test_prometheus import server as prometheus

server = prometheus


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "kept").mkdir()
    yield tmp_path
    assert list((tmp_path / "kept").glob("*.json")) == []  # nothing is kept of what was tried


def doctor(folder: Path, **cluster: Any) -> Finding:
    source = {"name": "acme", "kind": "aws_cur", "location": "bills"}
    given = {"name": "blue", "source": "acme", **cluster}
    settings = Settings.model_validate(
        {"base": folder, "file": folder / "lakehouse.yaml", "sources": [source], "clusters": [given]}
    )
    return examine_one("cluster", dict(checks(settings))["cluster blue"])


def test_a_cluster_s_files_are_counted_and_none_is_said(folder: Path) -> None:
    (folder / "kept" / "README.md").write_text("about it", encoding="utf-8")
    empty = doctor(folder, location="kept")
    (folder / "kept" / "000000.gz").write_bytes(b"x")

    assert (empty.state, empty.says) == ("warning", "kept has no file that says what ran")
    assert (doctor(folder, location="kept").state, doctor(folder, location="kept").says) == (
        "ok", "kept has 1 files that say what ran",
    )  # fmt: skip
    assert doctor(folder, location="nowhere").state == "failed"
    assert doctor(folder).says == "split by the split rows of acme's bill alone"


def test_a_prometheus_is_asked_for_the_last_day(server: Server, folder: Path) -> None:
    asked = {"location": "kept", "labels": LABELS, "prometheus": {"url": server.url, "match": MATCH}}
    found = doctor(folder, **asked)
    server.lacks = ("nodes",)
    lacking = doctor(folder, **asked)
    server.authorization = "Bearer a-token"
    refused = doctor(folder, **asked)

    assert (found.state, found.says.startswith(f"{server.url} says what ran on ")) == ("ok", True)
    assert (lacking.state, "has no kube_node_info of" in lacking.says) == ("failed", True)
    assert (refused.state, "refuses who asks (HTTP 401)" in refused.says) == ("failed", True)


def test_an_opencost_that_is_not_there_is_said(folder: Path) -> None:
    found = doctor(folder, location="kept", url="http://127.0.0.1:9")
    assert (found.state, found.says) == ("failed", "http://127.0.0.1:9 does not answer: ConnectionError.")
