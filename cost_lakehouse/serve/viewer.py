"""Who asks, and which accounts they may see. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers

from cost_lakehouse.ask.clauses import ALWAYS, Clause, one_of
from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.errors import CostLakehouseError


class NotForRole(CostLakehouseError):
    """What is asked for cannot be told apart by account, so that a role does not see it."""


@dataclass(frozen=True)
class Viewer:
    """``accounts`` None: all of them."""

    name: str
    accounts: tuple[str, ...] | None = None

    @property
    def clause(self) -> Clause:
        """What must hold of every line that this one sees."""
        return ALWAYS if self.accounts is None else one_of("account", self.accounts)


EVERYBODY = Viewer("everybody")


def viewer_of(settings: ServeSettings, address: str | None, headers: Headers) -> Viewer | None:
    """Who asks from an address (of the connection, whatever headers claim); None where that is not known."""
    if settings.is_open:
        return EVERYBODY
    given = token_of(headers.get("authorization", ""))
    if given is not None:
        # Digests are of one length: how long the comparison takes tells nothing of either; all are compared, found or not.
        known = [(settings.token, EVERYBODY), *((role.token, Viewer(role.name, role.accounts)) for role in settings.roles)]
        found = [
            viewer
            for token, viewer in known
            if token is not None and hmac.compare_digest(_digest(given), _digest(token.get_secret_value()))
        ]
        return found[0] if found else None
    proxy = settings.proxy
    if proxy is None or address not in proxy.addresses or len(headers.getlist(proxy.header)) != 1:
        return None
    return _of_groups(settings, {group.strip() for group in headers[proxy.header].split(",")} - {""})


def _of_groups(settings: ServeSettings, groups: Iterable[str]) -> Viewer | None:
    """Of all roles that the groups stand for, all accounts."""
    named = set(groups)
    if settings.proxy is not None and named & set(settings.proxy.see_all):
        return EVERYBODY
    roles = [role for role in settings.roles if named & set(role.groups or (role.name,))]
    if not roles:
        return None
    accounts = dict.fromkeys(account for role in roles for account in role.accounts)
    return Viewer("+".join(role.name for role in roles), tuple(accounts))


def token_of(authorization: str) -> str | None:
    """The token in an ``Authorization`` header: a bearer's, or the password of Basic. None where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
