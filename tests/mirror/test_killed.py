"""A mirror that is killed half-way goes on where it was; and it needs little memory, whatever the size of an object."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cost_lakehouse.config.mirror import MEBIBYTE
from tests.environment import without_own_variables
from tests.mirror.conftest import Mirroring
from tests.mirror.test_mirror import content_of
from tests.services.oci import Fault

LARGE = "reports/cost-csv/large.csv.gz"
PART = 5 * MEBIBYTE


def start(mirroring: Mirroring) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.mirror.mirror_once", str(mirroring.config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=without_own_variables())


def kill_while_a_part_is_on_its_way(mirroring: Mirroring, number: int, before: int, whole: int = 0) -> list[str]:
    """Kill the mirror while that part waits, ``before`` others and ``whole`` objects are there; what it asked for."""
    hangs, others = threading.Event(), threading.Event()
    held = f"bytes={number * PART}-"
    fault = mirroring.cloud.fail(
        Fault(waits=hangs, times=99, matches=lambda seen: str(seen.headers.get("range", "")).startswith(held))
    )
    child = start(mirroring)
    try:
        while child.poll() is None and not (
            fault.happened and _parts_there(mirroring) >= before and len(mirroring.target.contents()) >= whole
        ):
            others.wait(0.05)
        assert child.poll() is None, "it ended by itself"
    finally:
        child.kill()
        child.communicate()
        hangs.set()
        mirroring.cloud.faults.clear()
    return mirroring.downloads()


def _parts_there(mirroring: Mirroring) -> int:
    target = mirroring.target
    if target.folder is not None:
        lists = list((target.folder / ".cost-lakehouse-mirror/partial").glob("*.parts"))
        return sum(len(candidate.read_text(encoding="ascii").splitlines()) - 1 for candidate in lists)
    assert target.server is not None
    client, (bucket, prefix) = target.server.client(), target.place
    uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", ())
    return sum(
        len(client.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", ()))
        for upload in uploads
    )


def test_a_killed_copy_goes_on_with_the_parts_that_are_missing(mirroring: Mirroring) -> None:
    content = content_of(4 * PART + 1000)
    mirroring.add(LARGE, content)
    kill_while_a_part_is_on_its_way(mirroring, number=2, before=4)
    assert mirroring.target.contents() == {}
    assert mirroring.target.unfinished() != []
    report = mirroring.run()
    assert mirroring.downloads() == [f"{LARGE} bytes={2 * PART}-{3 * PART - 1}"]
    assert mirroring.target.contents() == {LARGE: content}
    assert mirroring.target.unfinished() == []
    assert report.ok
    assert mirroring.run().skipped == 1


def test_parts_of_an_older_version_are_not_mixed_with_those_of_a_newer(mirroring: Mirroring) -> None:
    mirroring.add(LARGE, content_of(3 * PART))
    kill_while_a_part_is_on_its_way(mirroring, number=1, before=2)
    newer = content_of(3 * PART, 2)
    mirroring.cloud.add_object(mirroring.bucket, LARGE, newer)  # now
    assert mirroring.run().ok
    assert mirroring.target.contents() == {LARGE: newer}
    assert mirroring.target.unfinished() == []


def test_parts_that_were_cut_in_another_size_are_not_used(mirroring: Mirroring) -> None:
    content = content_of(3 * PART)
    mirroring.add(LARGE, content)
    kill_while_a_part_is_on_its_way(mirroring, number=1, before=2)
    mirroring.options["part_size_mib"] = 6
    assert mirroring.run().ok
    assert mirroring.target.contents() == {LARGE: content}
    assert mirroring.target.unfinished() == []


def test_objects_that_were_whole_before_the_kill_are_not_copied_again(mirroring: Mirroring) -> None:
    small = {f"reports/cost-csv/{number}.csv.gz": content_of(1000, number) for number in range(20)}
    for name, content in small.items():
        mirroring.add(name, content)
    mirroring.add(LARGE, content_of(3 * PART))
    kill_while_a_part_is_on_its_way(mirroring, number=1, before=2, whole=20)
    report = mirroring.run()
    assert report.skipped == 20
    assert set(mirroring.target.contents()) == {*small, LARGE}


def test_memory_is_bounded_whatever_the_size_of_an_object(mirroring: Mirroring, tmp_path: Path) -> None:
    """Eight parts of 64 MiB at once of one object, and four objects at once, would be 2 GiB."""
    mirroring.options["part_size_mib"] = 64
    mirroring.add("reports/cost-csv/small", b"x")
    baseline = _peak(mirroring)
    large = tmp_path / "large"
    with large.open("wb") as file:
        for number in range(384):
            file.write(content_of(1000, number).ljust(MEBIBYTE, b"-"))
    mirroring.add("reports/cost-csv/large", large)
    assert _peak(mirroring) - baseline < 150


def _peak(mirroring: Mirroring) -> int:
    child = start(mirroring)
    output, _ = child.communicate()
    assert child.returncode == 0
    return int(output.split()[2])


@pytest.mark.parametrize("number", [0, 1])
def test_a_part_that_was_wrong_before_the_kill_is_found(bucket_mirroring: Mirroring, number: int) -> None:
    """The first run never saw the whole, the second never the first parts: so the copy is read back."""
    content = content_of(2 * PART)
    bucket_mirroring.add(LARGE, content)
    kill_while_a_part_is_on_its_way(bucket_mirroring, number=number, before=1)
    target = bucket_mirroring.target
    assert target.server is not None
    client, (bucket, prefix) = target.server.client(), target.place
    (upload,) = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix)["Uploads"]
    client.upload_part(
        Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=2 - number, Body=content_of(PART, 9)
    )
    assert bucket_mirroring.run().ok
    assert target.contents() == {LARGE: content}
