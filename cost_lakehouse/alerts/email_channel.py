"""Messages by e-mail: text with HTML beside it, through an SMTP server whose certificate is verified."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from cost_lakehouse.alerts.bodies import html_body
from cost_lakehouse.alerts.messages import Message
from cost_lakehouse.config.alerts import EmailSettings
from cost_lakehouse.errors import NotSent, without_secrets

TIMEOUT_SECONDS = 10.0
SUBJECT_PREFIX = "[cost-lakehouse]"


class EmailChannel:
    """One SMTP server and whom it writes to."""

    def __init__(self, name: str, settings: EmailSettings) -> None:
        self.name = name
        self._settings = settings

    @property
    def goes_to(self) -> str:
        """The receivers and the server."""
        return f"{', '.join(self._settings.to)} by {self._place}"

    def send(self, message: Message) -> str:
        """Hand the message to the server; it counts as taken when the server takes it for at least one receiver.

        Raises NotSent where the server cannot be reached or trusted, or refuses.
        """
        return self.hand_over(self._mail(message))

    def hand_over(self, mail: EmailMessage) -> str:
        """The same of any mail, such as one that ``addressed`` began; what was not accepted for whom."""
        try:
            server = self._connected()
            try:
                refused = server.send_message(mail)
            finally:
                _end(server)
        except ssl.SSLCertVerificationError as error:
            raise NotSent(
                f"{self._place} has no certificate that can be trusted: {error.verify_message}.",
                "Name the server as its certificate does; `ca_file` takes an authority of your own.",
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(f"{self._place} does not accept user and password: {_said(error)}.", "Correct them.") from None
        except smtplib.SMTPNotSupportedError as error:
            raise self._not_supported(str(error)) from None
        except smtplib.SMTPRecipientsRefused as error:
            said = "; ".join(f"{receiver}: {_reply(*reply)}" for receiver, reply in sorted(error.recipients.items()))
            raise NotSent(f"{self._place} accepts no receiver: {said}.", "Correct `to`, or let the server relay.") from None
        except smtplib.SMTPSenderRefused as error:
            raise NotSent(f"{self._place} does not accept the sender: {_said(error)}.", "Correct `from`.") from None
        except smtplib.SMTPDataError as error:
            raise NotSent(f"{self._place} does not accept the message: {_said(error)}.", of_message=True) from None
        except smtplib.SMTPException as error:
            if "authentication method" in str(error):
                raise NotSent(
                    f"{self._place} offers no way of logging in that is known here (CRAM-MD5, PLAIN, LOGIN).",
                    "Let the server offer PLAIN or LOGIN over TLS, or send through a relay without `user` and `password`.",
                ) from None
            raise NotSent(f"{self._place} broke off: {_redacted(str(error), self._settings)}.") from None
        except OSError as error:
            raise NotSent(
                f"{self._place} cannot be reached: {error.strerror or error or type(error).__name__}.",
                "Check host, port, `security` and the way there (firewall).",
            ) from None
        said = "; ".join(f"{receiver}: {_reply(*reply)}" for receiver, reply in sorted(refused.items()))
        return f"not accepted for {said}" if said else ""

    def _not_supported(self, said: str) -> NotSent:
        """The server lacks an extension of SMTP's: AUTH, SMTPUTF8 or STARTTLS."""
        if "AUTH" in said:
            return NotSent(
                f"{self._place} takes no login: it does not offer AUTH{self._if_unsafe()}.",
                "A relay that knows this machine needs none: remove `user` and `password`. Else use the server's submission "
                "port, 465 (tls) or 587 (starttls).",
            )
        if "SMTPUTF8" in said:
            addresses = (self._settings.sender, *self._settings.to)
            strange = ", ".join(address for address in addresses if not address.isascii())
            return NotSent(
                f"{self._place} takes no addresses beyond ASCII (SMTPUTF8): {strange}.",
                "Write `from` and `to` with addresses in ASCII (most mailboxes have one), or use a server that has SMTPUTF8.",
            )
        return NotSent(
            f"{self._place} cannot do what `security: {self._settings.security}` needs: {said}.",
            "Set `security` to what the server offers: starttls, tls or none.",
        )

    def _if_unsafe(self) -> str:
        return "" if self._settings.security != "none" else " on a connection without TLS"

    @property
    def _place(self) -> str:
        return f"SMTP server {self._settings.host}:{self._settings.port_used}"

    def _connected(self) -> smtplib.SMTP:
        given = self._settings
        if given.security == "none":
            return smtplib.SMTP(given.host, given.port_used, timeout=TIMEOUT_SECONDS)
        try:
            trust = ssl.create_default_context(cafile=given.ca_file)
        except (OSError, ssl.SSLError):
            raise NotSent(f"{given.ca_file} cannot be read as certificates.", "Let `ca_file` name a PEM file.") from None
        if given.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(given.host, given.port_used, timeout=TIMEOUT_SECONDS, context=trust)
        else:
            server = smtplib.SMTP(given.host, given.port_used, timeout=TIMEOUT_SECONDS)
        try:
            if given.security == "starttls":
                server.starttls(context=trust)
            if given.user is not None and given.password is not None:
                server.login(given.user, given.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def addressed(self, title: str, mail_id: str) -> EmailMessage:
        """A mail without content to those who are told; sent again with the same id, it is the same mail."""
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = f"{SUBJECT_PREFIX} {title}"
        mail["Date"] = format_datetime(datetime.now(UTC))
        # Many servers and programs keep one of each id.
        mail["Message-ID"] = f"<{mail_id}@{parseaddr(self._settings.sender)[1].rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # no answers by holiday robots
        return mail

    def _mail(self, message: Message) -> EmailMessage:
        mail = self.addressed(message.title, message.id)
        mail.set_content(message.text)
        mail.add_alternative(html_body(message), subtype="html")
        return mail


def _end(server: smtplib.SMTP) -> None:
    """Say goodbye; how that goes changes nothing about what was accepted before."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _said(error: smtplib.SMTPResponseException) -> str:
    return _reply(error.smtp_code, error.smtp_error)


def _reply(code: int, text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(plain.split())}"[:300]


def _redacted(text: str, settings: EmailSettings) -> str:
    return without_secrets(text, [settings.password.get_secret_value()] if settings.password else [])
