"""Every channel is told once of each cause and of its end, whatever the other channels do and whenever the process dies."""

from __future__ import annotations

import pytest

from cost_lakehouse.alerts.channels import Channel
from cost_lakehouse.alerts.dispatch import Dispatched, dispatch
from cost_lakehouse.alerts.incidents import Kind, Months, fold
from cost_lakehouse.alerts.memory import Memory, dumped, loaded
from cost_lakehouse.errors import NotSent
from tests.alerts.builders import NOON, Listener, after, recovery, trouble


class Dispatcher:
    """The memory and its copy that a process which is killed leaves behind."""

    def __init__(self) -> None:
        self.memory = Memory(NOON, NOON)
        self.kept = dumped(self.memory)

    def see(self, *seen: object) -> None:
        fold(self.memory.incidents, seen)  # type: ignore[arg-type]

    def dispatch(self, *channels: Channel) -> Dispatched:
        dispatched = dispatch(self.memory, channels, after(minutes=1), None, self.save)
        self.memory.last_poll = after(minutes=1)
        self.save()
        return dispatched

    def save(self) -> None:
        self.kept = dumped(self.memory)

    def start_again(self) -> None:
        """As a new process after a kill."""
        self.memory = loaded(self.kept, NOON)


def test_a_cause_is_told_once_and_so_is_its_end() -> None:
    dispatcher, listener = Dispatcher(), Listener()
    for _ in range(3):
        dispatcher.see(trouble())
        dispatcher.dispatch(listener)
    dispatcher.see(recovery())
    dispatcher.dispatch(listener)
    dispatcher.dispatch(listener)
    assert listener.titles == [
        "Load of acme 2026-10 failed: hourly-cur-1.csv.gz is cut off.",
        "Recovered: Load of acme 2026-10, after 1 hour",
    ]
    assert dispatcher.memory.incidents == []


def test_another_cause_of_the_same_failure_is_told_too() -> None:
    dispatcher, listener = Dispatcher(), Listener()
    dispatcher.see(trouble())
    dispatcher.dispatch(listener)
    dispatcher.see(trouble(cause="DeliveryRefused", problem="12,34 is no number."))
    dispatcher.dispatch(listener)
    assert listener.titles[1:] == ["Load of acme 2026-10 failed: 12,34 is no number."]
    assert listener.heard[0].id != listener.heard[1].id


def test_a_dead_channel_neither_blocks_nor_repeats_the_others_and_is_told_when_it_is_back() -> None:
    dispatcher, dead, well = Dispatcher(), Listener("dead", dead=True), Listener("well")
    dispatcher.see(trouble())
    for _ in range(3):
        dispatched = dispatcher.dispatch(dead, well)
        assert [str(item) for item in dispatched.unsent] == [
            "Alerts cannot be sent through dead: Nobody answers. Wake somebody."
        ]
    assert len(well.heard) == 1
    assert dispatcher.memory.channels["dead"].failing_since == after(minutes=1)
    dead.dead = False
    assert dispatcher.dispatch(dead, well).unsent == []
    assert dead.titles == well.titles
    assert dispatcher.memory.channels["dead"].failing_since is None


def test_what_began_and_ended_while_a_channel_was_dead_is_told_as_one_message() -> None:
    dispatcher, dead = Dispatcher(), Listener(dead=True)
    dispatcher.see(trouble())
    dispatcher.dispatch(dead)
    dispatcher.see(recovery())
    dispatcher.dispatch(dead)
    dead.dead = False
    dispatcher.dispatch(dead)
    (message,) = dead.heard
    assert message.title == "Recovered: Load of acme 2026-10, after 1 hour"
    assert "It had failed with: hourly-cur-1.csv.gz is cut off." in message.text
    assert "Since:" in message.text


def test_a_kill_between_sending_and_remembering_repeats_that_message_alone_as_the_same_one() -> None:
    dispatcher = Dispatcher()

    class Killing(Listener):
        def send(self, message: object) -> str:
            super().send(message)  # type: ignore[arg-type]
            if len(self.heard) == 2:
                raise KeyboardInterrupt
            return ""

    listener = Killing()
    dispatcher.dispatch(listener)
    dispatcher.see(trouble(), trouble(source="globex", run_id="run-2"))
    dispatcher.save()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.dispatch(listener)
    dispatcher.start_again()
    dispatcher.dispatch(listener)
    first, second, again = listener.heard
    assert first.id != second.id == again.id


def test_what_one_run_did_is_one_message() -> None:
    dispatcher, listener = Dispatcher(), Listener()
    of_summaries = {"what": "build_summaries", "by_month": False, "months": Months("2026-09", "2026-10")}
    dispatcher.see(trouble(**of_summaries), trouble(**of_summaries, source="globex"))
    dispatcher.dispatch(listener)
    (message,) = listener.heard
    assert message.title.startswith("2 problems: Build of the summaries of acme 2026-09 to 2026-10 failed")


def test_a_storm_is_one_message() -> None:
    dispatcher, listener = Dispatcher(), Listener()
    dispatcher.see(*(trouble(source=f"payer-{number:02}", run_id=f"run-{number}") for number in range(60)))
    dispatcher.dispatch(listener)
    (message,) = listener.heard
    assert message.title.startswith("60 problems: Load of payer-00 2026-10 failed")
    assert len(message.title) <= 150
    assert "Load of payer-49" in message.text
    assert message.text.endswith("and 10 more: `cost-lakehouse alerts` lists all that is open.\n")


def test_a_new_channel_is_told_what_is_open_in_one_message_and_nothing_that_is_over() -> None:
    dispatcher, old, new = Dispatcher(), Listener("old"), Listener("new")
    dispatcher.see(trouble(), trouble(source="globex", run_id="run-2"), trouble(source="over", run_id="run-3"))
    dispatcher.dispatch(old, Listener("dead", dead=True))
    dispatcher.see(recovery(source="over", at=after(seconds=30)))
    dispatcher.dispatch(old, new, Listener("dead", dead=True))
    (message,) = new.heard
    assert message.title.startswith("2 problems: ")
    dispatcher.dispatch(old, new)
    assert len(new.heard) == 1


def test_a_message_that_a_channel_will_not_have_does_not_hold_back_the_next() -> None:
    dispatcher = Dispatcher()
    listener = Listener(refusals=[NotSent("invalid_blocks", of_message=True)])
    dispatcher.dispatch(listener)
    dispatcher.see(trouble(), trouble(source="globex", run_id="run-2", at=after(seconds=1)))
    assert len(dispatcher.dispatch(listener).unsent) == 1
    assert [item.title.split()[2] for item in listener.heard] == ["globex"]


def test_a_defect_in_a_channel_is_its_failure_and_does_not_show_what_it_says() -> None:
    dispatcher, well = Dispatcher(), Listener("well")
    broken = Listener("broken", refusals=[ZeroDivisionError("https://secret")])
    dispatcher.see(trouble())
    dispatched = dispatcher.dispatch(broken, well)
    assert len(well.heard) == 1
    assert "ZeroDivisionError" in str(dispatched.unsent[0])
    assert "secret" not in str(dispatched.unsent[0])


def test_what_there_is_no_time_for_is_told_in_the_next_look() -> None:
    dispatcher, listener = Dispatcher(), Listener()
    dispatcher.dispatch(listener)
    dispatcher.see(trouble(), trouble(source="globex", run_id="run-2"))
    spent = iter([False, True])
    dispatch(dispatcher.memory, [listener], after(minutes=1), None, dispatcher.save, lambda: next(spent))
    assert len(listener.heard) == 1
    dispatcher.dispatch(listener)
    assert len(listener.heard) == 2


def test_without_any_channel_what_is_over_is_forgotten_and_what_is_open_kept() -> None:
    dispatcher = Dispatcher()
    dispatcher.see(trouble(), trouble(source="globex"), recovery())
    dispatcher.dispatch()
    assert [incident.source for incident in dispatcher.memory.incidents] == ["globex"]


def test_that_a_channel_is_dead_is_told_through_the_others() -> None:
    dispatcher, well, dead = Dispatcher(), Listener("well"), Listener("dead", dead=True)
    dispatcher.see(trouble(kind=Kind.CHANNEL, what="dead", source="", months=Months(), problem="Nobody answers."))
    assert dispatcher.dispatch(dead, well).unsent == []
    assert well.titles == ["Alerts cannot be sent through dead: Nobody answers."]
