"""``/api/cost-management/v1/openapi.json``: what these routes take and answer, as OpenAPI 3.1, made of what they are made of.

A name in brackets is a parameter of its own: clients and tests can guess none of those that are typed as an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.serve.koku import forecasts, organizations, query, sources, tags
from cost_lakehouse.serve.koku.kinds import KINDS, ReportKind
from cost_lakehouse.serve.koku.lists import known_only, sent_document
from cost_lakehouse.serve.koku.units import UNIT
from cost_lakehouse.serve.served import Served

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": query.MOST_BUCKETS}
_DAY = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
_KNOWN: Mapping[str, Mapping[str, Any]] = {
    "filter[resolution]": {"enum": ["daily", "monthly"]},
    "filter[time_scope_units]": {"enum": ["day", "month"]},
    "filter[time_scope_value]": {"enum": ["-10", "-30", "-90", "-1", "-2", "-3"]},
    "filter[limit]": _NUMBER,
    "filter[offset]": _NUMBER,
    "filter[enabled]": {"enum": ["true", "false"]},
    "key_only": {"enum": ["true", "false"]},
    "start_date": _DAY,
    "end_date": _DAY,
    "cost_type": {"enum": list(query.BASES)},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "limit": _NUMBER,
    "offset": _NUMBER,
}
_PATH = ({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in ("key", "id"))
_IN_PATH = {f"{{{one['name']}}}": one for one in _PATH}


def openapi(served: Served, request: Request) -> Response:
    """The document. Raises WrongParameter."""
    known_only(request.query_params.multi_items(), ())
    return sent_document(request, document(request.url.path.rpartition("/")[0]))


@cache
def document(base: str) -> dict[str, Any]:
    """The whole of it, of routes below ``base``. Pure."""
    paths = {
        f"{base}/reports/{provider}/{name}/": _route(
            f"Report of {provider}'s {name}.", report_parameters(provider, kind), "Report"
        )
        for (provider, name), kind in KINDS.items()
    }
    for provider in query.PROVIDERS:
        paths[f"{base}/tags/{provider}/"] = _route(f"Tags of {provider}'s bills.", _all(tags.KNOWN), "List")
        paths[f"{base}/tags/{provider}/{{key}}/"] = _route("The values of a tag.", _all(tags.KNOWN), "List", "{key}")
        paths[f"{base}/forecasts/{provider}/costs/"] = _route("The rest of the month.", _all(forecasts.KNOWN), "List")
        for name in query.LISTED[provider]:
            listed = _route("Values of the newest month.", _all(("search", "limit", "offset")), "List")
            paths[f"{base}/resource-types/{name}/"] = listed
    paths[f"{base}/organizations/aws/"] = _route("Organisational units.", _all(organizations.KNOWN), "List")
    for name in ("aws-organizational-units", "aws-categories"):
        paths[f"{base}/resource-types/{name}/"] = _route("Ids, or keys.", _all(organizations.LISTED), "List")
    paths[f"{base}/sources/"] = _route("Sources of bills.", _all(sources.KNOWN), "List")
    paths[f"{base}/sources/{{id}}/"] = _route("One source.", {}, "Object", "{id}")
    paths[f"{base}/sources/{{id}}/stats/"] = _route("Its loads.", {}, "Object", "{id}")
    for name in ("user-access", "currency", "cost-type"):
        paths[f"{base}/{name}/"] = _route("A short list.", _all(("limit", "offset", "type", "beta")), "List")
    for name in ("account-settings", "account-settings/currency", "account-settings/cost-type"):
        paths[f"{base}/{name}/"] = _route("Settings, to read.", {}, "Object")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cost-lakehouse, as Koku answers",
            "version": "v1",
            "description": "Koku's cost reports of the lake's bills. Amounts are doubles; /v1 has all digits.",
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def report_parameters(provider: str, kind: ReportKind) -> dict[str, Mapping[str, Any]]:
    """All parameters of a report; of families of dimensions one member, as an example."""
    own = [name for name in query.PROVIDERS[provider] if name != UNIT]
    names = [f"{name}:team" if name in query.FAMILIES else name for name in own]
    found: dict[str, Mapping[str, Any]] = {name: _KNOWN[name] for name in _KNOWN if name not in ("key_only", "filter[enabled]")}
    found["delta"] = {"enum": ["usage"] if kind.is_usage else ["cost", "cost_total"]}
    for name in names:
        for prefix in ("", "and:", "or:", "exact:"):
            found |= {f"{where}[{prefix}{name}]": _TEXT for where in ("filter", "exclude")}
        found |= {f"group_by[{prefix}{name}]": _TEXT for prefix in ("", "and:", "or:")}
    if UNIT in query.PROVIDERS[provider] and not kind.is_usage:
        found |= {f"{where}[{UNIT}]": _TEXT for where in ("filter", "exclude", "group_by")}
    orders = (*query.ORDERS, *names, *(["account_alias"] if "account" in names else []))
    return found | {f"order_by[{name}]": {"enum": ["asc", "desc"]} for name in orders} | {"order_by[date]": _DAY}


def _all(names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    return {name: _KNOWN.get(name, _TEXT) for name in names}


def _route(
    summary: str, parameters: Mapping[str, Mapping[str, Any]], schema: str, in_path: str | None = None
) -> dict[str, Any]:
    listed = [{"name": name, "in": "query", "schema": kind} for name, kind in parameters.items()]
    answers: dict[str, Any] = {
        code: {"description": says, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for code, says in (("400", "A parameter is wrong."), ("401", "Nobody knows who asks."), ("404", "Not found."),
                           ("414", "Too long."), ("503", "The lake cannot answer."))
    }  # fmt: skip
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    content |= {"text/csv": {"schema": _TEXT}} if schema == "Report" else {}
    answers |= {"200": {"description": "What was asked for.", "content": content}, "304": {"description": "The asker has it."}}
    return {
        "get": {
            "summary": summary,
            "parameters": [*([_IN_PATH[in_path]] if in_path else []), *listed],
            "responses": dict(sorted(answers.items())),
        }
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_LINK = {"type": ["string", "null"]}
_LINKS = {
    "type": "object",
    "required": ["first", "next", "previous", "last"],
    "additionalProperties": False,
    "properties": dict.fromkeys(("first", "next", "previous", "last"), _LINK),
}
_COSTS = {name: _ref("Money") for name in ("infrastructure", "supplementary", "cost")} | {"usage": _ref("Value")}
_SCHEMAS: Mapping[str, Any] = {
    "Value": {
        "type": "object",
        "required": ["value", "units"],
        "additionalProperties": False,
        "properties": {"value": {"type": ["number", "null"]}, "units": _LINK},
    },
    "Money": {
        "type": "object",
        "required": ["raw", "markup", "usage", "total"],
        "additionalProperties": _ref("Value"),
    },
    "Bucket": {
        "type": "object",
        "required": ["date"],
        "minProperties": 2,
        "maxProperties": 2,
        "properties": {"date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$"}},
        "additionalProperties": {"type": "array", "items": {"anyOf": [_ref("Values"), _ref("Group")]}},
    },
    "Group": {
        "type": "object",
        "minProperties": 2,
        "maxProperties": 2,
        "additionalProperties": {
            "anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_ref("Values"), _ref("Group")]}}],
        },
    },
    "Values": {
        "type": "object",
        "required": ["date", "source_uuid", "infrastructure", "supplementary", "cost"],
        "properties": {
            "date": _TEXT,
            "source_uuid": {"type": "array", "items": _TEXT},
            "delta_value": {"type": "number"},
            "delta_percent": {"type": ["number", "null"]},
            **_COSTS,
        },
    },
    "Report": {
        "type": "object",
        "required": ["meta", "links", "data"],
        "additionalProperties": False,
        "properties": {
            "meta": {
                "type": "object",
                "required": ["count", "currency", "cost_type", "filter", "group_by", "order_by", "exclude", "total"],
                "properties": {
                    "count": {"type": "integer", "minimum": 0},
                    "total": {"type": "object", "required": ["infrastructure", "supplementary", "cost"], "properties": _COSTS},
                },
            },
            "links": _LINKS,
            "data": {"type": "array", "items": _ref("Bucket")},
        },
    },
    "List": {
        "type": "object",
        "required": ["meta", "links", "data"],
        "additionalProperties": False,
        "properties": {
            "meta": {"type": "object", "required": ["count", "limit", "offset"]},
            "links": _LINKS,
            "data": {"type": "array"},
        },
    },
    "Object": {"type": "object"},
    "Problem": {"type": "object"},
}
