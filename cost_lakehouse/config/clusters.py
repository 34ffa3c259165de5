"""``clusters:`` in ``lakehouse.yaml``: Kubernetes and ECS clusters whose nodes are on a bill, and what says who used them."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from cost_lakehouse.config.alerts import headers_are_ones
from cost_lakehouse.config.aws_access import ACCESS_KEYS, AwsAccess
from cost_lakehouse.config.source import BucketSettings

_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(?:=|!=|=~|!~)\s*"(?:[^"\\\n]|\\.)*"'
_MATCHERS = re.compile(rf"{_MATCHER}(?:\s*,\s*{_MATCHER})*")


class PrometheusSettings(AwsAccess):
    """A Prometheus, or what answers its HTTP API: Thanos, Mimir, VictoriaMetrics; with ``sigv4`` Amazon's managed one.

    ``match`` are label matchers, such as ``cluster="blue"``, where it has the metrics of several clusters.
    """

    url: str
    match: str = ""
    sigv4: bool = False
    token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, value: str) -> str:
        return _http_address(value, "write https://HOST, below which /api/v1/query is answered")

    @field_validator("match")
    @classmethod
    def _match_is_matchers(cls, value: str) -> str:
        if value and not _MATCHERS.fullmatch(value):
            raise ValueError('write label matchers of PromQL, such as cluster="blue"')
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_ones(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return headers_are_ones(value)

    @model_validator(mode="after")
    def _one_way_to_say_who_asks(self) -> PrometheusSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if [self.sigv4, self.token is not None, self.username is not None].count(True) > 1:
            raise ValueError("sigv4, token, and username with password are different credentials; keep one of them")
        of_aws = [name for name in ACCESS_KEYS if name != "proxy" and getattr(self, name) is not None]
        if self.endpoint is not None:
            raise ValueError("endpoint is what `url` is here; keep url")
        if of_aws and not self.sigv4:
            raise ValueError(f"{of_aws[0]} goes with sigv4: true")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        given = [self.token, self.password, *self.headers.values()]
        return (*super().secrets, *(one.get_secret_value() for one in given if one is not None))


class ClusterSettings(BucketSettings):
    """One cluster. Its nodes are on the bill of ``source``.

    ``location`` has OpenCost's exports (CSV, Parquet, or ``/allocation`` answers as JSON, which ``url`` gives day by day),
    exports of Container Insights, or answers of ``prometheus``.
    Without it the bill's own split rows alone count. ``node_tag`` is ``key=value`` of the nodes' tags, as ``marts`` write them.
    """

    kind: Literal["opencost"] = "opencost"
    source: str
    url: str | None = None
    prometheus: PrometheusSettings | None = None
    node_tag: str | None = None
    pods: bool = False
    labels: tuple[str, ...] = ()

    @field_validator("location")
    @classmethod
    def _location_is_given(cls, value: str, others: ValidationInfo) -> str:
        return value

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, value: str | None) -> str | None:
        return None if value is None else _http_address(value, "write http://HOST:PORT, where /allocation is answered")

    @field_validator("node_tag")
    @classmethod
    def _tag_has_a_value(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^=]+=.+", value):
            raise ValueError("write key=value, as the marts' tags have it, such as aws_eks_cluster_name=prod")
        return value

    @model_validator(mode="after")
    def _answers_have_a_place(self) -> ClusterSettings:
        if self.url is not None and self.prometheus is not None:
            raise ValueError("url and prometheus are two that say what was used; keep one of them")
        name = "url" if self.url is not None else "prometheus" if self.prometheus is not None else None
        if name is not None and (not self.location or self.is_s3):
            raise ValueError(f"{name} needs a folder as location: what the API says of a day is kept there, as it forgets")
        return self

    @property
    def tag(self) -> tuple[str, str] | None:
        """The tag that tells its nodes: key and value."""
        if self.node_tag is None:
            return None
        key, _, value = self.node_tag.partition("=")
        return key, value


def _http_address(text: str, says: str) -> str:
    """An address without a slash at its end. Raises ValueError; a password in it is in no message."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(says) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(says)
    if parts.username is not None or parts.password is not None:
        raise ValueError("write no user or password into the address")
    return text.rstrip("/")
