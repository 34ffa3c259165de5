"""Troubles become incidents: one a cause, from the first time it is seen to its end."""

from __future__ import annotations

from cost_lakehouse.alerts.incidents import ENDED, Kind, Months, Recovery, fold, forget
from cost_lakehouse.alerts.memory import ChannelState, Memory, dumped, loaded
from tests.alerts.builders import NOON, after, incidents, recovery, trouble


def test_the_same_trouble_seen_again_is_the_same_incident() -> None:
    (only,) = incidents(
        trouble(), trouble(at=after(minutes=5), run_id="run-2", problem="hourly-cur-1.csv.gz is cut off again.")
    )
    assert (only.since, only.last, only.times, only.stage) == (NOON, after(minutes=5), 2, 1)
    assert (only.run_id, only.problem) == ("run-2", "hourly-cur-1.csv.gz is cut off again.")


def test_another_kind_of_error_is_news_but_only_once() -> None:
    found = incidents(trouble(), trouble(cause="DeliveryRefused"))
    assert found[0].stage == 2
    (still,) = incidents(trouble(), trouble(cause="DeliveryRefused"), trouble(), trouble(cause="DeliveryRefused"))
    assert still.stage == 2


def test_every_month_of_a_source_that_loads_has_its_own() -> None:
    assert len(incidents(trouble(), trouble(months=Months.one("2026-09")))) == 2


def test_summaries_of_one_source_are_one_incident_that_spans_its_months() -> None:
    of_summaries = {"what": "build_summaries", "by_month": False}
    found = incidents(
        trouble(**of_summaries, months=Months("2026-09", "2026-09")),
        trouble(**of_summaries, months=Months("2026-10", "2026-11")),
    )
    assert [entry.months for entry in found] == [Months("2026-09", "2026-11")]


def test_a_success_of_the_same_source_and_month_ends_it() -> None:
    (ended,) = incidents(trouble(), recovery())
    assert (ended.ended, ended.stage, ended.end_run_id) == (after(hours=1), ENDED, "run-9")


def test_a_success_elsewhere_or_before_ends_nothing() -> None:
    for other in (
        recovery(source="globex"),
        recovery(months=Months.one("2026-09")),
        recovery(what="build_summaries"),
        recovery(kind=Kind.CHECK),
        recovery(at=after(hours=-1)),
        recovery(part="oci_usage"),
    ):
        (still_open,) = incidents(trouble(), other)
        assert still_open.ended is None, other


def test_a_build_of_all_sources_ends_what_it_does_not_except() -> None:
    of_summaries = {"what": "build_summaries", "by_month": False, "months": Months("2026-09", "2026-10")}
    everything_but_globex = Recovery(
        Kind.RUN, "build_summaries", after(hours=1), "built", not_of=frozenset({"globex"}), months=Months("2026-08", "2026-10")
    )
    found = incidents(trouble(**of_summaries), trouble(**of_summaries, source="globex"), everything_but_globex)
    assert [(entry.source, entry.ended is not None) for entry in found] == [("acme", True), ("globex", False)]


def test_a_build_of_fewer_months_proves_nothing_about_the_others() -> None:
    of_summaries = {"what": "build_summaries", "by_month": False, "months": Months("2026-09", "2026-10")}
    (still_open,) = incidents(trouble(**of_summaries), recovery(what="build_summaries", months=Months.one("2026-10")))
    assert still_open.ended is None


def test_trouble_that_comes_back_is_a_new_incident_for_who_knew_its_end_and_the_old_one_for_who_did_not() -> None:
    found = incidents(trouble(), recovery())
    found[0].notified = {"quick": ENDED, "dead": 1}
    first = found[0].id
    fold(found, [trouble(at=after(hours=2), run_id="run-10")])
    assert found[0].id != first
    assert found[0].is_news_for("quick")
    assert not found[0].is_news_for("dead")


def test_what_ended_is_forgotten_once_every_channel_knows() -> None:
    found = incidents(trouble(), recovery())
    found[0].notified = {"email": ENDED}
    forget(found, ["email", "slack"])
    assert len(found) == 1
    found[0].notified["slack"] = ENDED
    forget(found, ["email", "slack"])
    assert found == []


def test_a_dead_channel_is_not_told_of_itself() -> None:
    (incident,) = incidents(trouble(kind=Kind.CHANNEL, what="email", source=""))
    assert incident.is_news_for("slack")
    assert not incident.is_news_for("email")


def test_memory_is_the_same_after_it_was_written_down() -> None:
    memory = Memory(NOON, after(hours=1), runs_seen={"run-1": NOON}, sources_since={"acme": NOON}, last_poll=NOON)
    memory.channels = {"email": ChannelState(failing_since=NOON, problem="no", fix="yes")}
    memory.incidents = incidents(trouble(details=("a check",)), trouble(source="globex"), recovery())
    memory.incidents[0].notified = {"email": 1}
    assert loaded(dumped(memory), after(days=1)) == memory


def test_without_memory_alerting_begins_now() -> None:
    assert loaded(None, NOON) == Memory(NOON, NOON)
    assert loaded('{"version": 99}', NOON) == Memory(NOON, NOON)


def test_a_long_text_is_cut() -> None:
    (incident,) = incidents(trouble(problem="x" * 10_000, details=tuple("y" for _ in range(50))))
    assert len(incident.problem) == 2000
    assert len(incident.details) == 10
