"""How Trino is reached: address, authentication, TLS and session properties."""

from __future__ import annotations

from cost_lakehouse.strict import Strict


class TrinoSettings(Strict):
    """One Trino coordinator."""

    host: str
    port: int = 8080
    user: str = "cost-lakehouse"
    catalog: str = "lake"
    http_scheme: str = "http"
