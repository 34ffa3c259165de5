"""Koku's tags: ``/tags/aws/`` lists the keys and values that lines of the last days have, ``/tags/aws/{key}/`` one key's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.tags import tag_values
from cost_lakehouse.serve.koku import organizations
from cost_lakehouse.serve.koku.lists import answering, known_only, not_found, page, truth
from cost_lakehouse.serve.koku.windows import Window, window_of
from cost_lakehouse.serve.served import Handler, Served

_SCOPE = ("resolution", "time_scope_units", "time_scope_value")
_FILTERS = (*_SCOPE, "key", "value", "account", "org_unit_id", "enabled")
KNOWN = ("key_only", "limit", "offset", "start_date", "end_date", *(f"filter[{name}]" for name in _FILTERS))
_MOST_VALUES = 50
Tags = Mapping[str, frozenset[str]]


def tags_of(provider: str) -> Handler:
    """The handler of ``/tags/{provider}/``."""

    def handler(served: Served, request: Request) -> Response:
        """Every key with its values, cut to 50."""
        pairs = request.query_params.multi_items()
        given = known_only(pairs, KNOWN)
        tags = chosen_tags(_read(served, provider, given), given.get("filter[key]", ""), given.get("filter[value]", ""))
        enabled = truth("enabled", given.get("filter[enabled]", "true"))
        keys = sorted(tags) if enabled else []  # every tag of a bill counts here; none is switched off
        if truth("key_only", given.get("key_only", "false")):
            return page(request, pairs, keys)
        return page(request, pairs, [_row(key, tags[key], "filter[key]" in given) for key in keys])

    return answering(handler)


def values_of(provider: str) -> Handler:
    """The handler of ``/tags/{provider}/{key}/``."""

    def handler(served: Served, request: Request) -> Response:
        """All values of one key; 404 where no line has it."""
        pairs = request.query_params.multi_items()
        given = known_only(pairs, KNOWN)
        found = _read(served, provider, given).get(request.path_params["key"])
        if found is None:
            return not_found(request)
        part = given.get("filter[value]", "").lower()
        return page(request, pairs, sorted(value for value in found if part in value.lower()))

    return answering(handler)


def chosen_tags(tags: Tags, key: str, value: str) -> Tags:
    """Keys that hold a text and have a value that holds another, whatever the case. Pure."""
    parts = {name: frozenset(one for one in values if value.lower() in one.lower()) for name, values in tags.items()}
    return {name: values for name, values in parts.items() if key.lower() in name.lower() and values}


def _row(key: str, values: Iterable[str], whole: bool) -> dict[str, Any]:
    found = sorted(values)
    return {"key": key, "values": found if whole else found[:_MOST_VALUES], "enabled": True}


def _read(served: Served, provider: str, given: Mapping[str, str]) -> Tags:
    window = _window(served, given)
    accounts = [given["filter[account]"]] if "filter[account]" in given else None
    if unit := given.get("filter[org_unit_id]"):
        of_unit = organizations.accounts_in(served, unit)
        accounts = of_unit if accounts is None else [account for account in accounts if account in of_unit]
    seen = served.viewer.accounts
    if accounts is not None and seen is not None:
        accounts = [account for account in accounts if account in seen]
    wanted = accounts if accounts is not None else seen
    return tag_values(served.lake, provider, window.range, wanted, served.limits)


def _window(served: Served, given: Mapping[str, str]) -> Window:
    scope = {name: given[f"filter[{name}]"] for name in _SCOPE if f"filter[{name}]" in given}
    today, first = datetime.now(UTC).date(), served.lake.settings.lake.first_month
    return window_of(scope, given.get("start_date"), given.get("end_date"), today, first)
