"""Looks at many sources at a time: whatever hangs or breaks, all the others are seen, once each, and threads never pile up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cost_lakehouse.orchestration.polls import Polls

NAMES = ["a", "b", "c", "d", "e"]


class Places:
    """What polls see; ``hang`` keeps the look at one of them from ending."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._gates: dict[str, threading.Event] = {}

    def look(self, name: str) -> str:
        self.seen.append(name)
        if name in self._gates:
            assert self._gates[name].wait(30)
        if name == "broken":
            raise OSError("no such place")
        return name.upper()

    @contextmanager
    def hang(self, *names: str) -> Iterator[None]:
        self._gates = {name: threading.Event() for name in names}
        try:
            yield
        finally:
            for gate in self._gates.values():
                gate.set()


def never() -> bool:
    return False


def wait_for_thread(name: str) -> None:
    for named in threading.enumerate():
        if named.name == f"poll-{name}":
            named.join(30)


def test_every_place_is_seen_once() -> None:
    places = Places()
    taken = list(Polls[str](at_once=2).take(NAMES, places.look, never))
    assert {named.name: named.value for named in taken} == {name: name.upper() for name in NAMES}
    assert sorted(places.seen) == NAMES


def test_a_look_that_breaks_is_given_back_with_its_error() -> None:
    taken = {named.name: named for named in Polls[str]().take(["broken", "a"], Places().look, never)}
    assert str(taken["broken"].error) == "no such place"
    assert taken["a"].value == "A"


def test_one_that_hangs_gives_its_place_to_the_next_and_is_used_by_a_later_round() -> None:
    places, polls = Places(), Polls[str](at_once=1, seconds=1.0)
    with places.hang("a"):
        first = list(polls.take(["a", "b"], places.look, never))
        assert [(named.name, named.value, named.late) for named in first] == [("a", None, True), ("b", "B", False)]
        second = list(polls.take(["a", "b"], places.look, never))
        assert [(named.name, named.late) for named in second] == [("a", True), ("b", False)]
        assert places.seen == ["a", "b", "b"], "no second look at what still hangs"
    wait_for_thread("a")
    third = {named.name: named.value for named in polls.take(["a", "b"], places.look, never)}
    assert third == {"a": "A", "b": "B"}
    assert places.seen == ["a", "b", "b", "b"], "what the first look saw is used, once"
    assert [fact.value for fact in polls.take(["a"], places.look, never)] == ["A"]
    assert places.seen[-1] == "a"


def test_all_that_hang_do_not_keep_the_rest_from_being_seen() -> None:
    places = Places()
    polls = Polls[str](at_once=2, seconds=1.0)
    with places.hang("a", "b"):
        taken = {named.name: named.late for named in polls.take(NAMES, places.look, never)}
    assert taken == {"a": True, "b": True, "c": False, "d": False, "e": False}


def test_out_of_time_at_once_one_is_looked_at_all_the_same() -> None:
    polls = Polls[str]()
    taken = list(polls.take(NAMES, Places().look, lambda: True))
    assert [(named.name, named.value) for named in taken] == [("a", "A")]
    assert polls.begun == 1


def test_out_of_time_what_is_under_way_is_left_to_the_next_round() -> None:
    places = Places()
    polls = Polls[str](at_once=2, seconds=30.0)
    with places.hang("a"):
        # Out of time as soon as everything else was seen.
        taken = {named.name: named.late for named in polls.take(["a", "b", "c"], places.look, lambda: "c" in places.seen)}
    assert taken["a"] is True
    assert polls.begun == 3
    wait_for_thread("a")
    assert [fact.value for fact in polls.take(["a"], places.look, never)] == ["A"]
