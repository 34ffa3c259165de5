"""``clusters:`` in ``lakehouse.yaml``: Kubernetes and ECS clusters whose nodes are on a bill, and what says who used them."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator, model_validator

from cost_lakehouse.config.source import BucketSettings


class ClusterSettings(BucketSettings):
    """One cluster. Its nodes are on the bill of ``source``.

    ``location`` has OpenCost's exports: CSV, Parquet, or ``/allocation`` answers as JSON, which ``url`` gives day by day.
    Without it the bill's own split rows alone count. ``node_tag`` is ``key=value`` of the nodes' tags, as ``marts`` write them.
    """

    kind: Literal["opencost"] = "opencost"
    source: str
    url: str | None = None
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
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("write http://HOST:PORT, where /allocation is answered")
        return None if value is None else value.rstrip("/")

    @field_validator("node_tag")
    @classmethod
    def _tag_has_a_value(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^=]+=.+", value):
            raise ValueError("write key=value, as the marts' tags have it, such as aws_eks_cluster_name=prod")
        return value

    @model_validator(mode="after")
    def _answers_have_a_place(self) -> ClusterSettings:
        if self.url is not None and (not self.location or self.is_s3):
            raise ValueError("url needs a folder as location: what the API says of a day is kept there, as it forgets")
        return self

    @property
    def tag(self) -> tuple[str, str] | None:
        """The tag that tells its nodes: key and value."""
        if self.node_tag is None:
            return None
        key, _, value = self.node_tag.partition("=")
        return key, value
