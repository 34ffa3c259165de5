"""HCL's expressions, as far as ``deploy/terraform`` uses them: parsed once, evaluated as often as one likes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_NUMBER = re.compile(r"\d+")
_OPERATORS: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"==": lambda a, b: a == b, "!=": lambda a, b: a != b},
    {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b},
)
_CONSTANTS = {"true": True, "false": False, "null": None}
# Names that HCL itself gives a meaning.
_OWN_NAMES = ("each", "count", "path", "self")


class Scope:
    """What names stand for."""

    def __init__(self, roots: Mapping[str, Any]) -> None:
        self.roots = dict(roots)

    def inside(self, names: Mapping[str, Any]) -> Scope:
        """The same with further names."""
        return Scope({**self.roots, **names})


Value = Callable[[Scope], Any]


class Expression:
    """A parsed expression."""

    def __init__(self, value: Value, references: list[tuple[str, ...]]) -> None:
        self.value = value
        self.references = references


def parse(written: str) -> Expression:
    """What hcl2 gives for a value: ``"a template"`` in quotes, or ``${an expression}``."""
    parser = _Parser(written[2:-1] if written.startswith("${") else written)
    value = parser.whole()
    return Expression(value, parser.references)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.references: list[tuple[str, ...]] = []
        self.bound: list[str] = list(_OWN_NAMES)

    def whole(self) -> Value:
        value = self.expression()
        self.space()
        assert self.at == len(self.text), f"not understood: {self.text[self.at :]!r} in {self.text!r}"
        return value

    def expression(self) -> Value:
        test = self.either()
        if not self.take("?"):
            return test
        yes = self.expression()
        self.need(":")
        no = self.expression()
        return lambda scope: yes(scope) if test(scope) else no(scope)

    def either(self) -> Value:
        left = self.both()
        while self.take("||"):
            left = (lambda a, b: lambda scope: a(scope) or b(scope))(left, self.both())
        return left

    def both(self) -> Value:
        left = self.compared(0)
        while self.take("&&"):
            left = (lambda a, b: lambda scope: a(scope) and b(scope))(left, self.compared(0))
        return left

    def compared(self, level: int) -> Value:
        if level == len(_OPERATORS):
            return self.unary()
        left = self.compared(level + 1)
        for sign, operate in _OPERATORS[level].items():
            if self.take(sign):
                right = self.compared(level + 1)
                return lambda scope: operate(left(scope), right(scope))
        return left

    def unary(self) -> Value:
        if not self.ahead("!=") and self.take("!"):
            value = self.unary()
            return lambda scope: not value(scope)
        return self.followed(self.primary())

    def primary(self) -> Value:
        if self.take('"'):
            return self.template()
        if self.take("("):
            value = self.expression()
            self.need(")")
            return value
        if self.take("["):
            return self.repeated("]") if self.word("for") else self.listed()
        if self.take("{"):
            return self.repeated("}") if self.word("for") else self.mapped()
        if number := self.match(_NUMBER):
            return lambda scope: int(number)
        name = self.match(_NAME)
        assert name, f"not understood: {self.text[self.at :]!r} in {self.text!r}"
        if name in _CONSTANTS:
            return lambda scope: _CONSTANTS[name]
        if self.take("("):
            return self.called(name)
        return self.named(name)

    def named(self, name: str) -> Value:
        # The first names that follow, without indexes, are what is referred to.
        following = re.match(r"(?:\.[A-Za-z_][\w-]*|\[[^\]]*\])*", self.text[self.at :])
        path = re.sub(r"\[[^\]]*\]", "", following.group() if following else "")
        if name not in self.bound:
            self.references.append((name, *path.split(".")[1:]))

        def value(scope: Scope) -> Any:
            assert name in scope.roots, f"nothing stands for {name}{path}"
            return scope.roots[name]

        return value

    def followed(self, value: Value) -> Value:
        while True:
            if self.ahead("[*]"):
                self.need("[*]")
                each = self.followed(lambda scope: scope.roots["*"])
                return (lambda of, one: lambda scope: [one(scope.inside({"*": item})) for item in of(scope)])(value, each)
            if self.take("["):
                index = self.expression()
                self.need("]")
                value = (lambda of, key: lambda scope: of(scope)[key(scope)])(value, index)
            elif self.text[self.at : self.at + 1] == ".":
                self.at += 1
                name = self.match(_NAME)
                assert name, f"not understood: {self.text[self.at :]!r}"
                value = (lambda of, key: lambda scope: of(scope)[key])(value, name)
            else:
                return value

    def called(self, name: str) -> Value:
        arguments = self.several(")")
        if name in _CAREFUL:
            return lambda scope: _CAREFUL[name](scope, arguments)
        assert name in _FUNCTIONS, f"the function {name} is not known here"
        return lambda scope: _FUNCTIONS[name](*(argument(scope) for argument in arguments))

    def several(self, end: str) -> list[Value]:
        values: list[Value] = []
        while not self.take(end):
            values.append(self.expression())
            if not self.take(","):
                self.need(end)
                break
        return values

    def listed(self) -> Value:
        values = self.several("]")
        return lambda scope: [value(scope) for value in values]

    def mapped(self) -> Value:
        pairs: dict[str, Value] = {}
        while not self.take("}"):
            key = self.match(re.compile(r'"[^"$]*"')) or self.match(_NAME)
            assert key, f"not understood: {self.text[self.at :]!r}"
            assert self.take("=") or self.take(":"), f"no value for {key}"
            pairs[key.strip('"')] = self.expression()
            self.take(",")
        return lambda scope: {name: value(scope) for name, value in pairs.items()}

    def repeated(self, end: str) -> Value:
        names = [self.match(_NAME) or ""]
        while self.take(","):
            names.append(self.match(_NAME) or "")
        assert self.word("in"), f"not understood: {self.text!r}"
        items = self.expression()
        self.need(":")
        self.bound += names
        key = self.expression() if end == "}" else None
        if key is not None:
            self.need("=>")
        value = self.expression()
        only = self.expression() if self.word("if") else None
        self.need(end)
        del self.bound[-len(names) :]

        def scopes(scope: Scope) -> list[Scope]:
            of = items(scope)
            found = list(of.items()) if isinstance(of, Mapping) else list(enumerate(of))
            inner = [scope.inside(dict(zip(names, entry if len(names) > 1 else entry[1:], strict=True))) for entry in found]
            return [item for item in inner if only is None or only(item)]

        if key is not None:
            return lambda scope: {key(element): value(element) for element in scopes(scope)}
        return lambda scope: [value(element) for element in scopes(scope)]

    def template(self) -> Value:
        parts: list[str | Value] = []
        text = ""
        while self.text[self.at] != '"':
            if self.text.startswith("$${", self.at):
                text, self.at = f"{text}${{", self.at + 3
            elif self.text.startswith("${", self.at):
                self.at += 2
                parts += [text, self.expression()]
                text = ""
                self.need("}")
            elif self.text[self.at] == "\\":
                text += {"n": "\n", "t": "\t"}.get(self.text[self.at + 1], self.text[self.at + 1])
                self.at += 2
            else:
                text += self.text[self.at]
                self.at += 1
        self.at += 1
        parts.append(text)
        return lambda scope: "".join(part if isinstance(part, str) else _as_text(part(scope)) for part in parts)

    def space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def ahead(self, sign: str) -> bool:
        self.space()
        return self.text.startswith(sign, self.at)

    def take(self, sign: str) -> bool:
        found = self.ahead(sign)
        self.at += len(sign) if found else 0
        return found

    def need(self, sign: str) -> None:
        assert self.take(sign), f"{sign!r} is missing before {self.text[self.at :]!r} in {self.text!r}"

    def match(self, pattern: re.Pattern[str]) -> str | None:
        self.space()
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match.group() if match else None

    def word(self, word: str) -> bool:
        return self.match(re.compile(rf"{word}\b")) is not None


def _as_text(value: Any) -> str:
    assert isinstance(value, str | int), f"{value!r} is no text"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _one(values: list[Any]) -> Any:
    assert len(values) <= 1, f"more than one: {values}"
    return values[0] if values else None


def _can(scope: Scope, arguments: list[Value]) -> bool:
    try:
        arguments[0](scope)
    except (AssertionError, KeyError, TypeError):
        return False
    return True


def _try(scope: Scope, arguments: list[Value]) -> Any:
    return next(value(scope) for value in arguments if _can(scope, [value]))


def _regex(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"{text!r} is not like {pattern}"
    return match.group()


def _template_file(path: str, names: dict[str, Any]) -> str:
    text = Path(path).read_text(encoding="utf-8")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", text))
    assert used == set(names), f"{path}: {used ^ set(names)}"
    return re.sub(r"(?<!\$)\$\{(\w+)\}", lambda match: _as_text(names[match.group(1)]), text)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "alltrue": all,
    "base64encode": lambda text: base64.b64encode(text.encode()).decode(),
    "coalesce": lambda *values: next(value for value in values if value not in (None, "")),
    "concat": lambda *lists: [item for some in lists for item in some],
    "contains": lambda some, one: one in some,
    "file": lambda path: Path(path).read_text(encoding="utf-8"),
    "join": lambda by, some: by.join(some),
    "jsonencode": json.dumps,
    "keys": sorted,
    "length": len,
    "merge": lambda *maps: {name: value for candidate in maps for name, value in candidate.items()},
    "one": _one,
    "regex": _regex,
    "replace": lambda text, part, by: text.replace(part, by),
    "startswith": lambda text, start: text.startswith(start),
    "templatefile": _template_file,
    "toset": sorted,
    "values": lambda some: [some[name] for name in sorted(some)],
}
_CAREFUL: dict[str, Callable[[Scope, list[Value]], Any]] = {"can": _can, "try": _try}
