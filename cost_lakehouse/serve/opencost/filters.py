"""OpenCost's filters: ``service:"AmazonEC2","AmazonS3"+label[team]!:"red"``, with parentheses, ``+`` (and), ``|`` (or). Pure.

Each of its APIs has a vocabulary of its own. As there: one scope has ``+`` or ``|``, never both; after ``:``
one value must fit, after ``!:`` none may; case counts. A quote inside a value is written ``\\"``, as opencost-ui does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from cost_lakehouse.ask.clauses import ALWAYS, NEVER, All, Clause, Compared, Either, Match, Not
from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.serve.opencost.properties import DIMENSIONS, PROVIDERS, UNALLOCATED

_DEEPEST = 20
_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
    (?P<text>"(?:[^"\\]|\\.)*")
    |(?P<key>\[[^\]]+\])
    |(?P<sign>!<~:|!~>:|!~:|!:|<~:|~>:|~:|:)
    |(?P<mark>[,+|()])
    |(?P<name>[A-Za-z0-9_-]+)
    )""",
    re.VERBOSE,
)
_MATCHES = {"": Match.EQUAL, "~": Match.PART, "<~": Match.START, "~>": Match.END}


@dataclass(frozen=True)
class Vocabulary:
    """What a filter may name: each property's dimension, None where it has the text of ``fixed`` alone, else none at all.

    ``label[KEY]`` is a key of the family ``labels``. ``names`` has values that are called otherwise: property -> ours ->
    theirs.
    """

    dimensions: Mapping[str, str | None]
    labels: str
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


CLOUD_COSTS = Vocabulary(DIMENSIONS, "tag", {"provider": PROVIDERS})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def clause_of(text: str, vocabulary: Vocabulary = CLOUD_COSTS) -> Clause:
    """The filter as a clause; an empty one always holds. Raises ConfigurationError with the place where it goes wrong."""
    if not text.strip():
        return ALWAYS
    return _Parser(text, vocabulary).whole()


class _Parser:
    """Reads one filter from left to right."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._tokens = list(self._read(text))
        self._next = 0

    def whole(self) -> Clause:
        clause = self._scope(0)
        if self._kind != "end":
            self._fail()
        return clause

    @staticmethod
    def _read(text: str) -> list[_Token]:
        tokens, at = [], 0
        end = len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise _wrong(f"at character {at + 1} stands {shortened(text[at:])!r}")
            tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
            at = found.end()
        return [*tokens, _Token("end", "", len(text))]

    @property
    def _kind(self) -> str:
        token = self._tokens[self._next]
        return token.text if token.kind == "mark" else token.kind

    def _take(self, kind: str) -> str:
        if self._kind != kind:
            self._fail()
        token = self._tokens[self._next]
        self._next += 1
        return token.text

    def _fail(self) -> NoReturn:
        token = self._tokens[self._next]
        what = "it ends too soon" if token.kind == "end" else f"{shortened(token.text)!r} cannot stand there"
        raise _wrong(f"at character {token.at + 1} {what}")

    def _scope(self, depth: int) -> Clause:
        if depth > _DEEPEST:
            raise _wrong(f"it has more than {_DEEPEST} parentheses in each other")
        found = [self._operand(depth)]
        sign = self._kind
        if sign not in ("+", "|"):
            return found[0]
        while self._kind == sign:
            self._take(sign)
            found.append(self._operand(depth))
        if self._kind in ("+", "|"):
            raise _wrong("`+` and `|` stand beside each other; put one of them in parentheses")
        return All(tuple(found)) if sign == "+" else Either(tuple(found))

    def _operand(self, depth: int) -> Clause:
        if self._kind != "(":
            return self._comparison()
        self._take("(")
        clause = self._scope(depth + 1)
        self._take(")")
        return clause

    def _comparison(self) -> Clause:
        name = self._take("name")
        key = self._take("key")[1:-1] if self._kind == "key" else None
        known = self._vocabulary.dimensions
        if name != "label" and (name not in known or key is not None):
            raise _wrong(f"{shortened(name)!r} is none of {', '.join(known)}, label[KEY]")
        sign = self._take("sign")
        values = [self._value()]
        while self._kind == ",":
            self._take(",")
            values.append(self._value())
        match = _MATCHES[sign.removeprefix("!").removesuffix(":")]
        test = _label(self._vocabulary, key, match) if name == "label" else _field(self._vocabulary, name, match)
        clause = Either(tuple(map(test, values))) if len(values) > 1 else test(values[0])
        return Not(clause) if sign.startswith("!") else clause

    def _value(self) -> str:
        value = re.sub(r'\\(["\\])', r"\1", self._take("text")[1:-1])
        return "" if value == UNALLOCATED else value


def _label(vocabulary: Vocabulary, key: str | None, match: Match) -> Callable[[str], Clause]:
    """Of a label its value; without a key in brackets: whether there is a label of that name."""
    if key is not None:
        return lambda value: Compared(f"{vocabulary.labels}:{key}", value, match)
    if match not in (Match.EQUAL, Match.PART):
        raise _wrong("names of labels are compared as a whole; write label:KEY")
    return lambda value: Not(Compared(f"{vocabulary.labels}:{value}", "")) if value else NEVER


def _field(vocabulary: Vocabulary, name: str, match: Match) -> Callable[[str], Clause]:
    dimension = vocabulary.dimensions[name]
    if dimension is None:
        return lambda value: ALWAYS if match.holds(vocabulary.fixed.get(name, ""), value) else NEVER
    names = vocabulary.names.get(name, {})
    return lambda value: _renamed(dimension, names, match, value) if names else Compared(dimension, value, match)


def _renamed(dimension: str, names: Mapping[str, str], match: Match, value: str) -> Clause:
    """Values that are called otherwise here, such as clouds: one that has another name there is compared by that."""
    fitting = [Compared(dimension, ours) for ours, theirs in names.items() if match.holds(theirs, value)]
    renamed = Either(tuple(Compared(dimension, ours) for ours in names))
    return Either((*fitting, All((Not(renamed), Compared(dimension, value, match)))))


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The filter cannot be read: {what}.",
        'Write it as service:"AmazonEC2"+label[team]:"red"; docs/opencost-api.md has it all.',
    )
