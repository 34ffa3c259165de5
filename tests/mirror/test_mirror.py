"""What a mirror copies, and what it leaves alone; each on a folder and on a real S3 server."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cost_lakehouse.config.mirror import MEBIBYTE
from cost_lakehouse.errors import LakeError, MirrorFailed
from cost_lakehouse.mirror import run as module
from tests.mirror.conftest import Mirroring
from tests.services.oci import Fault, Seen

COST, FOCUS = "reports/cost-csv/0001000002420479-00001.csv.gz", "FOCUS Reports/2026/10/01/0001-00001.csv.gz"


def content_of(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_copies_every_kind_of_report_and_nothing_else(mirroring: Mirroring) -> None:
    wanted = {name: content_of(1000, seed) for seed, name in enumerate((COST, FOCUS, "reports/usage-csv/1.csv.gz"))}
    for name, content in wanted.items():
        mirroring.add(name, content)
    mirroring.add("something else/1.csv.gz", b"x")
    report = mirroring.run()
    assert mirroring.target.contents() == wanted
    assert (report.listed, report.copied, report.copied_bytes, report.skipped) == (3, 3, 3000, 0)
    assert report.ok


def test_a_second_run_downloads_nothing(mirroring: Mirroring) -> None:
    mirroring.add(COST, content_of(1000))
    mirroring.add(FOCUS, content_of(2000), part_size=500)  # nobody knows the MD5 of the whole
    mirroring.add("reports/cost-csv/large", content_of(12 * MEBIBYTE))
    mirroring.add("reports/cost-csv/large in parts", content_of(12 * MEBIBYTE, 2), part_size=MEBIBYTE)
    mirroring.add("reports/cost-csv/empty", b"")
    first = mirroring.run()
    mirroring.downloads()
    second = mirroring.run()
    assert mirroring.downloads() == []
    assert (second.copied, second.skipped, second.skipped_bytes) == (0, 5, first.copied_bytes)
    assert second.version == first.version


def test_what_is_new_or_replaced_is_copied(mirroring: Mirroring) -> None:
    mirroring.add(COST, content_of(1000))
    mirroring.add(FOCUS, content_of(1000), part_size=500)
    first = mirroring.run()
    wanted = {COST: content_of(1000, 2), FOCUS: content_of(1000, 3), "reports/cost-csv/0000-new.csv.gz": content_of(10)}
    mirroring.add(COST, wanted[COST])
    mirroring.add(FOCUS, wanted[FOCUS], part_size=500)
    mirroring.add("reports/cost-csv/0000-new.csv.gz", wanted["reports/cost-csv/0000-new.csv.gz"])
    second = mirroring.run()
    assert mirroring.target.contents() == wanted
    assert second.copied == 3
    assert second.version != first.version


def test_a_copy_of_the_same_size_with_another_checksum_is_copied_again(mirroring: Mirroring) -> None:
    content = content_of(1000)
    mirroring.add(COST, content)
    mirroring.target.put(COST, content[::-1])
    assert mirroring.run().copied == 1
    assert mirroring.target.contents() == {COST: content}
    mirroring.target.put(COST, content[::-1])
    assert mirroring.run().copied == 1
    assert mirroring.target.contents() == {COST: content}


def test_a_copy_that_somebody_else_made_is_recognised(mirroring: Mirroring) -> None:
    mirroring.add(COST, content_of(1000))
    mirroring.target.put(COST, content_of(1000))
    assert mirroring.run().skipped == 1
    assert mirroring.downloads() == []


def test_what_oracle_deleted_stays_unless_asked(mirroring: Mirroring) -> None:
    for name in (COST, FOCUS):
        mirroring.add(name, content_of(10))
    mirroring.run()
    mirroring.bucket.remove(COST)
    assert mirroring.run().kept == 1
    assert set(mirroring.target.contents()) == {COST, FOCUS}
    mirroring.options["delete"] = True
    assert mirroring.run(dry_run=True).deleted_keys == [COST]
    assert set(mirroring.target.contents()) == {COST, FOCUS}
    assert mirroring.run().deleted == 1
    assert set(mirroring.target.contents()) == {FOCUS}
    mirroring.bucket.remove(FOCUS)
    assert mirroring.run().kept == 1  # an empty bucket is rather a wrong one
    assert set(mirroring.target.contents()) == {FOCUS}


def test_what_lies_beside_the_reports_is_never_deleted(mirroring: Mirroring) -> None:
    mirroring.options["delete"] = True
    mirroring.options["reports"] = ["cost-csv"]
    mirroring.add(COST, content_of(10))
    for name in (FOCUS, "own/file", "reports/own"):
        mirroring.target.put(name, b"own")
    assert mirroring.run().deleted == 0
    assert set(mirroring.target.contents()) == {COST, FOCUS, "own/file", "reports/own"}


def test_a_dry_run_tells_what_it_would_copy(mirroring: Mirroring) -> None:
    mirroring.add(COST, content_of(1000))
    report = mirroring.run(dry_run=True)
    assert (report.copied, report.copied_bytes, report.keys) == (1, 1000, [COST])
    assert mirroring.target.contents() == {}
    assert mirroring.downloads() == []


def test_progress_counts_every_byte(mirroring: Mirroring) -> None:
    class Bar:
        total = bytes = objects = 0

        def start(self, label: str, total_bytes: int) -> None:
            self.total = total_bytes

        def advance(self, bytes_read: int, rows: int) -> None:
            self.bytes += bytes_read
            self.objects += rows

        def finish(self) -> None:
            assert self.bytes == self.total

    mirroring.add(COST, content_of(1000))
    mirroring.add(FOCUS, content_of(12 * MEBIBYTE))
    bar = Bar()
    mirroring.run(progress=bar)
    assert (bar.bytes, bar.objects) == (1000 + 12 * MEBIBYTE, 2)


def test_cut_streams_and_throttling_do_no_harm(mirroring: Mirroring) -> None:
    wanted = {COST: content_of(12 * MEBIBYTE), FOCUS: content_of(100_000)}
    for name, content in wanted.items():
        mirroring.add(name, content)
    mirroring.cloud.fail(Fault(cut_after=50_000, times=4, matches=of_objects))
    mirroring.cloud.fail(Fault(429, "TooManyRequests", "Slow down", retry_after=0, times=4, matches=of_objects))
    assert mirroring.run().ok
    assert mirroring.target.contents() == wanted


def test_an_object_that_fails_keeps_no_other_from_being_copied(mirroring: Mirroring) -> None:
    for number in range(5):
        mirroring.add(f"reports/cost-csv/{number}.csv.gz", content_of(100, number))
    mirroring.cloud.fail(Fault(403, "Forbidden", "Not yours", times=99, matches=lambda seen: seen.path.endswith("/2.csv.gz")))
    report = mirroring.run()
    assert [candidate.key for candidate in report.failures] == ["reports/cost-csv/2.csv.gz"]
    assert (report.copied, report.ok) == (4, False)
    assert "1 object could not be copied: reports/cost-csv/2.csv.gz: " in report.failure().problem
    mirroring.cloud.faults.clear()
    assert mirroring.run().copied == 1
    assert len(mirroring.target.contents()) == 5


def test_what_was_damaged_on_the_way_is_never_written(mirroring: Mirroring) -> None:
    wanted = {COST: content_of(1000), FOCUS: content_of(12 * MEBIBYTE)}
    for name, content in wanted.items():
        mirroring.add(name, content)
    mirroring.cloud.fail(Fault(damage=True, times=1, matches=lambda seen: COST in seen.path))
    mirroring.cloud.fail(Fault(damage=True, times=1, matches=lambda seen: FOCUS in seen.path))
    report = mirroring.run()
    assert [failure.key for failure in report.failures] == [FOCUS, COST]
    assert all("was damaged on the way" in failure.problem for failure in report.failures)
    assert mirroring.target.contents() == {}
    assert mirroring.run().copied == 2
    assert mirroring.target.contents() == wanted


def test_after_many_failures_in_a_row_it_stops(mirroring: Mirroring) -> None:
    for number in range(60):
        mirroring.add(f"reports/cost-csv/{number:03}.csv.gz", b"x")
    mirroring.cloud.fail(Fault(403, "Forbidden", "Not yours", times=999, matches=of_objects))
    report = mirroring.run()
    assert module.FAILURES_IN_A_ROW <= len(report.failures) < 40
    assert report.not_tried == 60 - len(report.failures)
    assert f"{report.not_tried} were not tried any more" in report.failure().problem


def test_one_run_at_a_time(mirroring: Mirroring) -> None:
    mirroring.add(COST, b"x")
    go_on = threading.Event()
    mirroring.cloud.fail(Fault(waits=go_on))
    with ThreadPoolExecutor(1) as pool:
        try:
            first = pool.submit(mirroring.run)
            while not mirroring.cloud.seen and not first.done():
                pass
            with pytest.raises(LakeError, match="being worked on"):
                mirroring.run()
        finally:
            go_on.set()
        assert first.result().copied == 1


def test_a_name_that_leads_out_of_the_folder_is_refused(folder_mirroring: Mirroring) -> None:
    folder_mirroring.add("reports/cost-csv/../../../outside", b"x")
    report = folder_mirroring.run()
    assert "cannot be kept as a file" in report.failures[0].problem
    assert not (folder_mirroring.root / "outside").exists()


def test_a_folder_that_cannot_be_written_is_told(folder_mirroring: Mirroring) -> None:
    folder_mirroring.add(COST, b"x")
    (folder_mirroring.root / "mirror").mkdir()
    (folder_mirroring.root / "mirror/reports").write_text("in the way")
    report = folder_mirroring.run()
    assert "cannot be written" in report.failures[0].problem


def test_a_file_has_the_time_of_its_original(folder_mirroring: Mirroring) -> None:
    """So a copy that is made again is, for whoever loads it, still the same."""
    made = folder_mirroring.add(COST, b"x")
    folder_mirroring.run()
    assert (folder_mirroring.root / "mirror" / COST).stat().st_mtime == made.modified.timestamp()


def test_a_bucket_that_is_not_there_is_told(bucket_mirroring: Mirroring) -> None:
    bucket_mirroring.target.destination = "s3://not-there/x"
    bucket_mirroring.add(COST, b"x")
    with pytest.raises(MirrorFailed, match="There is no bucket not-there") as told:
        bucket_mirroring.run()
    assert "`destination`" in told.value.fix


def of_objects(seen: Seen) -> bool:
    return "/o/" in seen.path
