"""A wrong configuration names the field and the fix, and never shows a secret."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError

SOURCE = "sources: [{name: acme, kind: aws_cur, location: 'bucket/cur/hourly'}]"


def read(folder: Path, text: str) -> Settings:
    file = folder / "lakehouse.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def test_defaults_need_no_server_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, f"lake: {{first_month: 2026-03}}\n{SOURCE}")
    assert settings.warehouse == f"file://{tmp_path}/lake/warehouse"
    assert settings.catalog_url.database == f"{tmp_path}/lake/catalog.db"
    assert settings.lake.first_month == date(2026, 3, 1)
    assert settings.source("acme").address == "bucket/cur/hourly"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lake: {engin: duckdb}", "lake.engin: unknown key"),
        ("lake: {first_month: soon}", "lake.first_month: write a month, such as 2026-01"),
        ("lake: {first_month: 2026-13}", "lake.first_month: write a month"),
        ("lake: {engine: trino}", "lake: `engine: trino` needs `trino:`"),
        ("lake: {engine: trino, trino: {host: h}}", "needs what Trino can reach: `catalog: postgresql"),
        ("lake: {trino: {host: h}}", "trino goes with `engine: trino`"),
        ("lake: {catalog: 'mysql://u@h/d'}", "lake.catalog: the catalog is kept in SQLite"),
        ("lake: {catalog: here}", "lake.catalog: write sqlite:///PATH or postgresql"),
        ("lake: {warehouse: 'gs://bucket/x'}", "lake.warehouse: write a folder, or s3://bucket/prefix"),
        ("lake: {store: {region: r}}", "go with a warehouse that starts with s3://"),
        ("lakes: {}", "lakes: unknown key"),
        ("sources: [{name: A, kind: aws_cur, location: x}]", r"sources\[0\].name: use lower-case"),
        (f"sources: [{{name: {'a' * 41}, kind: aws_cur, location: x}}]", "at most 40 characters"),
        ("sources: [{name: a, kind: aws_curr, location: x}]", r"sources\[0\].kind: Input should be 'aws_cur', "),
        ("sources: [{name: a, location: x}]", r"sources\[0\].kind: is missing; add it"),
        (
            "sources: [{name: a, kind: aws_cur, location: x, corrections: add, oci: {}}]",
            r"sources\[0\].corrections: corrections and kind oci_cost_reports go together, and this is kind aws_cur; "
            r"remove it, or correct `kind`; sources\[0\].oci: oci and kinds oci_cost_reports, focus go together",
        ),
        ("sources: [{name: a, kind: focus, location: x, locaton: y}]", r"sources\[0\].locaton: unknown key"),
        ("sources: [{name: a, kind: aws_cur}]", r"sources\[0\].location: is missing; add it"),
        ("sources: [{name: a, kind: aws_cur, location: x, region: r}]", "region only fits a location that starts with s3://"),
        ("sources: [{name: a, kind: aws_cur, location: 's3://b/x', access_key: k}]", "access_key and secret_key go together"),
        (
            "sources: [{name: a, kind: aws_cur, location: x}, {name: a, kind: aws_cur, location: y}]",
            "the name 'a' is used twice",
        ),
        ("sources: [", "line 1, column 11: not valid YAML"),
        ("- a\n- b", "must hold `lake:` and `sources:`"),
    ],
)
def test_what_is_wrong_is_said_by_field_with_its_fix(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read(tmp_path, text)


def test_a_reference_to_the_environment_is_read_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILL_PLACE", "somewhere")
    assert read(tmp_path, SOURCE.replace("bucket", "${BILL_PLACE}")).source("acme").address == "somewhere/cur/hourly"


def test_a_variable_that_is_not_set_is_named_with_its_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BILL_PLACE", raising=False)
    with pytest.raises(ConfigurationError, match=r"sources\[0\].location needs the environment variable BILL_PLACE"):
        read(tmp_path, SOURCE.replace("bucket", "${BILL_PLACE}"))


@pytest.mark.parametrize(
    ("given", "value", "place"),
    [
        ("${BILL_PLACE:-there}", None, "there"),
        ("${BILL_PLACE-there}", None, "there"),
        ("${BILL_PLACE:-there}", "", "there"),
        ("${BILL_PLACE-there}", "", ""),
        ("${BILL_PLACE:-there}", "here", "here"),
        ("${BILL_PLACE-there}", "here", "here"),
        ("${BILL_PLACE:-}", None, ""),
        ("${BILL_PLACE:-a-b:-c/d e}", None, "a-b:-c/d e"),
        ("$BILL_PLACE", "here", "$BILL_PLACE"),
        ("${BILL_PLACE:-a}-${BILL_PLACE:-b}", None, "a-b"),
    ],
    ids=range(10),
)
def test_a_reference_may_have_a_default_as_in_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, value: str | None, place: str
) -> None:
    if value is None:
        monkeypatch.delenv("BILL_PLACE", raising=False)
    else:
        monkeypatch.setenv("BILL_PLACE", value)
    found = read(tmp_path, SOURCE.replace("bucket", f"x/{given}")).source("acme").address
    assert found == f"x/{place}/cur/hourly"


@pytest.mark.parametrize(
    "reference",
    ["${BILL_PLACE:?unset}", "${BILL_PLACE:+other}", "${}", "${1}", "${BILL_PLACE", "${a b}", "${A:-${B}}", "${{ secrets.A }}"],
    ids=range(8),
)
def test_a_reference_that_is_none_is_refused_by_field(tmp_path: Path, reference: str) -> None:
    text = f"sources: [{{name: acme, kind: aws_cur, location: 'bucket/{reference}'}}]"
    with pytest.raises(ConfigurationError, match=r"sources\[0\].location refers to the environment in a way"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("lake: {}\nsources: []\nlake: {}\n", "lake", (1, 3)),
        ("lake:\n  engine: duckdb\n  warehouse: a\n  engine: trino\n", "engine", (2, 4)),
        ("sources:\n- name: a\n  kind: focus\n  location: x\n  location: y\n", "location", (4, 5)),
        ("lake: {first_month: 2026-01, first_month: 2026-02}", "first_month", (1, 1)),
        ("lake:\n  'engine': duckdb\n  engine: trino\n", "engine", (2, 3)),
        ("sources:\n- &a {name: a, name: b}\n- <<: *a\n", "name", (2, 2)),
    ],
    ids=["top", "lake", "source", "flow", "quoted", "anchor"],
)
def test_a_key_that_is_there_twice_is_an_error_with_both_lines(
    tmp_path: Path, text: str, key: str, lines: tuple[int, int]
) -> None:
    with pytest.raises(ConfigurationError, match=f"the key '{key}' is there twice, in line {lines[0]} and in line {lines[1]}"):
        read(tmp_path, text)


def test_what_an_anchor_brings_may_be_said_anew(tmp_path: Path) -> None:
    text = (
        "sources:\n- &first {name: a, kind: aws_cur, location: bucket/cur/a}\n"
        "- {<<: *first, name: b}\n- &third {<<: *first, name: c, location: bucket/cur/c}\n- {<<: [*third, *first], name: d}\n"
    )
    assert [(source.name, source.address) for source in read(tmp_path, text).sources] == [
        ("a", "bucket/cur/a"),
        ("b", "bucket/cur/a"),
        ("c", "bucket/cur/c"),
        ("d", "bucket/cur/c"),
    ]


def test_a_secret_is_in_no_message_and_no_text_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILL_SECRET", "hunter2")
    secret = "sources: [{name: a, kind: aws_cur, location: '%s', access_key: k, secret_key: '${BILL_SECRET}', region: r%s}]"
    assert "hunter2" not in repr(read(tmp_path, secret % ("s3://b/x", "")))
    with pytest.raises(ConfigurationError) as wrong:
        read(tmp_path, secret % ("s3://b/x", ", colour: red"))
    assert "hunter2" not in str(wrong.value)
    with pytest.raises(ConfigurationError) as misplaced:
        read(tmp_path, secret % ("folder", ""))
    assert "hunter2" not in str(misplaced.value)


def test_a_source_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Known sources: acme"):
        read(tmp_path, SOURCE).source("nope")


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no configuration file .*lakehouse.example.yaml"):
        load_settings(tmp_path / "absent.yaml")
