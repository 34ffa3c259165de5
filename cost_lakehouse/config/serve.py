"""Who may ask the lake over HTTP, and how much at once: ``serve``."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from cost_lakehouse.config.yaml_file import Strict

_SHORTEST_TOKEN = 16


class ServeSettings(Strict):
    """``token`` is asked of everybody where it is given, and must be given to bind to anything but this machine itself.

    ``hosts`` are further names by which a proxy on this machine is asked for; limits are those of one request.
    """

    token: SecretStr | None = None
    hosts: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=30, gt=0, le=3_600)
    most_rows: int = Field(default=10_000, ge=1, le=1_000_000)

    @field_validator("token")
    @classmethod
    def _token_cannot_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            text = value.get_secret_value()
            if len(text) < _SHORTEST_TOKEN or not re.fullmatch(r"[!-~]+", text):
                raise ValueError(
                    f"write {_SHORTEST_TOKEN} characters or more without blanks, as `openssl rand -hex 32` makes them"
                )
        return value

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in value if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no name of a host; write it without scheme, port and path")
        return tuple(host.lower() for host in value)
