"""A catalog that is locked, damaged, moved or out of reach: each has a cause and a fix of its own."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.catalog_errors import cannot_be_opened


def settings(folder: Path, catalog: str = "sqlite:///lake/catalog.db") -> Settings:
    text = f"lake: {{first_month: 2026-10, catalog: '{catalog}'}}\n"
    (folder / "lakehouse.yaml").write_text(text, encoding="utf-8")
    return load_settings(folder / "lakehouse.yaml")


def test_a_catalog_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    Lake(settings(tmp_path))
    (tmp_path / "lake/catalog.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(LakeError, match="its catalog sqlite:///.* is no SQLite database: it is damaged") as told:
        Lake(settings(tmp_path))
    assert "lake adopt" in told.value.fix


def test_a_locked_catalog_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    Lake(settings(tmp_path))
    with sqlite3.connect(tmp_path / "lake/catalog.db") as holder:
        holder.execute("begin exclusive")
        with pytest.raises(LakeError, match="is locked by another program") as told:
            Lake(settings(tmp_path, "sqlite:///lake/catalog.db?timeout=0.01"))
        holder.rollback()
    assert "End what keeps it open" in told.value.fix


def test_a_catalog_that_is_a_folder_or_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake/catalog.db").mkdir(parents=True)
    with pytest.raises(LakeError, match="cannot be opened") as told:
        Lake(settings(tmp_path))
    assert "a file (not a folder)" in told.value.fix
    shutil.rmtree(tmp_path / "lake")
    (tmp_path / "lake").write_text("x", encoding="utf-8")
    with pytest.raises(LakeError, match="lake is a file where a folder is needed"):
        Lake(settings(tmp_path))


def test_a_warehouse_whose_files_are_gone_is_told_by_file(tmp_path: Path) -> None:
    lost = FileNotFoundError(2, "No such file or directory", "/elsewhere/raw/files/metadata/00001.metadata.json")
    told = cannot_be_opened(settings(tmp_path), lost)
    assert "names the file /elsewhere/raw/files/metadata/00001.metadata.json, which is not there" in told.problem
    assert "lake move" in told.fix


@pytest.mark.parametrize(
    ("says", "cause", "fix"),
    [
        ('connection to server at "db" (10.0.0.9), port 5432 failed: Connection refused', "nothing listens there", "host and"),
        ('could not translate host name "dbb" to address: Name or service not known', "its host has no address", "the host"),
        ('FATAL:  password authentication failed for user "u"', "refuses the login", "user and password"),
        ('FATAL:  database "lake" does not exist', "no such database or user", "Create it"),
        ("FATAL:  sorry, too many clients already", "has no connection left", "max_connections"),
        ('connection to server at "db" failed: timeout expired', "does not answer", "firewall"),
        ("cannot execute CREATE TABLE in a read-only transaction", "read-only replica", "primary"),
    ],
    ids=["refused", "name", "login", "database", "full", "timeout", "replica"],
)
def test_postgresql_out_of_reach_and_refusing_are_told_apart(tmp_path: Path, says: str, cause: str, fix: str) -> None:
    there = settings(tmp_path, "postgresql://u:hunter2@db/lake")
    told = cannot_be_opened(there, OperationalError("select 1", {}, RuntimeError(says)))
    assert cause in told.problem
    assert fix in told.fix
    assert "hunter2" not in str(told)
