"""The web application: all routes behind the guard."""

from __future__ import annotations

import logging

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve import ahead, changes, explained, metrics, openapi, v1
from cost_lakehouse.serve.guard import HEALTH, LOOPBACK_NAMES, Guard, is_loopback
from cost_lakehouse.serve.koku import routes as koku
from cost_lakehouse.serve.opencost import routes as opencost
from cost_lakehouse.serve.page import routes as page
from cost_lakehouse.serve.replies import problem
from cost_lakehouse.serve.served import AT_ONCE, Served, StartLoad, route

_log = logging.getLogger("cost_lakehouse.serve")


def application(lake: Lake, host: str = "127.0.0.1", start_load: StartLoad | None = None) -> Starlette:
    """The application that serves a lake at an address; with ``start_load`` Koku's manual download can be asked for.

    Raises ConfigurationError where others than this machine could reach it and nobody is asked who they are.
    """
    settings = lake.settings.serve
    if settings.is_open and not is_loopback(host):
        raise ConfigurationError(
            f"Whoever reaches {host} could read every bill.",
            "Set a token in lakehouse.yaml (`serve: {token: ${SERVE_TOKEN}}`), or bind to 127.0.0.1.",
        )
    hosts = (*LOOPBACK_NAMES, *settings.hosts) if is_loopback(host) else None
    served = Served(lake, start_load=start_load)
    limiter = CapacityLimiter(AT_ONCE)
    routes: list[BaseRoute] = [Route(path, _healthy) for path in HEALTH]
    own = (
        *v1.ROUTES, *ahead.ROUTES, *changes.ROUTES, *explained.ROUTES, *openapi.ROUTES, *metrics.ROUTES,
        *koku.ROUTES, *opencost.ROUTES, *page.ROUTES,
    )  # fmt: skip
    routes += [route(served, path, handler, limiter) for path, handler in own]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, settings=settings, hosts=hosts)],
        exception_handlers={HTTPException: _http_problem, Exception: _unexpected},
    )


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return problem(
            404, f"There is nothing at {request.url.path}.", "/v1/sources, /v1/costs and others are listed in docs/serve.md."
        )
    return problem(status, f"HTTP {status}.", "See docs/serve.md for what can be asked.")


async def _unexpected(request: Request, error: Exception) -> Response:
    """Nobody is told what went wrong inside; the log is."""
    _log.error("%s failed", request.url.path, exc_info=error)
    return problem(500, "Something went wrong that nobody expected.", "The server's log says what; please report it.")
