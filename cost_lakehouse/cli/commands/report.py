"""``cost-lakehouse report``: a month's costs as one HTML file, as PDF, or by mail."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cost_lakehouse.alerts.email_channel import EmailChannel
from cost_lakehouse.ask.asking import newest_month
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.files import writing_aside
from cost_lakehouse.cli.output import print_wrapped
from cost_lakehouse.config import Settings
from cost_lakehouse.config.alerts import EMAIL
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError, LakeError, NotSent
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.report.contents import Contents, contents_of
from cost_lakehouse.report.page import amount, page_of
from cost_lakehouse.report.pdf import write_pdf

MAIL = Path("mail")


def write_report(config: Path | None, month_text: str | None, basis: str, file: Path | None) -> int:
    """Write it; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    month = month_of(month_text, settings)
    lake = Lake(settings)
    month = month or newest_month(lake)
    if month is None:
        raise LakeError("The lake holds no bill yet.", "Run `cost-lakehouse run` to load what is delivered.")
    contents = contents_of(lake, month, basis)
    if not contents.bills:
        raise LakeError(f"The lake holds no bill of {month:%Y-%m}.", "`cost-lakehouse status` shows the months that are there.")
    html = page_of(contents)
    if file == MAIL:
        _send(settings, contents, html)
        return 0
    path = file or Path(f"costs-{month:%Y-%m}.html")
    with writing_aside(path) as beside:
        if path.suffix.lower() == ".pdf":
            write_pdf(html, beside)
        else:
            beside.write_text(html, encoding="utf-8")
    print_wrapped(f"{path}: open it in a browser." if path.suffix.lower() != ".pdf" else f"{path}: written.")
    return 0


def _send(settings: Settings, contents: Contents, html: str) -> None:
    """Mail it to those who get alerts, as HTML and as a file beside. Raises ConfigurationError, CostLakehouseError."""
    if settings.alerts.email is None:
        raise ConfigurationError("No mail server is configured.", "Write `alerts: {email: …}`, as docs/alerts.md says.")
    channel = EmailChannel(EMAIL, settings.alerts.email)
    # The same report is the same mail: what was loaded last, and when it was looked ahead, make another one.
    seen = repr([contents.month, contents.basis, contents.loaded_at, *(row["settled_until"] for row in contents.forecasts)])
    mail = channel.addressed(f"Costs of {contents.month:%B %Y}", f"report-{sha256(seen.encode()).hexdigest()[:16]}")
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
    print_wrapped(f"Sent to {', '.join(settings.alerts.email.to)}{f'; {warning}' if warning else ''}.")
