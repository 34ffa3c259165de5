"""``cost-lakehouse costs``: what it cost, as a table for people or a file for a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.ask.answer import Answer as Costs
from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.asking import answer, newest_month
from cost_lakehouse.ask.bills import may_be_of, months_of
from cost_lakehouse.ask.ranges import bill_of, last_days
from cost_lakehouse.ask.rates import Rate, read_rates
from cost_lakehouse.ask.request import Compare, Granularity, Order, Range, Request, conditions_of, in_currency
from cost_lakehouse.cli.answers import Answer, print_answer
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.files import file_format, write_answer
from cost_lakehouse.cli.output import amount_shown, print_lines, print_note, print_table, print_wrapped
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.invoiced import AsInvoiced, Moment
from cost_lakehouse.proof.invoiced import INVOICED, as_invoiced
from cost_lakehouse.proof.moments import meant_moment

_BAR = 12  # characters of the longest bar
_SCALE = 20


@dataclass(frozen=True)
class Question:
    """The options as they were typed."""

    month: str | None
    last: str | None
    begin: str | None
    end: str | None
    by: str
    where: tuple[str, ...]
    exclude: tuple[str, ...]
    top: int | None
    order: str
    compare: str | None
    basis: str
    granularity: Mapping[str, bool]
    currency: str | None
    as_of: str | None


def show_costs(config: Path | None, asked: Question, output: str | None, file: Path | None) -> int:
    """Answer it on stdout, or into a file; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    _check_output(output, file)
    lake = Lake(settings)
    request = request_of(asked, settings, lake, datetime.now(UTC).date())
    found = answer(lake, request, None if asked.as_of is None else _moment(lake, asked.as_of, request))
    if file is not None:
        write_answer(_exact(found), file)
        print_wrapped(f"{file}: {len(found.rows)} rows, {_totals(found)}.{_converted(found.rates)}")
    elif output in (None, "table"):
        _print_table(found)
    else:
        print_answer(_exact(found), output or "table")
        if found.rates:
            print_note(_converted(found.rates).strip())
    return 0


def _moment(lake: Lake, text: str, request: Request) -> Moment:
    """What ``--as-of`` means for a question. Raises ConfigurationError, LakeError."""
    if text != INVOICED:
        return meant_moment(lake, text)
    if not request.range.of_bills:
        raise ConfigurationError(
            "--as-of invoiced is of whole bills, and days of usage may be in several.", "Ask for bills: `--month 2026-10`."
        )
    return as_invoiced(lake, months_of(request), lambda source: may_be_of(request, source))


def request_of(asked: Question, settings: Settings, lake: Lake, today: date) -> Request:
    """What the options mean. Raises ConfigurationError where they contradict each other or make no sense."""
    parts = [name for name, is_wanted in asked.granularity.items() if is_wanted]
    if len(parts) > 1:
        raise ConfigurationError("Only one of --daily, --monthly and --quarterly can be meant.", "Leave the others out.")
    question = Request(
        _range(asked, settings, lake, today),
        granularity=Granularity(parts[0]) if parts else Granularity.NONE,
        groups=tuple(name.strip() for name in asked.by.split(",") if name.strip()),
        filters=conditions_of(asked.where),
        excludes=conditions_of(asked.exclude),
        basis=asked.basis,
        top=asked.top,
        order=_one_of(Order, "--order", asked.order),
        compare=None if asked.compare is None else _one_of(Compare, "--compare", asked.compare),
    )
    return in_currency(question, asked.currency, read_rates(settings))


def _range(asked: Question, settings: Settings, lake: Lake, today: date) -> Range:
    ways = {"--month": asked.month, "--last": asked.last, "--from or --to": asked.begin or asked.end}
    given = [name for name, value in ways.items() if value]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} cannot both be meant.", "Leave one of them out.")
    if asked.last:
        matched = re.fullmatch(r"([1-9]\d{0,4})d?", asked.last)
        if not matched:
            raise ConfigurationError(f"--last {asked.last!r} is no number of days.", "Write it as 30d.")
        return last_days(today, int(matched.group(1)))
    if asked.begin or asked.end:
        if not asked.begin:
            raise ConfigurationError("--to says where to end, and nothing where to begin.", "Add --from.")
        end = _day("--to", asked.end) if asked.end else last_days(today, 1).end
        return Range(_day("--from", asked.begin), end)
    month = month_of(asked.month, settings) or newest_month(lake)
    if month is None:
        raise LakeError("The lake holds no bill yet.", "Run `cost-lakehouse run` to load what is delivered.")
    return bill_of(month)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{option} {text!r} is no day.", "Write it as YYYY-MM-DD, such as 2026-10-01.") from None


def _one_of(kind: Any, option: str, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError(f"{option} {text!r} is not known.", f"Use one of {', '.join(kind)}.") from None


def _check_output(output: str | None, file: Path | None) -> None:
    """Raises ConfigurationError where the format and the file do not fit together."""
    if file is None:
        if output in ("parquet", "xlsx"):
            raise ConfigurationError(f"--format {output} is no text that a terminal shows.", "Add --output FILE.")
        return
    named = file_format(file)
    if output not in (None, named):
        raise ConfigurationError(f"--format {output} and --output {file} contradict each other.", "Leave --format out.")


def _exact(found: Costs) -> Answer:
    """All digits, a row for each group, part of the range and currency; Others have no values, and ``is_others``."""
    request = found.request
    is_compared = request.compare is not None
    parts = [] if request.granularity is Granularity.NONE else [request.granularity.value]
    names = [
        *parts,
        *request.groups,
        "is_others",
        *(("usage_unit", "usage") if request.measure.is_usage else ("currency_code", "cost")),
    ]
    amount = _amount_type(found)
    types = ["DATE"] * len(parts) + ["VARCHAR"] * len(request.groups) + ["BOOLEAN", "VARCHAR", amount]
    if is_compared:
        names += ["before", "change"]
        types += [amount, amount]

    def rows() -> Iterator[Sequence[Any]]:
        for row in found.rows:
            compared = [row.before, row.change] if is_compared else []
            bucket = [row.bucket] if parts else []
            yield [*bucket, *_values(row, request), row.is_others, row.currency_code, row.cost, *compared, row.line_item_count]

    return Answer([*names, "line_item_count"], [*types, "BIGINT"], rows())


def _amount_type(found: Costs) -> str:
    """Room for all digits: what is converted may have more than bills have."""
    amounts = [amount for row in found.rows for amount in (row.cost, row.before or Decimal(0))]
    digits = max((-int(amount.normalize().as_tuple().exponent) for amount in amounts), default=0) if found.rates else 0
    return f"DECIMAL(38, {max(_SCALE, digits)})"


def _values(row: Row, request: Request) -> Sequence[str | None]:
    return [None] * len(request.groups) if row.is_others else row.values


def _print_table(found: Costs) -> None:
    request = found.request
    print_lines([_head(found)])
    if not found.rows:
        print_lines(["Nothing was found. `--where` takes values as bills write them; see `--by` for those that are there."])
        return
    columns = [Column(name) for name in request.groups]
    if request.granularity is not Granularity.NONE:
        columns.insert(0, Column(request.granularity.value))
    amount, unit = ("usage", "unit") if request.measure.is_usage else ("cost", "currency")
    columns += [Column(amount, "number"), Column(unit), Column("", rank=2)]
    if request.compare is not None:
        columns += [Column("before", "number"), Column("change", "number"), Column("%", "number", rank=1)]
    largest = {
        total.currency_code: max(abs(row.cost) for row in found.rows if row.currency_code == total.currency_code)
        for total in found.totals
    }
    rows = [_cells(row, request, largest[row.currency_code]) for row in found.rows]
    if len(found.rows) > len(found.totals):
        for total in found.totals:
            names = ["total", *[""] * _name_columns(request)]
            whole = Row(None, (), total.currency_code, total.cost, total.before, total.line_item_count)
            rows.append([*names[: _name_columns(request)], *_amounts(whole, request, "")])
    print_table(columns, rows)
    if found.rates:
        print_wrapped(_converted(found.rates).strip())


def _converted(rates: Sequence[Rate]) -> str:
    """Which rates were used: each is of a bill's month, and nothing is rounded but what a terminal shows."""
    if not rates:
        return ""
    used = "; ".join(f"{rate.month:%Y-%m} {rate.base} at {rate.rate} ({rate.source})" for rate in rates)
    return f" Converted into {rates[0].into} by the rates of the bills' months: {used}."


def _name_columns(request: Request) -> int:
    return len(request.groups) + (request.granularity is not Granularity.NONE)


def _cells(row: Row, request: Request, largest: Decimal) -> list[Any]:
    names: list[Any] = []
    if request.granularity is not Granularity.NONE:
        names.append(_part(row.bucket, request.granularity))
    if row.is_others:
        others = f"Others ({row.groups})" if row.groups > 1 else "Other"
        names += [others, *[""] * (len(request.groups) - 1)]
    else:
        names += [value or f"No {name}" for name, value in zip(request.groups, row.values, strict=True)]
    length = int(abs(row.cost) / largest * _BAR + Decimal("0.5")) if largest else 0
    return [*names, *_amounts(row, request, ("█" if row.cost > 0 else "░") * length)]


def _amounts(row: Row, request: Request, bar: str) -> list[Any]:
    amounts: list[Any] = [amount_shown(row.cost), row.currency_code or "", bar]
    if request.compare is not None:
        before, change = row.before or Decimal(0), row.change or Decimal(0)
        percent = f"{change / abs(before) * 100:+.1f}" if before else ""
        amounts += [amount_shown(before), f"{'+' if change > 0 else ''}{amount_shown(change)}", percent]
    return amounts


def _part(bucket: date | None, granularity: Granularity) -> str:
    if bucket is None:
        return ""
    if granularity is Granularity.QUARTER:
        return f"{bucket.year} Q{(bucket.month + 2) // 3}"
    return f"{bucket:%Y-%m}" if granularity is Granularity.MONTH else bucket.isoformat()


def _head(found: Costs) -> str:
    """What was asked, and how sure the answer is."""
    request = found.request
    asked = request.range
    if asked.of_bills and asked.months == 1:
        what = f"bills of {asked.begin:%Y-%m}"
    else:
        what = f"{asked.begin} up to {asked.end} (not included)"
    states: dict[str, int] = {}
    for bill in found.bills:
        states[bill.state] = states.get(bill.state, 0) + 1
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    known = f"; as known on {found.as_of:%Y-%m-%d %H:%M} UTC" if isinstance(found.as_of, datetime) else ""
    if isinstance(found.as_of, AsInvoiced):
        known = "; as first invoiced"
    basis = "usage" if request.measure.is_usage else f"{request.basis} cost"
    return f"{basis}, {what}{f' ({counted})' if counted else ''}{known}"


def _totals(found: Costs) -> str:
    return ", ".join(f"{amount_shown(total.cost)} {total.currency_code or ''}".strip() for total in found.totals) or "no cost"
