"""The benchmarks run, on bills too small to say anything about speed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from benchmarks import commands, everything, history, latency, proof
from benchmarks.measuring import Measured
from tests.demo import Told

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    """A benchmark's stdout."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_load_is_measured_beside_two_copies(tmp_path: Path) -> None:
    told = run("benchmarks.load_csv", "--rows", "2000", "--rounds", "1", "--out", str(tmp_path))

    assert "2,000 rows" in told
    rows = [line for line in told.splitlines() if line.startswith(("| cost-lakehouse", "| polars", "| DuckDB"))]
    assert len(rows) == 3


def test_a_load_of_oci_s_reports_is_measured_beside_two_copies(tmp_path: Path) -> None:
    told = run("benchmarks.load_oci", "--rows", "2000", "--rounds", "1", "--out", str(tmp_path))

    assert "2,048 rows in 124 files" in told
    assert "2,000 rows in 1 file," in told
    rows = [line for line in told.splitlines() if line.startswith(("| cost-lakehouse", "| polars", "| DuckDB"))]
    assert len(rows) == 6


def test_a_load_of_an_export_is_measured_beside_two_copies_and_csv(tmp_path: Path) -> None:
    told = run("benchmarks.load_parquet", "--rows", "2000", "--rounds", "1", "--out", str(tmp_path))

    assert "2,000 rows" in told
    rows = [line for line in told.splitlines() if line.startswith(("| cost-lakehouse", "| polars", "| DuckDB"))]
    assert len(rows) == 4


def test_a_load_into_s3_is_measured_beside_one_into_a_folder(tmp_path: Path) -> None:
    told = run("benchmarks.load_s3", "--rows", "2000", "--rounds", "1", "--out", str(tmp_path))

    rows = [line for line in told.splitlines() if line.startswith("| into")]
    assert [line.split("|")[1].strip() for line in rows] == [
        "into a folder, catalog in SQLite",
        "into S3, catalog in PostgreSQL",
    ]


def test_the_fleet_says_what_many_writers_and_postgresql_cost() -> None:
    told = run("benchmarks.fleet", "--writers", "2", "--months", "2", "--rows", "1000")

    # A listing and a manifest of each writer; of the changed month one file, and the same look again.
    assert re.search(r"\| one source of all writers \| [\d.]+ \| 3 \|", told)
    assert re.search(r"\| a source of each writer \| [\d.]+ \| 2 \|", told)
    assert "1,000 rows of daily costs in a real PostgreSQL" in told
    assert told.count("| 1.00 |") >= 2


def test_a_mirror_is_measured_beside_rclone(tmp_path: Path) -> None:
    told = run("benchmarks.mirror", "--objects", "5", "--bytes", "1000", "--rounds", "1", "--out", str(tmp_path))

    rows = [line for line in told.splitlines() if line.startswith(("| cost-lakehouse", "| rclone"))]
    assert [line.split("|")[1].partition(",")[2].strip() for line in rows] == ["everything is new", "nothing has changed"] * 2


def test_the_cost_of_history_is_told_as_a_ratio_to_the_shortest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def took(module: str, config: str, *first: str) -> Measured:
        """As if the lake with one month more needed half as long again; a real refresh is what many other tests do."""
        seconds = 3.0 if "history-200-1" in config else 2.0
        return Measured(seconds, seconds, seconds, 0, {"load": seconds / 2, "summarise": seconds / 2, "seconds": seconds})

    monkeypatch.setattr(history, "measure", took)
    monkeypatch.setattr(
        "sys.argv", ["history", "--rows", "200", "--history", "0", "1", "--rounds", "3", "--out", str(tmp_path)]
    )

    assert history.main() == 0

    told = capsys.readouterr().out
    assert "| no history | 1.0 | 1.0 | 2.0 | 1.00 |" in told
    assert "| 1 months of history | 1.5 | 1.5 | 3.0 | 1.50 |" in told
    assert sorted(path.name for path in tmp_path.rglob("lakehouse.yaml")) == ["lakehouse.yaml"] * 2


def test_everything_is_told_beside_the_load_and_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def took(module: str, _: str, *first: str) -> Measured:
        """As if loading took 4 seconds, summaries 3, and grouping 2: a real refresh is what many other tests do."""
        said = {"load": 4.0, "summarise": 3.0}
        return Measured(7.0, 9.0, 9.0, 500_000_000, dict(said)) if first else Measured(2.0, 3.0, 3.0, 0, {})

    monkeypatch.setattr(everything, "measure", took)
    monkeypatch.setattr(everything, "sample_bill", lambda *_: tmp_path / "report")
    monkeypatch.setattr("sys.argv", ["everything", "--rows", "1000", "--rounds", "1", "--out", str(tmp_path)])

    assert everything.main() == 0
    assert "| 1,000 | 4.0 | 3.0 | 7.0 | 1.75 | 2.0 | 1.50 | 500 MB |" in capsys.readouterr().out


def test_every_question_is_told_beside_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, object] = {"load": 4.0, "diff": 1.0, "first explain": 6.0, "explain": 2.0, "export": 5.0}
    monkeypatch.setattr(proof, "measure", lambda *_: Measured(18.0, 20.0, 20.0, 0, said))
    monkeypatch.setattr("sys.argv", ["proof", "--rows", "1000", "--rounds", "1", "--out", str(tmp_path)])

    assert proof.main() == 0
    told = capsys.readouterr().out
    assert "| diff, 1,000 rows | 1.00 | 0.25 |" in told
    assert "| export, 1,000 rows | 5.00 | 1.25 |" in told


def test_every_command_is_told_beside_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def took(_: Path, words: Sequence[str], *__: object) -> commands.Took:
        return commands.Took(1.0, 1.0) if words == ("--help",) else commands.Took(3.0, 2.5)

    monkeypatch.setattr(commands, "command", took)
    monkeypatch.setattr(commands, "sample_bill", lambda *_: tmp_path / "report")
    monkeypatch.setattr("sys.argv", ["commands", "--rounds", "1", "--out", str(tmp_path)])

    assert commands.main() == 0
    told = capsys.readouterr().out
    assert "| `status` | 3.0 | 2.5 | 2.5 |" in told
    assert len([row for row in told.splitlines() if row.startswith("| `")]) == 1 + len(commands.COMMANDS)


def test_many_small_loads_are_measured_at_the_start_in_the_middle_and_at_the_end(tmp_path: Path) -> None:
    told = run("benchmarks.small_loads", "--loads", "5", "--payers", "3", "--out", str(tmp_path))

    assert "5 loads of 150 rows, 3 payers" in told
    assert [line.split("|")[1].strip() for line in told.splitlines()[4:7]] == ["10th", "median", "last"]


def test_large_bills_are_loaded_again_and_by_workers(tmp_path: Path) -> None:
    told = run("benchmarks.scale", "--rows", "2000", "--files", "3", "--rounds", "1", "--out", str(tmp_path))

    assert "133 columns, gzip CSV in 3 files" in told
    rows = [line.split("|")[1].strip() for line in told.splitlines() if line.startswith(("| first", "| delivered"))]
    assert rows == [
        "first load, one process with all cores",
        "delivered again, one file has changed",
        "first load, two workers",
    ]


def test_a_soak_finds_every_total_exact(tmp_path: Path) -> None:
    small = ("--payers", "2", "--months", "2", "--days", "3", "--files", "2", "--rows", "5", "--no-summaries")

    told = run("benchmarks.soak", *small, "--out", str(tmp_path))

    assert "14 times every slice was summed; 0 totals or states were wrong." in told
    assert "killed 1, killed before its end 1, missing 1, none 30, older 1, refused 1, same 1, torn 1" in told


def a_report(folder: Path, *months: str) -> Path:
    """A report's folder with a delivery a month: one data file, its own manifest, and the month's."""
    for month in months:
        assembly = folder / "report" / f"{month}01-20270101" / "20261101T000000Z"
        assembly.mkdir(parents=True)
        for file in (
            assembly / "part-00001.csv.gz",
            assembly / "report-Manifest.json",
            assembly.parent / "report-Manifest.json",
        ):
            file.write_text(month, encoding="utf-8")
    return folder / "report"


def test_a_delivery_arrives_whole_with_its_manifest_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, watched = a_report(tmp_path, "202609", "202610"), tmp_path / "watched"
    watched.mkdir()
    seen: list[list[str]] = []

    def clock() -> float:
        seen.append(sorted(path.relative_to(watched).as_posix() for path in watched.rglob("*") if path.is_file()))
        return 7.0

    monkeypatch.setattr(time, "monotonic", clock)

    assert latency.deliver(report, watched, date(2026, 10, 1)) == 7.0
    files = [f"20261001-20270101/20261101T000000Z/{name}" for name in ("part-00001.csv.gz", "report-Manifest.json")]
    assert seen == [files]  # when the clock was read, all but the manifest was there
    there = sorted(path.relative_to(watched).as_posix() for path in watched.rglob("*") if path.is_file())
    assert there == [*files, "20261001-20270101/report-Manifest.json"]


def test_what_never_arrives_ends_the_wait() -> None:
    with pytest.raises(RuntimeError, match="nothing was there within 0 s"):
        latency.wait_for(lambda: False, time.monotonic() - 1, longest=0)


def test_the_latency_of_a_delivery_is_told_without_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    took = iter([90.0, 120.0, 20.0, 40.0, 21.0, 44.0])

    @contextmanager
    def no_dagster(_: Path) -> Iterator[None]:
        """Starting it, and what it does, is what tests of production do."""
        yield

    monkeypatch.setattr(latency, "sample_bill", lambda folder, *_: a_report(folder, "202608", "202609", "202610"))
    monkeypatch.setattr(latency, "dagster_dev", no_dagster)
    monkeypatch.setattr(latency, "wait_for", lambda *_: next(took))
    monkeypatch.setattr("sys.argv", ["latency", "--rounds", "2", "--out", str(tmp_path)])

    assert latency.main() == 0
    told = capsys.readouterr().out
    assert "| on record in raw.receipts | 20.5 | 21.0 |" in told
    assert "| published in every mart | 42.0 | 44.0 |" in told


def test_the_models_are_measured_beside_a_plain_grouping(demo: Told) -> None:
    *table, last = run("benchmarks.models", demo.config).splitlines()
    said = json.loads(last)

    assert any(line.startswith("| int_costs__daily_summary |") for line in table)
    assert said["ratio"] == pytest.approx(said["seconds"] / said["floor"])
