"""``cost-lakehouse invoices``: puts invoices on record, and shows each beside the bill."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.cli.choices import month_of, settings_of, sources_of
from cost_lakehouse.cli.output import EXIT_FAILED, amount_shown, console, print_json, print_problem, print_table, say
from cost_lakehouse.cli.progress import working
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.config.source import BucketSettings, SourceSettings
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.invoices.comparison import DIFFERS, compared_invoices
from cost_lakehouse.invoices.files import invoices_in
from cost_lakehouse.invoices.invoice import Invoice
from cost_lakehouse.invoices.oracle import PLACE, ROUNDED, fetch_oracle_invoices
from cost_lakehouse.invoices.record import Recorded, months_by_payer, record_invoices
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.sources.registry import kind_of

_COLUMNS = (
    Column("source"),
    Column("month"),
    Column("invoice", "id", 1),
    Column("currency"),
    Column("invoiced", "number"),
    Column("bill", "number"),
    Column("difference", "number", 2),
    Column("allowance", "number", 4),
    Column("state"),
    Column("explanation", "text", 3),
)


def import_invoices(config: Path | None, file: Path, source: str | None) -> int:
    """Record the invoices of a file; the exit code. Raises InvoicesRefused, LakeError."""
    settings = settings_of(config)
    found = invoices_in(file)
    _tell(record_invoices(Lake(settings), settings, found, f"file {file.name}", source))
    return 0


def fetch_all(config: Path | None, source: str | None, month: str | None) -> int:
    """Ask AWS and Oracle, source by source, and record what they say; the exit code. One that fails holds back no other.

    Raises ConfigurationError where no chosen source's invoices can be asked for.
    """
    settings = settings_of(config)
    chosen = [entry for entry in sources_of(settings, source) if kind_of(entry).provider == "aws" or _oracle(entry)]
    if not chosen:
        raise ConfigurationError(
            f"{f'Source {source}' if source else 'No source'} of {settings.file} is {'not ' if source else ''}a bill of AWS, "
            "or of Oracle by `tenancy`.",
            "Only these are asked for invoices; others' come in a file: `cost-lakehouse invoices import`.",
        )
    lake = Lake(settings)
    held = months_by_payer(lake)
    only = month_of(month, settings)
    failed = False
    for entry in chosen:
        wanted = [(payer, period) for name, payer, period in held if name == entry.name and only in (None, period)]
        if not wanted:
            say(f"{entry.name}: the lake holds no bill{f' of {month}' if month else ''} yet, so no invoice is asked for.")
            continue
        try:
            with working(f"Asking for invoices of {entry.name}", console(stderr=True)):
                found, origin = _fetched(settings, entry, wanted)
            _tell(record_invoices(lake, settings, found, origin, entry.name), entry.name)
            if found and _oracle(entry):
                say(f"  {ROUNDED}")
        except CostLakehouseError as error:
            failed = True
            print_problem(f"{entry.name}: {error.problem}", error.fix)
    return EXIT_FAILED if failed else 0


def _oracle(entry: SourceSettings) -> tuple[str, OciSettings] | None:
    """The tenancy that Oracle itself is asked about, and who asks; None of any other source."""
    return entry.oracle if isinstance(entry, BucketSettings) else None


def _fetched(settings: Settings, entry: SourceSettings, wanted: list[tuple[str, date]]) -> tuple[list[Invoice], str]:
    """The invoices of a source's payers and months, and where they are from. Raises SourceError, InvoicesRefused."""
    oracle = _oracle(entry)
    if oracle is not None:
        tenancy, identity = oracle
        found = fetch_oracle_invoices(identity.relative_to(settings.base), tenancy, {period for _, period in wanted})
        return found, PLACE
    from cost_lakehouse.invoices.fetch import fetch_invoices  # boto3 takes half a second

    return [invoice for payer, period in wanted for invoice in fetch_invoices(entry, payer, period)], "AWS Invoicing"


def show_invoices(config: Path | None, source: str | None, month: str | None, as_json: bool) -> int:
    """Print what was invoiced beside what the bill says; the exit code: 1 where one differs."""
    settings: Settings = settings_of(config)
    period = month_of(month, settings)
    rows = [
        row
        for row in compared_invoices(Lake(settings))
        if source in (None, row.source) and period in (None, row.billing_period)
    ]
    if as_json:
        print_json([row.__dict__ for row in rows])
    elif not rows:
        say("No invoice is on record, and no line of a bill names one.")
    else:
        print_table(
            _COLUMNS,
            [
                (
                    row.source,
                    f"{row.billing_period:%Y-%m}",
                    row.invoice_id or "",
                    row.currency_code or "",
                    *("" if value is None else amount_shown(value) for value in (row.invoiced, row.billed, row.difference)),
                    "" if row.allowance is None else amount_shown(row.allowance, exact=True),
                    row.state,
                    row.explanation or "",
                )
                for row in rows
            ],
        )
    return EXIT_FAILED if any(row.state == DIFFERS for row in rows) else 0


def _tell(recorded: Recorded, source: str = "") -> None:
    of_source = f"{source}: " if source else ""
    counts = f"{len(recorded.new)} new, {len(recorded.changed)} changed, {recorded.known} known"
    say(f"{of_source}Invoices recorded: {counts}.")
    if recorded.slices:
        say(f"The next `cost-lakehouse run` compares {', '.join(map(str, recorded.slices))} with the bill.")
