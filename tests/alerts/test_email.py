"""E-mail through a real SMTP server: plain, STARTTLS, TLS, with and without a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.alerts.email_channel import EmailChannel
from cost_lakehouse.alerts.messages import Message, messages_of, trial_message
from cost_lakehouse.config.alerts import EmailSettings
from cost_lakehouse.errors import NotSent
from tests.alerts.builders import NOON, incidents, recovery, trouble
from tests.alerts.servers import Mailbox, smtp_server
from tests.services.certificates import make_tls
from tests.services.ports import free_ports

# What the server says to its operator where a test logs in by TLS from the first byte.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
RECEIVERS = ("finops@example.com", "Ann Other <ann@example.com>")


def email(mailbox: Mailbox | None = None, **given: Any) -> EmailChannel:
    """The channel to that server."""
    usual: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": mailbox.port if mailbox else free_ports(1)[0],
        "security": "none",
        "from": "Lakehouse <lakehouse@example.com>",
        "to": RECEIVERS,
    }
    return EmailChannel("email", EmailSettings(**{**usual, **given}))


def failed() -> Message:
    """The message of a failed load."""
    ((message, _),) = messages_of(incidents(trouble(problem="Größe <unbekannt> & more")), "https://dagster.example.com")
    return message


def test_a_mail_says_it_all_in_its_subject_and_in_text_and_html() -> None:
    with smtp_server() as mailbox:
        assert email(mailbox).send(failed()) == ""
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[cost-lakehouse] Load of acme 2026-10 failed: Größe <unbekannt> & more"
    assert mail["From"] == "Lakehouse <lakehouse@example.com>"
    assert mailbox.receivers == [["finops@example.com", "ann@example.com"]]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for line in (
        "Where: acme 2026-10",
        "Since: 2026-11-02 12:00 UTC",
        "Cause: Größe <unbekannt> & more",
        "Fix:   Wait for the next delivery.",
        "Run:   https://dagster.example.com/runs/run-1",
    ):
        assert line in text.get_content().splitlines()
    assert "Größe &lt;unbekannt&gt; &amp; more" in html.get_content()
    assert '<a href="https://dagster.example.com/runs/run-1">' in html.get_content()


def test_the_same_message_sent_again_is_the_same_mail_and_its_recovery_another() -> None:
    with smtp_server() as mailbox:
        channel = email(mailbox)
        channel.send(failed())
        channel.send(failed())
        ((over, _),) = messages_of(incidents(trouble(), recovery()), None)
        channel.send(over)
    ids = [mail["Message-ID"] for mail in mailbox.mails]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@example.com>")
    assert mailbox.mails[2]["Subject"] == "[cost-lakehouse] Recovered: Load of acme 2026-10, after 1 hour"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_with_tls_is_verified_and_logged_in_at(tmp_path: Path, security: str) -> None:
    context, authority = make_tls(tmp_path)
    with smtp_server(**{security: context}, auth=True) as mailbox:
        given = {"security": security, "user": "lakehouse", "password": "right"}
        email(mailbox, **given, ca_file=str(authority)).send(trial_message(NOON))
        assert mailbox.encrypted == [True]
        assert mailbox.logins == [(b"lakehouse", b"right")]

        with pytest.raises(NotSent, match="no certificate that can be trusted") as untrusted:
            email(mailbox, **given).send(trial_message(NOON))
        assert "ca_file" in untrusted.value.fix
        assert len(mailbox.logins) == 1


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    context, authority = make_tls(tmp_path)
    with smtp_server(starttls=context, auth=True) as mailbox, pytest.raises(NotSent, match="does not accept user and") as told:
        email(mailbox, security="starttls", user="lakehouse", password="a-wrong-one", ca_file=str(authority)).send(
            trial_message(NOON)
        )
    assert "a-wrong-one" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_server_without_tls_gets_no_password() -> None:
    with smtp_server() as mailbox, pytest.raises(NotSent, match="cannot do what `security: starttls` needs"):
        email(mailbox, security="starttls", user="lakehouse", password="right").send(trial_message(NOON))
    assert mailbox.logins == []


def test_nobody_there_is_told_with_host_and_port() -> None:
    channel = email()
    with pytest.raises(NotSent, match=r"SMTP server 127.0.0.1:\d+ cannot be reached: Connection refused"):
        channel.send(trial_message(NOON))


def test_one_refused_receiver_is_remarked_and_the_others_get_it() -> None:
    with smtp_server() as mailbox:
        mailbox.strangers = {"ann@example.com"}
        warning = email(mailbox).send(trial_message(NOON))
    assert warning == "not accepted for ann@example.com: 550 no such user"
    assert mailbox.receivers == [["finops@example.com"]]


def test_no_receiver_at_all_is_a_failure() -> None:
    with smtp_server() as mailbox:
        mailbox.strangers = {"ann@example.com", "finops@example.com"}
        with pytest.raises(NotSent, match="accepts no receiver: ann@example.com: 550 no such user; finops"):
            email(mailbox).send(trial_message(NOON))


def test_a_refused_message_does_not_hold_back_others() -> None:
    with smtp_server() as mailbox:
        mailbox.answers = ["554 looks like spam"]
        with pytest.raises(NotSent, match="does not accept the message: 554 looks like spam") as told:
            email(mailbox).send(trial_message(NOON))
        assert told.value.of_message
        email(mailbox).send(trial_message(NOON))
    assert len(mailbox.mails) == 1


def test_a_server_without_login_or_without_other_alphabets_is_told_for_that() -> None:
    settings: dict[str, Any] = {"from": "lakehouse@example.com", "to": ["jörg@example.com", "ann@example.com"]}
    channel = email(None, **settings)
    login = channel._not_supported("SMTP AUTH extension not supported by server.")
    assert "takes no login: it does not offer AUTH" in login.problem
    assert "remove `user` and `password`" in login.fix
    alphabet = channel._not_supported("One or more addresses require internationalized email support (SMTPUTF8)")
    assert "takes no addresses beyond ASCII (SMTPUTF8): jörg@example.com." in alphabet.problem
    assert "`security`" not in alphabet.fix
    tls = channel._not_supported("STARTTLS extension not supported by server.")
    assert "cannot do what `security: none` needs" in tls.problem
