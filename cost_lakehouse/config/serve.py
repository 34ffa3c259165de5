"""Who may ask the lake over HTTP, and how much at once: ``serve``."""

from __future__ import annotations

import re
from ipaddress import ip_address

from pydantic import Field, SecretStr, field_validator, model_validator

from cost_lakehouse.config.yaml_file import Strict

_SHORTEST_TOKEN = 16


def _not_guessed(value: SecretStr | None) -> SecretStr | None:
    """A token that is long enough. Raises ValueError."""
    if value is not None:
        text = value.get_secret_value()
        if len(text) < _SHORTEST_TOKEN or not re.fullmatch(r"[!-~]+", text):
            raise ValueError(f"write {_SHORTEST_TOKEN} characters or more without blanks, as `openssl rand -hex 32` makes them")
    return value


class RoleSettings(Strict):
    """Somebody who sees some accounts only: those that used a service (OCI: tenancies), by their ids.

    Known by a ``token`` of its own, or by ``groups`` that the trusted proxy names; by the role's name where there are none.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    accounts: tuple[str, ...] = Field(min_length=1)
    token: SecretStr | None = None
    groups: tuple[str, ...] = ()

    _token_cannot_be_guessed = field_validator("token")(_not_guessed)


class ProxySettings(Strict):
    """A proxy that has asked people who they are: requests from its ``addresses`` say so in ``header``.

    The header holds groups with commas between; who has one of ``see_all`` sees everything.
    """

    addresses: tuple[str, ...] = Field(min_length=1)
    header: str = Field(default="X-Forwarded-Groups", pattern=r"^[A-Za-z0-9-]{1,60}$")
    see_all: tuple[str, ...] = ()

    @field_validator("addresses")
    @classmethod
    def _addresses_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_address(address)) for address in value)


class ServeSettings(Strict):
    """``token`` opens everything. Without it, ``roles`` and ``proxy`` whoever reaches the server sees everything, so that it
    can be bound to this machine alone.

    ``hosts`` are further names by which a proxy on this machine is asked for; limits are those of one request. ``downloads``
    lets Koku's manual download start loads.
    """

    token: SecretStr | None = None
    roles: tuple[RoleSettings, ...] = ()
    proxy: ProxySettings | None = None
    downloads: bool = False
    hosts: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=30, gt=0, le=3_600)
    most_rows: int = Field(default=10_000, ge=1, le=1_000_000)

    _token_cannot_be_guessed = field_validator("token")(_not_guessed)

    @model_validator(mode="after")
    def _roles_are_told_apart(self) -> ServeSettings:
        tokens = [role.token.get_secret_value() for role in self.roles if role.token is not None]
        tokens += [] if self.token is None else [self.token.get_secret_value()]
        names = [role.name for role in self.roles]
        if len(set(names)) < len(names):
            raise ValueError("roles: a name stands twice")
        if len(set(tokens)) < len(tokens):
            raise ValueError("roles: two have the same token; give each its own")
        if lost := [role.name for role in self.roles if role.token is None and self.proxy is None]:
            raise ValueError(f"roles: nobody can be {lost[0]}; give it a token, or set proxy")
        return self

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self.token is None and not self.roles and self.proxy is None

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in value if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no name of a host; write it without scheme, port and path")
        return tuple(host.lower() for host in value)
