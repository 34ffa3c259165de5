"""Only models of the kinds of bills that a build's slices hold are run, unless somebody else reads the others."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.bill_kinds import arguments_for_slices, kinds_read_elsewhere, raw_tables_of_kinds
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from tests.builders import Workshop, line

OCTOBER = Slice("acme", date(2026, 10, 1))
TABLES = {"aws": "aws_cur", "oci": "oci_cost"}


def node(package: str, path: str, *parents: str, kind: str = "model") -> dict[str, Any]:
    """A node of a manifest, as far as it matters here."""
    return {
        "package_name": package,
        "resource_type": kind,
        "fqn": [package, *path.split("/")],
        "tags": [],
        "depends_on": {"nodes": list(parents)},
    }


def manifest(**more: dict[str, Any]) -> dict[str, Any]:
    """A project with two kinds of bills and a model of them both, and whatever else is given."""
    nodes = {}
    for kind in TABLES:
        nodes[f"stg_{kind}"] = node("cost_lakehouse", f"staging/{kind}/stg_{kind}", f"source.{kind}")
        nodes[f"int_{kind}"] = node("cost_lakehouse", f"intermediate/{kind}/int_{kind}", f"stg_{kind}")
    nodes["lines"] = node("cost_lakehouse", "intermediate/costs/lines", "int_aws", "int_oci")
    nodes["names"] = node("cost_lakehouse", "staging/gcp/names") | {"tags": ["account_names"]}
    sources = {f"source.{kind}": {"schema": "raw", "name": table} for kind, table in TABLES.items()}
    return {"nodes": nodes | more, "sources": sources}


def test_a_kind_of_bill_is_a_folder_of_staging_and_the_raw_tables_that_it_reads() -> None:
    assert raw_tables_of_kinds(manifest()) == {"aws": ["raw.aws_cur"], "oci": ["raw.oci_cost"]}


@pytest.mark.parametrize(
    ("reader", "kinds"),
    [
        pytest.param(node("mine", "models/mine", "stg_oci"), {"oci"}, id="model"),
        pytest.param(node("mine", "test_of_int", "int_aws", kind="test"), {"aws"}, id="test"),
        pytest.param(node("mine", "models/mine", "lines", "names"), set(), id="shared"),
        pytest.param(node("cost_lakehouse", "marts/ours", "int_oci"), set(), id="ours"),
    ],
)
def test_what_a_users_package_reads_of_a_kind_is_always_built(reader: dict[str, Any], kinds: set[str]) -> None:
    assert kinds_read_elsewhere(manifest(reader=reader)) == kinds


def test_models_of_kinds_without_a_row_in_the_slices_are_left_out(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line(UnblendedCost="1")])
    workshop.load()

    def told(content: dict[str, Any], slices: list[Slice]) -> tuple[list[str], list[str]]:
        words = arguments_for_slices(workshop.lake, content, slices)
        excluded = [word for word in words if word.startswith("fqn:")]
        return json.loads(words[words.index("--vars") + 1])["bill_kinds"], excluded

    left_out = ["fqn:cost_lakehouse.staging.oci", "fqn:cost_lakehouse.intermediate.oci"]
    assert told(manifest(), [OCTOBER]) == (["aws"], left_out)
    assert told(manifest(mine=node("mine", "models/mine", "int_oci")), [OCTOBER]) == (["aws", "oci"], [])
    # A month of which no table holds a row is a bill all the same.
    assert told(manifest(), [Slice("acme", date(2026, 9, 1))]) == (["aws", "oci"], [])


def test_without_kinds_every_model_is_built() -> None:
    words = build_arguments([OCTOBER])
    assert "bill_kinds" not in words[words.index("--vars") + 1]
    assert not [word for word in words if word.startswith("fqn:")]


def test_with_focus_rows_models_of_every_kind_are_built_for_the_test_that_reads_all_of_them() -> None:
    arguments = build_arguments([OCTOBER], kinds=["aws"], every_kind=["aws", "oci"], focus=True)
    assert arguments[arguments.index("--exclude") + 1 : arguments.index("--exclude-resource-type")] == ["tag:account_names"]
    assert "bill_kinds" not in arguments[-1]
