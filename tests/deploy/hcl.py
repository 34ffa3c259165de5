"""A Terraform module as its files say it: what it declares, what it refers to, and the values of its expressions.

Only what the modules of ``deploy/terraform`` use is known here; anything else is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2

from tests.deploy.hcl_expressions import Scope, parse

_META = ("__is_block__", "__comments__", "__inline_comments__")


class Module:
    """All ``.tf`` files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, dict[str, Any]] = {}
        self.locals: dict[str, Any] = {}
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.data: dict[tuple[str, str], dict[str, Any]] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        self.providers: list[tuple[str, dict[str, Any]]] = []
        self.terraform: list[dict[str, Any]] = []
        for file in sorted(folder.glob("*.tf")):
            with file.open(encoding="utf-8") as text:
                self._add(_bare(hcl2.load(text)))

    def _add(self, document: dict[str, Any]) -> None:
        for kind, blocks in document.items():
            for block in blocks:
                match kind:
                    case "variable":
                        self.variables |= block
                    case "output":
                        self.outputs |= block
                    case "locals":
                        self.locals |= block
                    case "terraform":
                        self.terraform.append(block)
                    case "provider":
                        self.providers += block.items()
                    case "resource" | "data":
                        found = self.resources if kind == "resource" else self.data
                        found |= {(item, name): body for item, named in block.items() for name, body in named.items()}
                    case _:
                        raise AssertionError(f"{self.folder.name}: a block `{kind}` is not known here")

    def expressions(self) -> Iterator[str]:
        """Every value that is written in the module, types of variables left out."""
        for variable in self.variables.values():
            yield from _texts({name: value for name, value in variable.items() if name != "type"})
        for part in (self.locals, self.resources, self.data, self.outputs, [body for _, body in self.providers]):
            yield from _texts(part)

    def references(self) -> set[tuple[str, ...]]:
        """What they refer to: ``("var", "name")``, ``("aws_s3_bucket", "bills", "id")``, ``("data", "aws_partition", ...)``."""
        return {reference for text in self.expressions() for reference in parse(text).references}

    def given(self, made: Mapping[str, Any] | None = None, **variables: Any) -> Given:
        """The module with these variables; ``made`` holds what AWS or Oracle would answer, by type and name."""
        return Given(self, dict(made or {}), variables)


class Given:
    """A module whose variables have values."""

    def __init__(self, module: Module, made: dict[str, Any], variables: dict[str, Any]) -> None:
        unknown = set(variables) - set(module.variables)
        assert not unknown, f"no such variables: {unknown}"
        self.module = module
        self.scope = Scope({"var": self._variables(variables), "path": {"module": str(module.folder)}, **made})
        self.scope.roots["local"] = _Lazy(module.locals, self.scope)

    def _variables(self, given: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for name, block in self.module.variables.items():
            if name in given:
                values[name] = given[name]
            elif "default" in block:
                values[name] = evaluate(block["default"], Scope({}))
        return values

    def local(self, name: str) -> Any:
        """The value of a local."""
        return self.scope.roots["local"][name]

    def resource(self, kind: str, name: str, attribute: str, **scope: Any) -> Any:
        """The value of an attribute of a resource."""
        return evaluate(self.module.resources[kind, name][attribute], self.scope.inside(scope))

    def whole(self, kind: str, name: str) -> dict[str, Any]:
        """All attributes and blocks of a resource, but its lifecycle."""
        body = {part: written for part, written in self.module.resources[kind, name].items() if part != "lifecycle"}
        made: dict[str, Any] = evaluate(body, self.scope)
        return made

    def output(self, name: str) -> Any:
        """The value of an output."""
        return evaluate(self.module.outputs[name]["value"], self.scope)

    def preconditions(self, kind: str, name: str) -> list[str]:
        """What a resource's preconditions complain of."""
        (lifecycle,) = self.module.resources[kind, name]["lifecycle"]
        return [
            evaluate(item["error_message"], self.scope)
            for item in lifecycle["precondition"]
            if not evaluate(item["condition"], self.scope)
        ]

    def policy(self, name: str, **scope: Any) -> dict[str, Any]:
        """An ``aws_iam_policy_document`` as the JSON that AWS takes."""
        inner = self.scope.inside(scope)
        block = self.module.data["aws_iam_policy_document", name]
        parts = {part: block[part] for part in ("statement", "dynamic") if part in block}
        statements = evaluate(parts, inner).get("statement", ())
        return {"Version": "2012-10-17", "Statement": [_statement(statement) for statement in statements]}


class _Lazy(Mapping[str, Any]):
    """Locals: one may refer to others, wherever they stand."""

    def __init__(self, texts: dict[str, Any], scope: Scope) -> None:
        self._texts, self._scope = texts, scope

    def __getitem__(self, name: str) -> Any:
        return evaluate(self._texts[name], self._scope)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def evaluate(written: Any, scope: Scope) -> Any:
    """The value of what hcl2 read: expressions, lists and blocks of them."""
    if isinstance(written, str):
        return parse(written).value(scope)
    if isinstance(written, list):
        return [evaluate(item, scope) for item in written]
    if isinstance(written, dict):
        values = {name: evaluate(value, scope) for name, value in written.items() if name != "dynamic"}
        for block in written.get("dynamic", ()):
            ((label, dynamic),) = block.items()
            (content,) = dynamic["content"]
            made = [evaluate(content, scope.inside({label: {"value": one}})) for one in evaluate(dynamic["for_each"], scope)]
            values[label] = [*values.get(label, ()), *made]
        return values
    return written


def _statement(block: dict[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": block["sid"], "Effect": block.get("effect", "Allow")}
    principals = block.get("principals", ())
    if principals:
        statement["Principal"] = {principal["type"]: principal["identifiers"] for principal in principals}
    statement |= {"Action": block["actions"]}
    if "resources" in block:
        statement["Resource"] = block["resources"]
    condition: dict[str, Any] = {}
    for item in block.get("condition", ()):
        condition.setdefault(item["test"], {})[item["variable"]] = item["values"]
    return statement | ({"Condition": condition} if condition else {})


def _bare(read: Any) -> Any:
    """Without hcl2's own marks, and labels and keys without their quotes."""
    if isinstance(read, dict):
        return {name.strip('"'): _bare(value) for name, value in read.items() if name not in _META}
    return [_bare(item) for item in read] if isinstance(read, list) else read


def _texts(written: Any) -> Iterator[str]:
    if isinstance(written, str):
        yield written
    elif isinstance(written, Mapping):
        for value in written.values():
            yield from _texts(value)
    elif isinstance(written, list | tuple):
        for item in written:
            yield from _texts(item)
