"""``cost-lakehouse report``: a month's costs as one HTML file, as PDF, or by mail."""

from __future__ import annotations

from pathlib import Path

from cost_lakehouse.ask.asking import newest_month
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.files import writing_aside
from cost_lakehouse.cli.output import print_wrapped
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.report.contents import contents_of
from cost_lakehouse.report.mail import mail_report
from cost_lakehouse.report.page import page_of
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
        print_wrapped(mail_report(settings, contents, html))
        return 0
    path = file or Path(f"costs-{month:%Y-%m}.html")
    with writing_aside(path) as beside:
        if path.suffix.lower() == ".pdf":
            write_pdf(html, beside)
        else:
            beside.write_text(html, encoding="utf-8")
    print_wrapped(f"{path}: open it in a browser." if path.suffix.lower() != ".pdf" else f"{path}: written.")
    return 0
