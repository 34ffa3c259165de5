"""OCI Notifications: the official SDK publishes to a local Oracle Cloud that verifies its signatures."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_lakehouse.alerts.messages import Message, messages_of, trial_message
from cost_lakehouse.alerts.oci_channel import BODY_BYTES_MAX, OciChannel, cut
from cost_lakehouse.config.alerts import NotificationsSettings
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import NotSent
from tests.alerts.builders import NOON, incidents, trouble
from tests.services.oci import Fault, OciServer


def topic_of(server: OciServer, folder: Path, topic: str | None = None, waits: list[float] | None = None) -> OciChannel:
    """The channel to a topic of that server, as a user with an API key."""
    key = server.add_user(folder)
    identity = OciSettings(config_file=str(key.config_file), notifications_endpoint=server.endpoint)
    settings = NotificationsSettings(topic=topic or server.make_topic(), oci=identity)
    return OciChannel("notifications", settings, sleep=(waits if waits is not None else []).append)


def failed(problem: str = "hourly-cur-1.csv.gz is cut off.") -> Message:
    """The message of a failed load."""
    ((message, _),) = messages_of(incidents(trouble(problem=problem)), "https://dagster.example.com")
    return message


def test_a_message_is_published_with_title_and_text(oci_server: OciServer, tmp_path: Path) -> None:
    topic = oci_server.make_topic()
    assert topic_of(oci_server, tmp_path, topic).send(failed("Größe & more")) == ""
    (published,) = oci_server.messages(topic)
    assert published.title == "Load of acme 2026-10 failed: Größe & more"
    assert published.body.splitlines()[0] == published.title
    assert "Run:   https://dagster.example.com/runs/run-1" in published.body.splitlines()


def test_throttling_is_waited_for(oci_server: OciServer, tmp_path: Path) -> None:
    waits: list[float] = []
    channel = topic_of(oci_server, tmp_path, waits=waits)
    oci_server.fail(Fault(status=429, code="TooManyRequests", retry_after=2, times=2))
    channel.send(trial_message(NOON))
    assert len(oci_server.published) == 1
    assert waits == [2.0, 2.0]


def test_a_service_that_stays_broken_is_left_for_the_next_look(oci_server: OciServer, tmp_path: Path) -> None:
    channel = topic_of(oci_server, tmp_path)
    oci_server.fail(Fault(status=500, code="InternalServerError", times=10))
    with pytest.raises(NotSent, match="throttling or failing") as told:
        channel.send(trial_message(NOON))
    assert not told.value.of_message


def test_a_topic_that_is_not_there_is_told_with_cause_and_fix(oci_server: OciServer, tmp_path: Path) -> None:
    nowhere = "ocid1.onstopic.oc1.eu-frankfurt-1.aaaa"
    with pytest.raises(NotSent, match=f"topic {nowhere} is not there, or not for this identity") as told:
        topic_of(oci_server, tmp_path, nowhere).send(trial_message(NOON))
    assert "policy" in told.value.fix


def test_without_an_api_key_the_machine_is_told_so(tmp_path: Path) -> None:
    identity = OciSettings(config_file=str(tmp_path / "none"))
    channel = OciChannel("notifications", NotificationsSettings(topic="ocid1.onstopic.oc1.eu-frankfurt-1.aaaa", oci=identity))
    with pytest.raises(NotSent, match="no usable API key"):
        channel.send(trial_message(NOON))


def test_the_region_is_the_topics() -> None:
    settings = NotificationsSettings(topic="ocid1.onstopic.oc1.iad.aaaa", oci=OciSettings(region="eu-frankfurt-1"))
    assert OciChannel("notifications", settings)._oci.region == "us-ashburn-1"


def test_a_text_is_cut_to_what_one_message_takes_between_two_characters() -> None:
    short = "ü" * 100
    assert cut(short) == short
    long = cut("ü" * 70_000)
    assert BODY_BYTES_MAX - 2 < len(long.encode()) <= BODY_BYTES_MAX
    assert long.endswith("lists all that is open]\n")
