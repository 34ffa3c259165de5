"""The packages import in one direction only, and Dagster stays in its own; the rules stand in ``pyproject.toml``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_point_one_way() -> None:
    program = str(Path(sys.executable).with_name("lint-imports"))

    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


# One module for each library whose internals we need; each says why there is no public way.
INTERNALS = {
    "dagster": "orchestration/dagster_internals.py",
    "pyiceberg": "lake/pyiceberg_internals.py",
    "dbt": "summaries/dbt_internals.py",
    "oci": "sources/oci/sdk_internals.py",
    "botocore": "lake/store_client.py",  # its client's pool, the one thing in it that has no option
}
# dbt documents these two: how a program invokes it, and how dbt-duckdb is extended.
PUBLIC_IN_DBT = {"dbt.cli.main", "dbt.adapters.duckdb.plugins"}
# Public in spite of their names: those of named tuples, and the end of a process without clean-up.
PUBLIC_NAMES = {"_asdict", "_replace", "_fields", "_exit"}


def internals_of(source: str) -> set[str]:
    """The names in a module's source that another library, or another module of ours, keeps to itself."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    # The fields of a dataclass.
    own |= {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module not in (None, "_typeshed"):  # the latter only for type checkers
            module = str(node.module)
            names = {f"{module}.{alias.name}" for alias in node.names}
            undocumented = module.startswith(("dbt.", "dbt_common.")) and module not in PUBLIC_IN_DBT
            found |= {name for name in names if undocumented or any(is_private(part) for part in name.split("."))}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if any(is_private(part) for part in alias.name.split("."))}
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own | PUBLIC_NAMES:
            found.add(node.attr)
    return found


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from dagster._core.x import Y", {"dagster._core.x.Y"}),
        ("import oci._vendor", {"oci._vendor"}),
        ("from a import _b", {"a._b"}),
        ("def f():\n    from dbt.parser.manifest import z", {"dbt.parser.manifest.z"}),
        ("from dbt.cli.main import dbtRunner\nimport dagster as dg", set()),
        ("client._endpoint.send()", {"_endpoint"}),
        ("class A:\n    def _b(self): ...\nA()._b()\nrow._asdict()\nself.__class__", set()),
        ("@dataclass\nclass A:\n    _b: int = 0\nA()._b", set()),
    ],
    ids=["module", "import", "name", "dbt", "public", "attribute", "own", "field"],
)
def test_internals_of_others_are_found(source: str, found: set[str]) -> None:
    assert internals_of(source) == found


def test_what_libraries_keep_to_themselves_is_used_in_one_module_a_library() -> None:
    package = ROOT / "cost_lakehouse"
    found = {
        str(file.relative_to(package)): names
        for file in sorted(package.rglob("*.py"))
        if (names := internals_of(file.read_text(encoding="utf-8")))
    }

    assert {file: names for file, names in found.items() if file not in INTERNALS.values()} == {}
    assert found.keys() == set(INTERNALS.values())
