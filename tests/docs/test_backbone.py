"""docs/backbone.md: its reader is run on what a lakehouse pushed. Costs one small load, and no build."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_lakehouse.publish.backbone.push import push
from tests.docs.pages import ROOT
from tests.publish.backbone.lakes import OCTOBER, PushingLake

PAGE = ROOT / "docs" / "backbone.md"


def reader() -> str:
    """The page's Python."""
    return PAGE.read_text().partition("```python\n")[2].partition("```")[0]


def test_the_reader_has_at_most_twenty_lines_and_reads_the_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = PushingLake(tmp_path, [{"name": "pane", "to": "costs", "writer": "acme-eu"}])
    made.publish(OCTOBER, ["1.25", "2.5"])
    push(made.lake, made.target("pane"))
    monkeypatch.chdir(tmp_path)

    exec(compile(reader(), str(PAGE), "exec"), {})  # noqa: S102 - the page's own code

    assert len(reader().splitlines()) <= 20
    assert "3.75000000000000000000" in capsys.readouterr().out


def test_the_reader_notices_a_file_that_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = PushingLake(tmp_path, [{"name": "pane", "to": "costs", "writer": "acme-eu"}])
    made.publish(OCTOBER, ["1.25"])
    push(made.lake, made.target("pane"))
    (file,) = (tmp_path / "costs").rglob("*.parquet")
    file.write_bytes(file.read_bytes() + b"x")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AssertionError, match="daily_costs-"):
        exec(compile(reader(), str(PAGE), "exec"), {})  # noqa: S102 - the page's own code
