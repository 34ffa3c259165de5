"""The table of rates that costs are converted by, where ``lakehouse.yaml`` names one: a rate a month and pair of currencies.

Rates are a person's to give, with where they are from: none is looked up, turned around or made of two others.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError, shortened

COLUMNS = ("month", "from", "to", "rate", "source")
_RATE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
CURRENCY = re.compile(r"[A-Z]{3}")


class NoRate(ConfigurationError):
    """What is asked for cannot be converted: the table lacks a rate."""


@dataclass(frozen=True)
class Rate:
    """One of ``base`` is ``rate`` of ``into``, for bills of a month (its first day); ``source`` says who says so."""

    month: date
    base: str
    into: str
    rate: Decimal
    source: str


@dataclass(frozen=True)
class Rates:
    """All rates of a table; ``place`` is its path, ``digest`` that of what it says."""

    place: str
    digest: str
    known: Mapping[tuple[date, str, str], Rate]

    def rate(self, month: date, base: str | None, into: str) -> Rate:
        """The rate for a month's bills; 1 where nothing needs converting. Raises NoRate where the table has none."""
        if base == into:
            return Rate(month, into, into, Decimal(1), "")
        found = self.known.get((month, base or "", into))
        if found is None:
            if base is None:
                raise NoRate(
                    f"Bills of {month:%Y-%m} have costs in no currency.",
                    f"Leave them out: exclude billing_currency=; {self.place} cannot convert them.",
                )
            raise NoRate(
                f"There is no rate of {month:%Y-%m} from {base} to {into}.",
                f"Add a line to {self.place}: {month:%Y-%m},{base},{into},RATE,SOURCE.",
            )
        return found


@dataclass
class Conversion:
    """Amounts into one currency by a table of rates, and the rates that it took."""

    into: str
    rates: Rates
    _used: dict[tuple[date, str], Rate] = field(default_factory=dict)

    def factor(self, month: date, base: str | None, amounts: Iterable[Decimal | None]) -> Decimal:
        """What amounts of a month's bills are multiplied by; 0 where all are nothing, which needs no rate. Raises NoRate."""
        if not any(amounts):
            return Decimal(0)
        found = self.rates.rate(month, base, self.into)
        if found.base != self.into:
            self._used[month, found.base] = found
        return found.rate

    @property
    def used(self) -> tuple[Rate, ...]:
        """The rates that were needed, in the order of months and currencies."""
        return tuple(self._used[key] for key in sorted(self._used))


def read_rates(settings: Settings) -> Rates | None:
    """The table that ``currency_rates`` names; None where it names none. Raises ConfigurationError that names a wrong line."""
    if settings.currency_rates is None:
        return None
    path = settings.path(settings.currency_rates)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{path}, which currency_rates names, cannot be read.", "Correct its name in lakehouse.yaml."
        ) from None
    return rates_of(text, str(path))


def rates_of(text: str, place: str) -> Rates:
    """A table as CSV with a header. Pure. Raises ConfigurationError that names a wrong line."""
    lines = csv.reader(io.StringIO(text), strict=True)
    known: dict[tuple[date, str, str], Rate] = {}
    try:
        header = tuple(cell.strip() for cell in next(lines, []))
        if header != COLUMNS:
            raise _wrong(place, 1, f"the header is {shortened(','.join(header))!r}")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            rate = _rate(tuple(cell.strip() for cell in cells), place, lines.line_num)
            key = (rate.month, rate.base, rate.into)
            if key in known:
                raise _wrong(place, lines.line_num, f"{rate.month:%Y-%m} has a rate from {rate.base} to {rate.into} already")
            known[key] = rate
    except csv.Error as error:
        raise _wrong(place, lines.line_num, str(error)) from None
    return Rates(place, hashlib.sha256(text.encode()).hexdigest(), known)


def _rate(cells: tuple[str, ...], place: str, number: int) -> Rate:
    if len(cells) != len(COLUMNS):
        raise _wrong(place, number, f"it has {len(cells)} values")
    month, base, into, rate, source = cells
    wrong = {
        f"month {shortened(month)!r} is not YYYY-MM": not _MONTH.fullmatch(month),
        f"currencies {shortened(base)!r} and {shortened(into)!r} are not two codes": not (
            CURRENCY.fullmatch(base) and CURRENCY.fullmatch(into) and base != into
        ),
        f"rate {shortened(rate)!r} is no positive decimal of at most 12 digits each side": not (
            _RATE.fullmatch(rate) and Decimal(rate)
        ),
        "nothing says where the rate is from": not source,
    }
    for says, is_wrong in wrong.items():
        if is_wrong:
            raise _wrong(place, number, says)
    return Rate(date.fromisoformat(f"{month}-01"), base, into, Decimal(rate), source)


def _wrong(place: str, number: int, says: str) -> ConfigurationError:
    return ConfigurationError(
        f"{place}, line {number}: {says}.",
        f"Write {','.join(COLUMNS)} in the first line, and then such as 2026-10,USD,EUR,0.9215,ECB.",
    )
