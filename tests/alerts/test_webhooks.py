"""Webhooks to a real HTTP server: the three bodies, busy and broken servers, and an address that never shows."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cost_lakehouse.alerts.messages import Message, messages_of, trial_message
from cost_lakehouse.alerts.webhook_channel import WebhookChannel
from cost_lakehouse.config.alerts import WebhookSettings
from cost_lakehouse.errors import NotSent
from tests.alerts.builders import NOON, after, incidents, recovery, trouble
from tests.alerts.servers import Hook, http_server
from tests.services.certificates import make_tls
from tests.services.ports import free_ports

DAGSTER = "https://dagster.example.com"


def webhook(url: str, waits: list[float] | None = None, **given: Any) -> WebhookChannel:
    """The channel to that address; ``waits`` gets the pauses that it makes."""
    return WebhookChannel(WebhookSettings(url=SecretStr(url), **given), sleep=(waits if waits is not None else []).append)


def failed(**given: Any) -> Message:
    """The message of a failed load."""
    ((message, _),) = messages_of(incidents(trouble(**given)), DAGSTER)
    return message


def many(count: int) -> Message:
    """One message of so many failures."""
    found = incidents(*(trouble(source=f"payer-{number:03}", run_id=f"run-{number}") for number in range(count)))
    ((message, _),) = messages_of(found, DAGSTER)
    return message


def sent(hook: Hook, message: Message, **given: Any) -> Any:
    """The body that arrives."""
    assert webhook(hook.url, **given).send(message) == ""
    return hook.posted[-1].body


def test_json_tells_a_program_everything() -> None:
    with http_server() as hook:
        body = sent(hook, failed(details=("check x failed",)), headers={"X-Token": "a-token"})
        assert hook.posted[0].headers["X-Token"] == "a-token"
        assert hook.posted[0].headers["Content-Type"] == "application/json; charset=utf-8"
    (incident,) = body.pop("incidents")
    assert body == {
        "version": 1,
        "id": incident["id"],
        "title": "Load of acme 2026-10 failed: hourly-cur-1.csv.gz is cut off.",
    }
    assert incident.pop("id").endswith("-1")
    assert incident == {
        "event": "failed",
        "title": "Load of acme 2026-10 failed: hourly-cur-1.csv.gz is cut off.",
        "kind": "run",
        "what": "load_line_items",
        "source": "acme",
        "part": "",
        "months": "2026-10",
        "severity": "error",
        "since": "2026-11-02T12:00:00+00:00",
        "until": None,
        "times": 1,
        "problem": "hourly-cur-1.csv.gz is cut off.",
        "fix": "Wait for the next delivery.",
        "details": ["check x failed"],
        "run_id": "run-1",
        "url": f"{DAGSTER}/runs/run-1",
    }


def test_a_recovery_says_until_when_and_of_what() -> None:
    ((message, _),) = messages_of(incidents(trouble(), recovery()), DAGSTER)
    with http_server() as hook:
        (incident,) = sent(hook, message)["incidents"]
    assert (incident["event"], incident["until"]) == ("recovered", "2026-11-02T13:00:00+00:00")
    assert "hourly-cur-1.csv.gz is cut off." in incident["problem"]
    assert incident["url"] == f"{DAGSTER}/runs/run-9"


def test_slack_gets_text_and_blocks_within_its_limits() -> None:
    with http_server() as hook:
        body = sent(hook, failed(problem="a <b> & c " + "x" * 5000), format="slack")
        assert body["text"].startswith("Load of acme 2026-10 failed: a &lt;b&gt; &amp; c")
        header, section = body["blocks"]
        assert header["type"] == "header"
        assert len(header["text"]["text"]) <= 150
        assert f"*Run*: <{DAGSTER}/runs/run-1|run-1>" in section["text"]["text"]
        assert len(section["text"]["text"]) <= 3000

        storm = sent(hook, many(80), format="slack")
        assert len(storm["blocks"]) <= 50
        assert storm["text"].startswith("80 problems: ")


def test_teams_gets_an_adaptive_card_within_its_limits() -> None:
    with http_server() as hook:
        body = sent(hook, failed(), format="teams")
        (attachment,) = body["attachments"]
        card = attachment["content"]
        assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
        assert (card["type"], card["version"], card["body"][0]["color"]) == ("AdaptiveCard", "1.4", "Attention")
        facts = {item["title"]: item["value"] for item in card["body"][1]["facts"]}
        assert facts["Cause"] == "hourly-cur-1.csv.gz is cut off."
        assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open in Dagster", "url": f"{DAGSTER}/runs/run-1"}]

        for message in (many(80), failed(problem="x" * 2000, fix="y" * 2000, details=("z" * 2000,) * 10)):
            assert len(json.dumps(sent(hook, message, format="teams"), ensure_ascii=False).encode()) < 28_000


def test_a_busy_or_broken_server_is_asked_again_after_the_pause_that_it_wants() -> None:
    waits: list[float] = []
    with http_server() as hook:
        hook.answers = [(429, {"Retry-After": "3"}, ""), (503, {}, "")]
        webhook(hook.url, waits).send(trial_message(NOON))
        assert len(hook.posted) == 3
    assert waits == [3.0, 2.0]


@pytest.mark.parametrize("answer", [(500, {}, "boom"), (429, {"Retry-After": "600"}, "boom")])
def test_a_server_that_stays_busy_is_left_for_the_next_look(answer: tuple[int, dict[str, str], str]) -> None:
    with http_server() as hook:
        hook.answers = [answer] * 3
        with pytest.raises(NotSent, match=f"answered {answer[0]}: boom") as told:
            webhook(hook.url).send(trial_message(NOON))
    assert not told.value.of_message


@pytest.mark.parametrize(("status", "of_message"), [(400, True), (413, True), (403, False), (404, False), (302, False)])
def test_a_refusal_is_not_repeated(status: int, of_message: bool) -> None:
    with http_server() as hook:
        hook.answers = [(status, {"Location": "http://127.0.0.1:9/"} if status == 302 else {}, "invalid_payload")]
        with pytest.raises(NotSent, match=f"the server answered {status}: invalid_payload") as told:
            webhook(hook.url).send(trial_message(NOON))
        assert len(hook.posted) == 1
    assert told.value.of_message is of_message


def test_a_server_is_believed_only_with_a_certificate_of_somebody_known(tmp_path: Path) -> None:
    context, authority = make_tls(tmp_path)
    with http_server(context) as hook:
        with pytest.raises(NotSent, match="certificate cannot be trusted"):
            webhook(hook.url).send(trial_message(NOON))
        webhook(hook.url, ca_file=str(authority)).send(trial_message(NOON))
        assert len(hook.posted) == 1


def test_neither_the_address_nor_a_header_ever_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (port,) = free_ports(1)
    secrets = ("T0SECRET", "B0SECRET", "xyzzyxyzzy", "a-token")
    told: list[str] = []
    with http_server() as hook:
        hook.answers = [(400, {}, f"no hook {hook.url} with a-token"), (404, {}, "no /services/T0SECRET/B0SECRET/xyzzyxyzzy")]
        for url in (hook.url, hook.url, hook.url.replace(hook.url.split("/")[2], f"127.0.0.1:{port}")):
            channel = webhook(url, headers={"X-Token": "a-token"})
            with pytest.raises(NotSent) as error:
                channel.send(trial_message(NOON))
            assert error.value.__cause__ is None
            assert error.value.__suppress_context__ or error.value.__context__ is None
            told += [str(error.value), repr(channel.__dict__), channel.goes_to]
    told += [record.getMessage() for record in caplog.records]
    assert [secret for secret in secrets for text in told if secret in text] == []


def test_texts_of_any_language_arrive_as_they_are() -> None:
    with http_server() as hook:
        body = sent(hook, failed(problem="Größe 大きさ", at=after(minutes=1)))
    assert body["incidents"][0]["problem"] == "Größe 大きさ"
