"""Every channel is told once of each cause and of its end, whatever the other channels do and whenever the process dies."""

from __future__ import annotations

import pytest

from cost_lakehouse.alerts.channels import Channel
from cost_lakehouse.alerts.incidents import Kind, Months, fold
from cost_lakehouse.alerts.memory import Memory, dumped, loaded
from cost_lakehouse.alerts.not_sent import NotSent
from cost_lakehouse.alerts.telling import Told, tell
from tests.alerts.builders import NOON, Listener, after, recovery, trouble


class Teller:
    """The memory and its copy that a process which is killed leaves behind."""

    def __init__(self) -> None:
        self.memory = Memory(NOON, NOON)
        self.kept = dumped(self.memory)

    def see(self, *seen: object) -> None:
        fold(self.memory.incidents, seen)  # type: ignore[arg-type]

    def tell(self, *channels: Channel) -> Told:
        told = tell(self.memory, channels, after(minutes=1), None, self.save)
        self.memory.last_look = after(minutes=1)
        self.save()
        return told

    def save(self) -> None:
        self.kept = dumped(self.memory)

    def start_again(self) -> None:
        """As a new process after a kill."""
        self.memory = loaded(self.kept, NOON)


def test_a_cause_is_told_once_and_so_is_its_end() -> None:
    teller, listener = Teller(), Listener()
    for _ in range(3):
        teller.see(trouble())
        teller.tell(listener)
    teller.see(recovery())
    teller.tell(listener)
    teller.tell(listener)
    assert listener.titles == [
        "Load of acme 2026-10 failed: hourly-cur-1.csv.gz is cut off.",
        "Recovered: Load of acme 2026-10, after 1 hour",
    ]
    assert teller.memory.incidents == []


def test_another_cause_of_the_same_failure_is_told_too() -> None:
    teller, listener = Teller(), Listener()
    teller.see(trouble())
    teller.tell(listener)
    teller.see(trouble(cause="DeliveryRefused", problem="12,34 is no number."))
    teller.tell(listener)
    assert listener.titles[1:] == ["Load of acme 2026-10 failed: 12,34 is no number."]
    assert listener.heard[0].id != listener.heard[1].id


def test_a_dead_channel_neither_blocks_nor_repeats_the_others_and_is_told_when_it_is_back() -> None:
    teller, dead, well = Teller(), Listener("dead", dead=True), Listener("well")
    teller.see(trouble())
    for _ in range(3):
        told = teller.tell(dead, well)
        assert [str(each) for each in told.unsent] == ["Alerts cannot be sent through dead: Nobody answers. Wake somebody."]
    assert len(well.heard) == 1
    assert teller.memory.channels["dead"].failing_since == after(minutes=1)
    dead.dead = False
    assert teller.tell(dead, well).unsent == []
    assert dead.titles == well.titles
    assert teller.memory.channels["dead"].failing_since is None


def test_what_began_and_ended_while_a_channel_was_dead_is_told_as_one_message() -> None:
    teller, dead = Teller(), Listener(dead=True)
    teller.see(trouble())
    teller.tell(dead)
    teller.see(recovery())
    teller.tell(dead)
    dead.dead = False
    teller.tell(dead)
    (message,) = dead.heard
    assert message.title == "Recovered: Load of acme 2026-10, after 1 hour"
    assert "It had failed with: hourly-cur-1.csv.gz is cut off." in message.text
    assert "Since:" in message.text


def test_a_kill_between_sending_and_remembering_repeats_that_message_alone_as_the_same_one() -> None:
    teller = Teller()

    class Killing(Listener):
        def send(self, message: object) -> str:
            super().send(message)  # type: ignore[arg-type]
            if len(self.heard) == 2:
                raise KeyboardInterrupt
            return ""

    listener = Killing()
    teller.tell(listener)
    teller.see(trouble(), trouble(source="globex", run_id="run-2"))
    teller.save()
    with pytest.raises(KeyboardInterrupt):
        teller.tell(listener)
    teller.start_again()
    teller.tell(listener)
    first, second, again = listener.heard
    assert first.id != second.id == again.id


def test_what_one_run_did_is_one_message() -> None:
    teller, listener = Teller(), Listener()
    of_summaries = {"what": "build_summaries", "by_month": False, "months": Months("2026-09", "2026-10")}
    teller.see(trouble(**of_summaries), trouble(**of_summaries, source="globex"))
    teller.tell(listener)
    (message,) = listener.heard
    assert message.title.startswith("2 problems: Build of the summaries of acme 2026-09 to 2026-10 failed")


def test_a_storm_is_one_message() -> None:
    teller, listener = Teller(), Listener()
    teller.see(*(trouble(source=f"payer-{number:02}", run_id=f"run-{number}") for number in range(60)))
    teller.tell(listener)
    (message,) = listener.heard
    assert message.title.startswith("60 problems: Load of payer-00 2026-10 failed")
    assert len(message.title) <= 150
    assert "Load of payer-49" in message.text
    assert message.text.endswith("and 10 more: `cost-lakehouse alerts` lists all that is open.\n")


def test_a_new_channel_is_told_what_is_open_in_one_message_and_nothing_that_is_over() -> None:
    teller, old, new = Teller(), Listener("old"), Listener("new")
    teller.see(trouble(), trouble(source="globex", run_id="run-2"), trouble(source="over", run_id="run-3"))
    teller.tell(old, Listener("dead", dead=True))
    teller.see(recovery(source="over", at=after(seconds=30)))
    teller.tell(old, new, Listener("dead", dead=True))
    (message,) = new.heard
    assert message.title.startswith("2 problems: ")
    teller.tell(old, new)
    assert len(new.heard) == 1


def test_a_message_that_a_channel_will_not_have_does_not_hold_back_the_next() -> None:
    teller = Teller()
    listener = Listener(refusals=[NotSent("invalid_blocks", of_message=True)])
    teller.tell(listener)
    teller.see(trouble(), trouble(source="globex", run_id="run-2", at=after(seconds=1)))
    assert len(teller.tell(listener).unsent) == 1
    assert [each.title.split()[2] for each in listener.heard] == ["globex"]


def test_a_defect_in_a_channel_is_its_failure_and_does_not_show_what_it_says() -> None:
    teller, well = Teller(), Listener("well")
    broken = Listener("broken", refusals=[ZeroDivisionError("https://secret")])
    teller.see(trouble())
    told = teller.tell(broken, well)
    assert len(well.heard) == 1
    assert "ZeroDivisionError" in str(told.unsent[0])
    assert "secret" not in str(told.unsent[0])


def test_what_there_is_no_time_for_is_told_in_the_next_look() -> None:
    teller, listener = Teller(), Listener()
    teller.tell(listener)
    teller.see(trouble(), trouble(source="globex", run_id="run-2"))
    spent = iter([False, True])
    tell(teller.memory, [listener], after(minutes=1), None, teller.save, lambda: next(spent))
    assert len(listener.heard) == 1
    teller.tell(listener)
    assert len(listener.heard) == 2


def test_without_any_channel_what_is_over_is_forgotten_and_what_is_open_kept() -> None:
    teller = Teller()
    teller.see(trouble(), trouble(source="globex"), recovery())
    teller.tell()
    assert [each.source for each in teller.memory.incidents] == ["globex"]


def test_that_a_channel_is_dead_is_told_through_the_others() -> None:
    teller, well, dead = Teller(), Listener("well"), Listener("dead", dead=True)
    teller.see(trouble(kind=Kind.CHANNEL, what="dead", source="", months=Months(), problem="Nobody answers."))
    assert teller.tell(dead, well).unsent == []
    assert well.titles == ["Alerts cannot be sent through dead: Nobody answers."]
