"""``python -m sample_bills OUT_DIR``: writes sample deliveries and prints their exact totals."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sample_bills.bills import Bill, FileFormat, Headers, Report, Versioning, months_from, usual_deliveries
from sample_bills.faults import Fault
from sample_bills.money import plain
from sample_bills.oci_bills import OciBill
from sample_bills.oci_faults import OciFault
from sample_bills.oci_writing import write_oci
from sample_bills.writing import write_delivery

_F = TypeVar("_F", bound=StrEnum)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the arguments ask for; 0 done, 2 wrong usage."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    try:
        if wanted.provider == "oci":
            _write_tenancy(wanted)
        else:
            for number in range(wanted.payers):
                _write_payer(wanted, number)
    except ValueError as error:
        parser.error(str(error))
    return 0


def _write_payer(wanted: argparse.Namespace, number: int) -> None:
    athena = wanted.format is FileFormat.PARQUET and wanted.report is Report.LEGACY
    bill = Bill(
        months=_months(wanted.months),
        rows=wanted.rows,
        seed=wanted.seed + number,
        payer_account_id=f"{1234567890 + number * 1111111111:012d}",
        currency=wanted.currency,
        bucket=wanted.bucket or "acme-billing",
        prefix=wanted.prefix,
        report_name=wanted.report_name if number == 0 else f"{wanted.report_name}-{number + 1}",
        file_format=wanted.format,
        versioning=Versioning.OVERWRITE if athena else wanted.versioning,
        headers=wanted.headers,
        report=wanted.report,
        coarse_amounts=wanted.coarse_amounts,
        discounts=not wanted.plain,
        split_costs=not wanted.plain,
    )
    deliveries = usual_deliveries(bill, files=wanted.files, gzip_level=wanted.gzip_level)
    # Faults hit the last month, so that the months before stay good ones.
    deliveries[-1] = replace(deliveries[-1], faults=_faults(Fault, wanted.fault))
    for delivery in deliveries:
        started = time.perf_counter()
        written = write_delivery(wanted.out_dir, bill, delivery)
        totals = ", ".join(f"{plain(amount)} {currency}" for currency, amount in sorted(written.expected.total().items()))
        print(
            f"{written.manifest.relative_to(wanted.out_dir)}: {written.expected.rows} rows, {len(written.columns)} columns, "
            f"{written.bytes} bytes, unblended {totals or '0'} ({time.perf_counter() - started:.1f} s)"
        )


def _write_tenancy(wanted: argparse.Namespace) -> None:
    bill = OciBill(
        months=_months(wanted.months),
        rows=wanted.rows_a_file,
        files_a_day=wanted.files_a_day,
        seed=wanted.seed,
        currency=wanted.currency,
        child_currency=wanted.currency,
        bucket=wanted.bucket or "acme-oci-mirror",
        gzip_level=wanted.gzip_level,
    )
    started = time.perf_counter()
    # Faults hit the last increment.
    written = write_oci(wanted.out_dir, bill, faults=_faults(OciFault, wanted.fault))
    for month in written.expected.months:
        totals = ", ".join(f"{plain(amount)} {currency}" for currency, amount in sorted(written.expected.total(month).items()))
        print(f"{bill.location}: {month:%Y-%m}: cost {totals or '0'}")
    print(
        f"{bill.location}: {len(written.files)} files, {written.expected.rows} rows of cost, {written.bytes} bytes "
        f"({time.perf_counter() - started:.1f} s)"
    )


def _faults(kind: type[_F], names: Sequence[str]) -> frozenset[_F]:
    unknown = sorted(set(names) - {fault.value for fault in kind})
    if unknown:
        raise ValueError(f"--fault: {', '.join(unknown)} is none of {', '.join(fault.value for fault in kind)}")
    return frozenset(kind(name) for name in names)


def _months(text: str) -> tuple[date, ...]:
    first, _, last = text.partition("..")
    try:
        return months_from(_month(first), _month(last or first))
    except ValueError:
        raise ValueError(f"--months: {text!r} is not YYYY-MM or YYYY-MM..YYYY-MM") from None


def _month(text: str) -> date:
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"  {fault.value:16} {fault.what}" for fault in Fault)
    oci_faults = "\n".join(f"  {fault.value:16} {fault.what}" for fault in OciFault)
    parser = argparse.ArgumentParser(
        prog="python -m sample_bills",
        description="Writes sample AWS Cost and Usage Reports, or Oracle Cloud's cost reports, as the provider lays them out. "
        "The same arguments give the same bytes.",
        epilog=f"faults of AWS (may be given several times, planted in the last month):\n{faults}\n"
        f"faults of OCI (planted in the last increment):\n{oci_faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out_dir", type=Path, help="the folder that plays the object store; a folder a bucket is made in it")
    parser.add_argument("--provider", choices=("aws", "oci"), default="aws")
    parser.add_argument("--rows", type=int, default=2_000, help="rows a month (default 2000); AWS")
    parser.add_argument("--months", default="2026-09..2026-10", help="YYYY-MM or YYYY-MM..YYYY-MM (default 2026-09..2026-10)")
    parser.add_argument("--rows-a-file", type=int, default=40, help="rows of an OCI cost report's file (default 40)")
    parser.add_argument("--files-a-day", type=int, default=4, help="increments of OCI's reports a day (default 4)")
    parser.add_argument("--payers", type=int, default=1, help="payers, each with a report of its own under the same prefix")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--format", type=FileFormat, default=FileFormat.CSV_GZIP, choices=list(FileFormat), metavar="FORMAT")
    parser.add_argument(
        "--report", type=Report, default=Report.LEGACY, choices=list(Report), metavar="REPORT", help="legacy, cur-2.0"
    )
    parser.add_argument("--coarse-amounts", action="store_true", help="amounts that doubles hold, also in CSV")
    parser.add_argument("--versioning", type=Versioning, default=Versioning.CREATE_NEW, choices=list(Versioning))
    parser.add_argument("--headers", type=Headers, default=Headers.SLASH, choices=list(Headers))
    parser.add_argument("--files", type=int, default=1, help="data files a delivery")
    parser.add_argument("--gzip-level", type=int, default=6, choices=range(1, 10))
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--bucket", help="default acme-billing, or acme-oci-mirror")
    parser.add_argument("--prefix", default="cur")
    parser.add_argument("--report-name", default="hourly-cur")
    parser.add_argument("--plain", action="store_true", help="no discounts and no split costs: 133 columns")
    parser.add_argument("--fault", default=[], action="append", metavar="FAULT")
    return parser


if __name__ == "__main__":
    sys.exit(main())
