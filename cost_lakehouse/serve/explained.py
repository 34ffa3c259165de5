"""``/v1/explain``: an amount of a mart, and the receipts, files, rules and lines of bills that it is made of."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.dimensions import DAILY_COSTS, SUMMARIES, dimension
from cost_lakehouse.ask.statement import value_sql
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.proof.cells import cell_where
from cost_lakehouse.proof.cost_rules import cost_rules
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, Explanation, explain
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import Reply, sent
from cost_lakehouse.serve.served import Handler, Served

_MOST_LINES = 1_000
_MARTS = {DAILY_COSTS: DAILY_COSTS, **SUMMARIES}
_ACCOUNTS = {name: value_sql(dimension("account").columns[mart], of="") for mart, name in _MARTS.items()}
"""Where a mart has the account that decides who sees a row: the one that a role's questions are held to."""

COLUMNS = (
    "source", "month", "file_name", "row_number", "date", "account", "service", "type", "description", "rule", "left_out",
    "currency", "billed", "amount",
)  # fmt: skip


def explained(served: Served, request: Request) -> Response:
    """``/v1/explain?where=usage_date=2026-10-01&where=service=AmazonEC2``: rows are the dearest lines."""
    parameters = Parameters(request.query_params.multi_items(), ("mart", "column", "where", "lines", "format"))
    mart, lines = parameters.text("mart") or "daily_costs", parameters.number("lines", 0, _MOST_LINES)
    name = f"marts.{mart}"
    if name not in served.lake.table_names() or not name.isascii():
        known = ", ".join(table for table in served.lake.table_names() if table.startswith("marts."))
        raise ConfigurationError(f"There is no mart {mart[:40]!r}.", f"There are {known or 'none yet'}.")
    columns = {field.name: str(field.field_type) for field in served.lake.current(name).schema().fields}
    cell = seen_cell(served, cell_where(mart, columns, _equal(parameters), parameters.text("column") or "billed_cost"))
    with engine_of(served.lake, mart, served.limits.seconds) as engine:
        found = explain(served.lake, cell, engine, 10 if lines is None else lines)
    state = served.state(months={part.slice_.billing_period for part in found.files})
    meta = {**served.meta([name], state), **_meta(found)}
    rows = [_line(line) for line in found.lines]
    return sent(request, Reply(COLUMNS, rows, meta))


def seen_cell(served: Served, cell: Cell) -> Cell:
    """The cell of the accounts alone that are shown. Raises NotForRole where the mart has no accounts."""
    accounts = served.viewer.accounts
    if accounts is None:
        return cell
    if cell.mart not in _ACCOUNTS:
        served.for_all_alone(f"The rows of marts.{cell.mart}")
    values = ", ".join("'" + account.replace("'", "''") + "'" for account in accounts)
    own = f"{_ACCOUNTS[cell.mart]} in ({values})"
    return Cell(cell.mart, f"{cell.condition} and {own}" if cell.condition else own, cell.column)


def _equal(parameters: Parameters) -> dict[str, str]:
    """``where=service=AmazonEC2``, repeated, as columns and values. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for text in parameters.texts("where"):
        name, sign, value = text.partition("=")
        if not sign or name in found:
            raise ConfigurationError(f"where={text[:60]!r} picks no rows.", "Write where=service=AmazonEC2, each column once.")
        found[name] = value
    if not found:
        raise ConfigurationError("There is no where.", "Pick rows: where=usage_date=2026-10-01, for example.")
    return found


def _line(line: Any) -> dict[str, Any]:
    return {
        "source": line.source,
        "month": f"{line.billing_period:%Y-%m}",
        "file_name": line.file_name,
        "row_number": line.row_number,
        "date": line.date,
        "account": line.account,
        "service": line.service,
        "type": line.type,
        "description": line.description,
        "rule": line.rule,
        "left_out": line.exclusion,
        "currency": line.currency or None,
        "billed": line.delivered,
        "amount": line.amount,
    }


def _meta(found: Explanation) -> dict[str, Any]:
    rules = cost_rules()
    return {
        "mart": f"marts.{found.cell.mart}",
        "column": found.cell.column,
        "amounts": [{"currency": code or None, "amount": amount} for code, amount in sorted(found.amounts.items())],
        "mart_rows": found.mart_rows,
        "line_item_count": found.line_count,
        "adds_up": found.adds_up,
        "receipts": [
            {
                "source": receipt.source,
                "month": f"{receipt.billing_period:%Y-%m}",
                "delivery_id": receipt.delivery_id,
                "loaded_at": receipt.loaded_at,
                "digest": receipt.digest,
            }
            for receipt in found.deliveries
        ],
        "files": [
            {
                "source": part.slice_.source,
                "month": part.slice_.month,
                "file_name": part.file_name,
                "currency": part.currency or None,
                "amount": part.part.amount,
                "line_item_count": part.part.lines,
            }
            for part in found.files
        ],
        "rules": [
            {
                "rule": part.rule,
                "says": rules.says(part.rule, found.cell.column),
                "left_out": part.exclusion,
                "currency": part.currency or None,
                "amount": part.part.amount,
                "billed": part.delivered,
                "line_item_count": part.part.lines,
            }
            for part in found.rules
        ],
    }


ROUTES: tuple[tuple[str, Handler], ...] = (("/v1/explain", explained),)
