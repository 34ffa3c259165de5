"""The routes below ``/api/cost-management/v1``: reports, and the short lists that clients ask for first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.rates import NoRate
from cost_lakehouse.ask.request import Condition
from cost_lakehouse.ask.request import Request as Question
from cost_lakehouse.serve.koku import download, openapi, organizations, sources
from cost_lakehouse.serve.koku.forecasts import forecast_of
from cost_lakehouse.serve.koku.kinds import KINDS
from cost_lakehouse.serve.koku.lists import answering, known_only, page
from cost_lakehouse.serve.koku.query import BASES, LISTED, PROVIDERS, query_of
from cost_lakehouse.serve.koku.report import document_of, flat_rows, question_of, report_of, usage_question_of
from cost_lakehouse.serve.koku.tags import tags_of, values_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.replies import CSV, JSON, Reply, as_csv, as_json, columns_of, etag_of, kind_of, sent_text, unchanged
from cost_lakehouse.serve.served import Handler, Served

BASE = "/api/cost-management/v1"


def _report(provider: str, name: str) -> Handler:
    kind = KINDS[provider, name]

    def handler(served: Served, request: Request) -> Response:
        """``reports/…/…/``."""
        pairs = [pair for pair in request.query_params.multi_items() if pair != ("format", "csv")]
        today = datetime.now(UTC).date()
        query = query_of(pairs, PROVIDERS[provider], today, served.lake.settings.lake.first_month, kind)
        currency = query.currency or served.usual_currency()
        question = question_of(query, currency, (Condition("provider", (provider,)),), served.rates())
        etag = etag_of(today, currency, served.etag_of_costs(request, question))
        if known := unchanged(request, etag):
            return known
        used = served.answer(usage_question_of(question)).rows if kind.is_usage else ()
        try:
            found = served.answer(question)
        except NoRate as error:
            raise WrongParameter("currency", f"{error.problem} {error.fix}") from None
        document = document_of(query, report_of(query, found.rows, used), currency, request.url.path, pairs, found.rates)
        if kind_of(request) == CSV:
            rows = flat_rows(document)
            return sent_text(request, as_csv(Reply(columns_of(rows), rows)), CSV, etag)
        return sent_text(request, as_json(document), JSON, etag)

    return answering(handler)


def _resource_types(provider: str, dimension: str) -> Handler:
    def handler(served: Served, request: Request) -> Response:
        """``resource-types/…/``: the values that the newest month's bills have, by name."""
        pairs = request.query_params.multi_items()
        values = dict(pairs)
        for key in values:
            if key not in ("search", "limit", "offset"):
                raise WrongParameter(key)
        groups = (dimension, *(["account_name"] if dimension == "account" else []))
        asked = Question(bill_of(served.newest_month()), groups=groups, filters=(Condition("provider", (provider,)),))
        found: dict[str, dict[str, str]] = {}
        for row in served.answer(asked).rows:
            value, *names = row.values
            if value and values.get("search", "").lower() in " ".join(filter(None, row.values)).lower():
                found[value] = {"value": value} | ({"account_alias": names[0] or value} if names else {})
        return page(request, pairs, [found[value] for value in sorted(found)], most=organizations.MOST_VALUES)

    return answering(handler)


def _fixed(rows: Callable[[Served], Sequence[Mapping[str, Any]]]) -> Handler:
    def handler(served: Served, request: Request) -> Response:
        """A short list."""
        pairs = request.query_params.multi_items()
        for key, _ in pairs:
            if key not in ("limit", "offset", "type", "beta"):
                raise WrongParameter(key)
        return page(request, pairs, rows(served))

    return answering(handler)


def _access(served: Served) -> list[dict[str, Any]]:
    return [{"type": name, "access": name in PROVIDERS, "write": False} for name in ("aws", "oci", "ocp", "gcp", "azure")]


def _known_currencies(served: Served) -> list[dict[str, str]]:
    rates = served.rates()
    into = {rate.into for rate in rates.known.values()} if rates else set()
    codes = sorted({*served.currencies(), *into})
    return [{"code": code, "name": code, "symbol": code, "description": code} for code in codes]


def _cost_types(served: Served) -> list[dict[str, str]]:
    return [{"code": code, "name": code.replace("_", " ").capitalize(), "description": code} for code in BASES]


def _setting(name: str, value: Callable[[Served], str]) -> Handler:
    def handler(served: Served, request: Request) -> Response:
        """One setting; it cannot be changed here."""
        known_only(request.query_params.multi_items(), ())
        text = as_json({"data": {name: value(served)}})
        return sent_text(request, text, JSON, etag_of(text))

    return answering(handler)


def _settings(served: Served, request: Request) -> Response:
    known_only(request.query_params.multi_items(), ())
    text = as_json({"data": {"currency": served.usual_currency(), "cost_type": "unblended_cost"}})
    return sent_text(request, text, JSON, etag_of(text))


ROUTES: tuple[tuple[str, Handler], ...] = (
    *((f"{BASE}/reports/{provider}/{name}/", _report(provider, name)) for provider, name in KINDS),
    *(
        (f"{BASE}/resource-types/{name}/", _resource_types(provider, dimension))
        for provider, listed in LISTED.items()
        for name, dimension in listed.items()
    ),
    *((f"{BASE}/tags/{provider}/", tags_of(provider)) for provider in PROVIDERS),
    *((f"{BASE}/tags/{provider}/{{key}}/", values_of(provider)) for provider in PROVIDERS),
    *((f"{BASE}/forecasts/{provider}/costs/", forecast_of(provider)) for provider in PROVIDERS),
    *((f"{BASE}{path}", handler) for path, handler in (*sources.ROUTES.items(), *organizations.ROUTES.items())),
    (f"{BASE}/openapi.json", answering(openapi.openapi)),
    (f"{BASE}/download/", answering(download.download)),
    (f"{BASE}/user-access/", _fixed(_access)),
    (f"{BASE}/currency/", _fixed(_known_currencies)),
    (f"{BASE}/cost-type/", _fixed(_cost_types)),
    (f"{BASE}/account-settings/", answering(_settings)),
    (f"{BASE}/account-settings/currency/", _setting("currency", Served.usual_currency)),
    (f"{BASE}/account-settings/cost-type/", _setting("cost_type", lambda served: "unblended_cost")),
)
