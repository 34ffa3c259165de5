"""``/``: the first page; ``/lines``: the rows behind a number; and the style sheet."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.answer import Answer
from cost_lakehouse.ask.dimensions import measures
from cost_lakehouse.lake.remembered import Remembered
from cost_lakehouse.report.charts import HEIGHT, WIDTH
from cost_lakehouse.serve.page import view
from cost_lakehouse.serve.page.ahead import Ahead, in_one_currency, in_own_currencies
from cost_lakehouse.serve.page.gathering import BARS, TOP, Contents, gathered, tables_read
from cost_lakehouse.serve.page.lines import explained, lines_asked
from cost_lakehouse.serve.page.state import CHARTED, NAMES, State, condition_text, csv_link, state_of
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import etag_of, sent_text, unchanged
from cost_lakehouse.serve.served import Handler, Served

HTML = "text/html"
_FOLDER = Path(__file__).parent
_MOST_TAGS = 40
_pages: Remembered[str] = Remembered(20_000_000, len)


def front(served: Served, request: Request) -> Response:
    """``/?month=2026-10&filter=service=AmazonEC2``: a month's bills, what they come to, by what, and what lies ahead."""
    parameters = Parameters(request.query_params.multi_items(), NAMES)
    state = state_of(parameters, served.newest_month())
    rates = served.rates()
    etag = etag_of(state, served.etag(request, tables_read(served)), rates and rates.digest)
    if known := unchanged(request, etag):
        return known
    # The ETag says who asks for what, and of which snapshots: the same one is the same page.
    text = _pages.get(etag, lambda: _environment().get_template("front.html.jinja").render(**shown(gathered(served, state))))
    return sent_text(request, text, HTML, etag)


def shown(contents: Contents) -> dict[str, Any]:
    """What the template needs. Pure."""
    state, asked = contents.state, contents.asked
    compare = "previous" if asked.of_bills else "month"

    def link(**more: str) -> str:
        return csv_link(state, asked, **more)

    def named(account: str) -> str:
        name = contents.names.get(account)
        return f"{name} ({account})" if name else account

    tables: list[dict[str, Any]] = [
        {"name": name, "title": title, "lines": view.lines_of(contents, answer, name_of), "by": name,
         "csv": link(group_by=name, compare=compare, top=str(TOP))}
        for name, title, answer, name_of in (
            ("service", "Services", contents.services, str),
            ("account", "Accounts", contents.accounts, named),
            ("region", "Regions", contents.regions, str),
        )
    ]  # fmt: skip
    ahead = _ahead(contents)
    tag = None if contents.tags is None else contents.tags.request.groups[0]
    if contents.tags is not None and tag is not None:
        lines = view.lines_of(contents, contents.tags)
        csv = link(group_by=tag, compare=compare, top=str(TOP))
        tables.append({"name": "tag", "title": f"Tag {tag.removeprefix('tag:')}", "lines": lines, "by": tag, "csv": csv})
    if contents.clusters is not None:
        tables.append(_clusters(contents, contents.clusters, compare))
    return {
        "state": state,
        "contents": contents,
        "conditions": [(condition_text(one), state.without(one).link) for one in state.conditions],
        "bases": [one.name for one in measures()],
        "charted": [(name, state.charted(name).link) for name in CHARTED],
        "tag_keys": contents.tag_keys[:_MOST_TAGS],
        "tag": tag,
        "bills": contents.services.bills,
        "loaded_at": max((bill.loaded_at for bill in contents.services.bills), default=None),
        "invoices": _invoices(contents),
        "totals": view.totals_of(contents.services),
        "totals_csv": link(compare=compare),
        "totals_lines": view.lines_link(state, asked),
        "ahead": ahead,
        "beside": () if contents.services.request.into else view.beside_forecasts(contents, ahead.forecasts),
        "rates": contents.services.rates,
        "days": view.days_of(contents),
        "days_csv": link(granularity="day", group_by=state.by, top=str(BARS)),
        "tables": tables,
        "movers": view.movers(contents),
        "movers_csv": link(group_by="service", compare=compare, order="-change"),
        "anomalies": [row for row in contents.anomalies if _is_of(row, state)],
        "untagged": view.untagged(contents),
        "untagged_csv": None if tag is None else link(group_by=tag, filter=f"{tag}="),
        "coverage": view.coverage(contents),
        "utilisation": () if state.conditions or state.currency else view.utilisation(contents.commitments),
        "lumps": view.lumps(contents),
        "kinds_csv": link(group_by="type", compare=compare),
        "width": WIDTH,
        "height": HEIGHT,
    }


def lines(served: Served, request: Request) -> Response:
    """``/lines?from=2026-10&to=2026-11&service=AmazonEC2``: deliveries, files, rules and lines behind a number."""
    parameters = Parameters(request.query_params.multi_items(), (*view.EXPLAINED, "from", "to", "basis"))
    found = explained(served, lines_asked(parameters))
    text = _environment().get_template("lines.html.jinja").render(found=found)
    return sent_text(request, text, HTML, etag_of(text))


def style(served: Served, request: Request) -> Response:
    """``/style.css``."""
    text = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return sent_text(request, text, "text/css", etag_of(text))


def icon(served: Served, request: Request) -> Response:
    """``/icon.svg``."""
    text = (_FOLDER / "icon.svg").read_text(encoding="utf-8")
    return sent_text(request, text, "image/svg+xml", etag_of(text))


def _clusters(contents: Contents, answer: Answer, compare: str) -> dict[str, Any]:
    """The table of clusters: of one, its namespaces; of one of these, its controllers; with the way back."""
    state = contents.state
    (by,) = answer.request.groups
    conditions = [(name, value) for name, value in (("cluster", state.cluster), ("namespace", state.namespace)) if value]
    narrowed = replace(state, basis="effective")
    for name, value in conditions:
        narrowed = narrowed.narrowed(name, value)
    depth = len(conditions)
    within = [("all clusters", state.inside(None)), (state.cluster, state.inside(state.cluster)), (state.namespace, state)]
    return {
        "name": "cluster",
        "title": ("Clusters", "Namespaces", "Controllers")[depth],
        "lines": view.cluster_lines(contents, answer),
        "by": by,
        "note": "Nodes and volumes at their effective cost, by what ran on them: a part of the costs above, told once more.",
        "within": [(text, f"{there.link}#by-cluster") for text, there in within[:depth]],
        "csv": csv_link(narrowed, contents.asked, group_by=by, compare=compare, top=str(TOP)),
    }


def _invoices(contents: Contents) -> dict[str, str]:
    """How each source's invoices stand beside its bill."""
    found: dict[str, set[str]] = {}
    for row in contents.invoices:
        found.setdefault(row["source"], set()).add(row["state"])
    return {source: ", ".join(sorted(states)) for source, states in found.items()}


def _ahead(contents: Contents) -> Ahead:
    """Forecast and budgets, in the currency that the page is told in: converted where there are rates."""
    asked, forecasts = contents.services.request, _forecasts(contents)
    budgets = [] if contents.state.conditions else contents.budgets
    if asked.into is not None and asked.rates is not None:
        return in_one_currency(forecasts, budgets, asked.into, asked.rates)
    if asked.currency is not None:
        forecasts, budgets = ([row for row in rows if row["currency_code"] == asked.currency] for rows in (forecasts, budgets))
    return in_own_currencies(forecasts, budgets)


def _forecasts(contents: Contents) -> list[dict[str, Any]]:
    """The forecasts of what the page is of: of all, or where it is narrowed to one service or account alone, of that.

    In the order of currencies, as all that the page shows.
    """
    wanted: tuple[str, str | None] | None = ("all", None)
    if contents.state.conditions:
        first, *more = contents.state.conditions
        is_one = not more and first.name in ("service", "account") and len(first.values) == 1 and not first.contains
        wanted = (first.name, first.values[0]) if is_one else None
    if contents.state.basis != "billed":
        wanted = None
    of_month = [row for row in contents.forecast if row["billing_period"] == contents.state.month]
    found = [row for row in of_month if wanted is not None and (row["dimension"], row["value"]) == wanted]
    return sorted(found, key=lambda row: row["currency_code"] or "")


def _is_of(row: dict[str, Any], state: State) -> bool:
    """Whether an anomaly is of the page's month, and of what it is narrowed to."""
    if row["last_day"] < state.month or row["first_day"] >= state.months_on(1).month:
        return False
    if not state.conditions:
        return row["dimension"] in ("all", "service")
    return any(one.name == row["dimension"] and one.values == (row["value"],) for one in state.conditions)


@cache
def _environment() -> Environment:
    """Whatever a bill holds is text, never markup."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"cents": view.cents, "exact": view.exact}
    return made


ROUTES: tuple[tuple[str, Handler], ...] = (("/", front), ("/lines", lines), ("/style.css", style), ("/icon.svg", icon))
