"""Binds an address and serves the application with uvicorn until it is stopped."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from threading import Thread

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.served import StartLoad
from cost_lakehouse.serve.starting import start

_CONNECTIONS = 64
_LONGEST_HEAD = 32_768  # bytes of a request's line and headers


def serve(lake: Lake, host: str, port: int, ready: Callable[[str], None], start_load: StartLoad | None = None) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is told the address once requests are taken. Port 0: any free one.

    Raises ConfigurationError where a token is missing, CostLakehouseError where the address cannot be bound.
    """
    app = application(lake, host, start_load)
    with bound(host, port) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=_logging(),
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=10,
                http="h11",
                ws="none",
                h11_max_incomplete_event_size=_LONGEST_HEAD,
            )
        )
        Thread(target=start, args=(lake,), daemon=True).start()
        ready(address_of(listener))
        server.run(sockets=[listener])


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises CostLakehouseError where the address is taken, or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_CONNECTIONS)
    except (OSError, OverflowError) as error:
        listener.close()
        said = getattr(error, "strerror", None) or str(error)
        raise CostLakehouseError(f"{host}:{port} cannot be bound: {said}.", "Choose another --port, or --host.") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """Where a listening socket is reached, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _logging() -> dict[str, object]:
    """uvicorn's own, with requests on stderr too: stdout is for results. No header is ever logged, so no token is."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    config["loggers"]["cost_lakehouse.serve"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config
