"""The official FOCUS validator as a gate: fails on what it finds that is not waived, whatever its own exit code says.

It needs an environment of its own (`focus_validator_pins.txt`) and Python 3.12; `.ci/run` gives it both::

    python tests/publish/focus_gate.py EXPORT-FOLDER...

A folder is a month of a source as ``export focus`` writes it. Nothing is downloaded: the rules come with the package. Rules
that fail on good rows are waived in ``focus_validator_waivers.json``, each with the reason; a waiver that no folder needs any
more fails too. Composite rules are judged by the rules that they are made of.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

WAIVERS = Path(__file__).with_name("focus_validator_waivers.json")
MODEL = "1.2.0.1"
FEWEST_RULES = 350
"""Of the model's rules so many run on rows (the others are prose); fewer would be a rule set that was left out unseen."""


@dataclass(frozen=True)
class Verdict:
    """What the validator found on one file: how many rules ran, and the ids of those that failed, composites left out."""

    ran: int
    failed: frozenset[str]


def verdict_of(report: str) -> Verdict:
    """Read the validator's report, which is XML as unit tests write it. Pure."""
    ran, failed = 0, set()
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - a file that we made
        parts = (case.get("name") or "").split(" :: ")
        ran += case.find("skipped") is None
        if case.find("failure") is not None and parts[-1] != "Composite":
            failed.add(parts[0])
    return Verdict(ran, frozenset(failed))


def objections(verdicts: Sequence[tuple[str, Verdict]], waived: Collection[str]) -> Iterator[str]:
    """Everything for which the gate stays shut, a line each; ``verdicts`` are by the name of what was looked at. Pure."""
    for name, verdict in verdicts:
        if verdict.ran < FEWEST_RULES:
            yield f"{name}: {verdict.ran} rules ran, fewer than {FEWEST_RULES}"
        for rule in sorted(verdict.failed - set(waived)):
            yield f"{name}: {rule} failed"
    needed = {rule for _, verdict in verdicts for rule in verdict.failed}
    for rule in sorted(set(waived) - needed):
        yield f"{rule} is waived, and nothing needs it: remove it from {WAIVERS.name}"


def validate(file: Path) -> str:
    """The validator's report on a file. Raises SystemExit where it did not come to one."""
    spec = find_spec("focus_validator")
    if spec is None or spec.origin is None:
        raise SystemExit("focus-validator is not in this environment: see .ci/run.")
    with tempfile.TemporaryDirectory() as folder:
        # It looks for its list of currencies below the folder that it runs in.
        rules = Path(folder) / "focus_validator" / "rules"
        rules.mkdir(parents=True)
        shutil.copy(Path(spec.origin).parent / "rules" / "currency_codes.csv", rules)
        report = Path(folder) / "report.xml"
        command = [
            str(Path(sys.executable).with_name("focus-validator")),
            "--data-file",
            str(file.resolve()),
            "--block-download",
        ]
        command += ["--validate-version", MODEL, "--applicability-criteria", "ALL"]
        command += ["--output-type", "unittest", "--output-destination", str(report)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or not report.exists():
            raise SystemExit(f"focus-validator did not run on {file}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return report.read_text(encoding="utf-8")


def main(folders: Sequence[str]) -> int:
    """The exit code: 1 where something is objected to."""
    verdicts = []
    for folder in map(Path, folders):
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for entry in manifest["files"]:
            verdict = verdict_of(validate(folder / entry["path"]))
            verdicts.append((f"{manifest['source']} {manifest['month']}", verdict))
            print(f"{verdicts[-1][0]}: {verdict.ran} rules ran on {entry['rows']} rows, {len(verdict.failed)} failed")
    found = list(objections(verdicts, json.loads(WAIVERS.read_text(encoding="utf-8"))))
    print("\n".join(found) if found else "Nothing failed that is not waived.")
    return 1 if found or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
