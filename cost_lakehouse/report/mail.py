"""The report as a mail to those who get alerts: as HTML, and as a file beside."""

from __future__ import annotations

from hashlib import sha256

from cost_lakehouse.alerts.email_channel import EmailChannel
from cost_lakehouse.config import Settings
from cost_lakehouse.config.alerts import EMAIL
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError, NotSent
from cost_lakehouse.report.contents import Contents
from cost_lakehouse.report.page import amount


def report_id(contents: Contents) -> str:
    """The same report has the same: what was loaded last, and when it was looked ahead, make another one."""
    seen = repr([contents.month, contents.basis, contents.loaded_at, *(row["settled_until"] for row in contents.forecasts)])
    return sha256(seen.encode()).hexdigest()[:16]


def mail_report(settings: Settings, contents: Contents, html: str) -> str:
    """Send it; a sentence that says to whom. The same report is the same mail.

    Raises ConfigurationError where no mail server is configured, CostLakehouseError where it takes nothing.
    """
    if settings.alerts.email is None:
        raise ConfigurationError("No mail server is configured.", "Write `alerts: {email: …}`, as docs/alerts.md says.")
    channel = EmailChannel(EMAIL, settings.alerts.email)
    mail = channel.addressed(f"Costs of {contents.month:%B %Y}", f"report-{report_id(contents)}")
    lines = [f"{total.total.currency_code or ''} {amount(total.total.cost)}".strip() for total in contents.currencies]
    mail.set_content(
        "\n".join([f"Costs of {contents.month:%B %Y}:", *lines, "", "The report is in the HTML part, and attached.", ""])
    )
    mail.add_alternative(html, subtype="html")
    mail.add_attachment(html, subtype="html", filename=f"costs-{contents.month:%Y-%m}.html")
    try:
        warning = channel.hand_over(mail)
    except NotSent as error:
        raise CostLakehouseError(error.problem, error.fix) from None
    return f"Sent to {', '.join(settings.alerts.email.to)}{f'; {warning}' if warning else ''}."
