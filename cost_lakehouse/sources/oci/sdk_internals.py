"""What this project takes from Oracle's SDK that it does not export; nothing else imports ``oci._…``.

The SDK brings a copy of ``requests`` of its own (``oci._vendor``): the errors of its connections are that copy's, no others,
and its session is the only place where the number of connections and the proxies can be set.
"""

from __future__ import annotations

from typing import Any


def is_request_error(error: BaseException) -> bool:
    """Whether the SDK's ``requests`` raised it."""
    from oci._vendor import requests

    return isinstance(error, requests.exceptions.RequestException)


def keep_connections(session: Any, connections: int, endpoint: str) -> None:
    """Keep so many connections open, and ask the environment for proxies once instead of for every request."""
    from oci._vendor.requests.adapters import HTTPAdapter
    from oci._vendor.requests.utils import get_environ_proxies
    from oci.base_client import OCIHTTPAdapter

    session.mount("https://", OCIHTTPAdapter(pool_maxsize=connections))
    session.mount("http://", HTTPAdapter(pool_maxsize=connections))
    session.proxies.update(get_environ_proxies(endpoint, no_proxy=None))
