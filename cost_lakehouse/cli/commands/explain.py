"""``cost-lakehouse explain``: an amount of a mart, and the deliveries, files, rules and lines that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, plain_decimal, print_json, print_problem, print_table, say
from cost_lakehouse.cli.statement import NotAsked, check_on_duckdb, check_on_trino
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.proof.cost_rules import cost_rules
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, Explanation, FilePart, Line, RulePart, explain, parse_cell

_FILES = (
    Column("source"), Column("month"), Column("file"), Column("lines", "number"), Column("amount", "number"),
    Column("currency"),
)  # fmt: skip
_RECEIPT = ("source", "billing_period", "delivery_id", "load_id", "raw_table", "loaded_at", "files", "rows", "digest")
_LINES = (
    Column("file"), Column("row", "number"), Column("date"), Column("account"), Column("service"), Column("type"),
    Column("rule"), Column("billed", "number"), Column("amount", "number"), Column("currency"),
)  # fmt: skip


def explain_cell(config: Path | None, text: str, column: str, shown_lines: int, as_json: bool) -> int:
    """Print the explanation; the exit code is 1 where the lines do not come to the amount. Raises LakeError."""
    settings = settings_of(config)
    cell = parse_cell(text, column)
    _check_condition(settings, cell)
    lake = Lake(settings)
    with engine_of(lake, cell.mart) as engine:
        found = explain(lake, cell, engine, shown_lines)
    if as_json:
        print_json([_as_json(settings, found)])
    else:
        _print(settings, found)
    if found.adds_up:
        return 0
    print_problem(
        f"The lines come to {_money(found.sums)}, the mart says {_money(found.amounts)}.",
        "The month was loaded again since it was built, or the mart is older than the models: "
        "run `cost-lakehouse run`, then ask again.",
    )
    return EXIT_FAILED


def _check_condition(settings: Settings, cell: Cell) -> None:
    """Raises LakeError where what is asked is more than a condition."""
    import duckdb

    check = check_on_duckdb if settings.lake.engine == "duckdb" else check_on_trino
    try:
        check(cell.query)
    except NotAsked as error:
        raise LakeError(f"{cell.condition!r} is not a condition alone.", error.fix) from None
    except duckdb.Error as error:
        raise LakeError(f"DuckDB does not take the condition: {str(error).splitlines()[0]}", "Correct it.") from None


def _print(settings: Settings, found: Explanation) -> None:
    say(f"{found.cell} = {_money(found.amounts)}")
    say(f"{_number(found.mart_rows, 'row')} of the mart, made of {_number(found.line_count, 'line')} of bills.")
    say()
    say("Deliveries")
    for receipt in found.deliveries:
        say(
            f"  {receipt.source} {receipt.billing_period:%Y-%m}: delivery {receipt.delivery_id}, loaded "
            f"{receipt.loaded_at:%Y-%m-%d %H:%M} UTC into {receipt.raw_table}, {receipt.files} files, {receipt.rows} rows, "
            f"receipt {receipt.digest[:12]}"
        )
    say()
    print_table(_FILES, [_file_row(settings, part) for part in found.files], title="Files", elsewhere="`--json` has them.")
    say()
    say("Rules")
    for (rule, exclusion), parts in _by_rule(found.rules).items():
        left_out = f" Left out: {exclusion}." if exclusion else ""
        say(f"  {rule}: {cost_rules().says(rule, found.cell.column)}{left_out}")
        for part in parts:
            say(f"    {_counted(part)}")
    if found.lines:
        say()
        title = f"The {len(found.lines)} dearest lines" if len(found.lines) < found.line_count else "Lines"
        print_table(_LINES, [_line_row(line) for line in found.lines], title=title, elsewhere="`--json` has them.")
    if found.adds_up:
        say()
        say(f"The lines add up to {_money(found.sums)}: exactly what the mart says.")


def _money(amounts: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{plain_decimal(amount)} {code}".strip() for code, amount in sorted(amounts.items())) or "0"


def _number(count: int, of: str) -> str:
    return f"{count} {of}{'' if count == 1 else 's'}"


def _by_rule(parts: Sequence[RulePart]) -> dict[tuple[str, str | None], list[RulePart]]:
    """The parts of each rule: one a currency."""
    found: dict[tuple[str, str | None], list[RulePart]] = {}
    for part in parts:
        found.setdefault((part.rule, part.exclusion), []).append(part)
    return found


def _counted(part: RulePart) -> str:
    number = _number(part.part.lines, "line")
    counted = f"{_money({part.currency: part.part.amount})} of {number}"
    if part.delivered is None or part.delivered == part.part.amount:
        return counted
    return f"{counted}; the bill says {_money({part.currency: part.delivered})}"


def _file_row(settings: Settings, part: FilePart) -> tuple[Any, ...]:
    place = link(settings, part.slice_.source, part.file_name)
    return part.slice_.source, part.slice_.month, place, part.part.lines, plain_decimal(part.part.amount), part.currency


def _line_row(line: Line) -> tuple[Any, ...]:
    delivered = "" if line.delivered is None else plain_decimal(line.delivered)
    place = (line.file_name or "").rsplit("/", 1)[-1], "" if line.row_number is None else line.row_number
    where = (*place, "" if line.date is None else line.date.isoformat())
    kind = (line.account or "", line.service or "", line.type or "", line.rule)
    return *where, *kind, delivered, plain_decimal(line.amount), line.currency


def link(settings: Settings, source: str, file_name: str) -> str:
    """Where a delivered file lies: ``s3://bucket/key`` or its path; its key alone where nobody knows its source."""
    known = next((configured for configured in settings.sources if configured.name == source), None)
    if known is None or not known.address:
        return file_name
    if known.is_s3:
        return f"s3://{known.address.removeprefix('s3://').split('/', 1)[0]}/{file_name}"
    return _path(settings, known, file_name)


def _path(settings: Settings, source: SourceSettings, file_name: str) -> str:
    """Keys are relative to the folder that stands for the bucket, which is the location or one above it."""
    location = settings.path(source.address)
    for folder in (location, *location.parents):
        if (folder / file_name).is_file():
            return str(folder / file_name)
    return file_name


def _as_json(settings: Settings, found: Explanation) -> dict[str, Any]:
    rules = cost_rules()
    return {
        "cell": str(found.cell),
        "mart": f"marts.{found.cell.mart}",
        "column": found.cell.column,
        "mart_rows": found.mart_rows,
        "amounts": found.amounts,
        "line_count": found.line_count,
        "sums": found.sums,
        "adds_up": found.adds_up,
        "deliveries": [{name: getattr(receipt, name) for name in _RECEIPT} for receipt in found.deliveries],
        "files": [
            {
                "source": part.slice_.source,
                "billing_period": part.slice_.billing_period,
                "file_name": part.file_name,
                "link": link(settings, part.slice_.source, part.file_name),
                "lines": part.part.lines,
                "amount": part.part.amount,
                "currency_code": part.currency,
            }
            for part in found.files
        ],
        "rules": [
            {
                "rule": part.rule,
                "text": rules.says(part.rule, found.cell.column),
                "exclusion": part.exclusion,
                "lines": part.part.lines,
                "amount": part.part.amount,
                "delivered": part.delivered,
                "currency_code": part.currency,
            }
            for part in found.rules
        ],
        "lines": [vars(line) for line in found.lines],
    }
