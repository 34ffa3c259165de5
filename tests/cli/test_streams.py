"""Output that cannot be written or encoded ends in one line with cause and fix."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cost_lakehouse.cli.answers import Answer, print_answer
from cost_lakehouse.cli.streams import stream_errors
from cost_lakehouse.errors import CostLakehouseError


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, output: str) -> str:
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    with stream_errors():
        print_answer(Answer(["größe", "b"], ["VARCHAR", "VARCHAR"], iter([["a€b", "x\ny"]])), output)
    raw = out.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(encoding)


def test_a_result_is_the_same_in_every_encoding_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, "utf-8", "csv") == 'größe,b\na€b,"x\ny"\n'
    assert printed(monkeypatch, "utf-8", "json") == '[\n{"größe": "a€b", "b": "x\\ny"}\n]\n'
    assert printed(monkeypatch, "latin-1", "json") == '[\n{"gr\\u00f6\\u00dfe": "a\\u20acb", "b": "x\\ny"}\n]\n'
    with pytest.raises(CostLakehouseError, match=r"holds '\\u20ac', which stdout's encoding latin-1 has not") as told:
        printed(monkeypatch, "latin-1", "csv")
    assert "PYTHONIOENCODING=utf-8" in told.value.fix


def test_a_table_for_people_is_shown_as_far_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, "latin-1", "table").splitlines() == ["größe  b", "----------", "a\\u20acb    x y"]
    assert printed(monkeypatch, "utf-8", "table").splitlines() == ["größe  b", "──────────", "a€b    x⏎y"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a device that is always full")
def test_a_full_disk_is_told_and_a_reader_that_has_gone_is_not(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "cost_lakehouse.cli", "--help"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        told = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert told.returncode == 1
    assert told.stderr.splitlines()[0] == "Error: The output cannot be written: No space left on device."
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(call, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    os.close(writing)
    assert gone.stderr == ""
