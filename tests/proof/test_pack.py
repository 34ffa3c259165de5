"""A month-close pack holds what the lake says of a month, and comes out the same byte for byte."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path

from tests.demo import Told, command


def test_a_pack_is_the_same_twice_and_says_what_the_lake_says(demo: Told, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        done = command("pack", "2026-09", "--output", str(tmp_path / name), "--config", demo.config)
        assert done.exit_code == 0, done.stderr
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()

    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = [file["name"] for file in manifest["files"]]
        assert archive.namelist() == [*names, "manifest.json"]
        for file in manifest["files"]:
            content = archive.read(file["name"])
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert len(list(csv.reader(io.StringIO(content.decode())))) == file["rows"] + 1
        summary = list(csv.DictReader(io.StringIO(archive.read("summary.csv").decode())))
        focus = list(csv.DictReader(io.StringIO(archive.read("focus.csv").decode())))
        receipts = list(csv.DictReader(io.StringIO(archive.read("receipts.csv").decode())))

    assert [(row["source"], row["difference"]) for row in summary] == [
        ("acme-oci", "0"),
        ("acme-payer", "0"),
        ("globex-payer", "0"),
    ]
    says = demo.query("select source, billed_cost from marts.bill_status where billing_period = date '2026-09-01' order by 1")
    assert [(row["source"], Decimal(row["billed_cost"])) for row in summary] == [
        (row["source"], Decimal(row["billed_cost"])) for row in says
    ]
    assert {row["billing_period"] for row in receipts} == {"2026-09-01"}
    # The FOCUS rows, which no mart of this lake holds, are the bill too.
    billed = {row["source"]: Decimal(0) for row in summary}
    for row in focus:
        billed[row["source"]] += Decimal(row["billed_cost"])
    assert billed == {row["source"]: Decimal(row["billed_cost"]) for row in summary}


def test_a_month_that_is_not_there_leaves_the_old_archive(demo: Told, tmp_path: Path) -> None:
    target = tmp_path / "pack.zip"
    target.write_bytes(b"old")
    for month, says in (("2026-12", "The lake holds nothing of 2026-12."), ("2026-13", "is no month")):
        done = command("pack", month, "--output", str(target), "--config", demo.config)
        assert done.exit_code != 0
        assert says in " ".join(done.stderr.split())
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
    done = command("pack", "2026-09", "--output", str(tmp_path / "no" / "pack.zip"), "--config", demo.config)
    assert (done.exit_code, "There is no folder" in done.stderr) == (2, True)
