"""Sources of Koku (Red Hat's cost management): what its API takes and gives back, one source or a page of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from cost_lakehouse.importers.entries import (
    Bucket,
    Entry,
    NotUsable,
    Payload,
    account_of,
    bucket_of,
    label_of,
    mapping_of,
    no_payload,
    text_of,
)

_FIX = (
    'Give a source as Koku\'s API has it, or a page of them: {"authentication": {"credentials": {"role_arn": ...}}, '
    '"billing_source": {"data_source": {"bucket": ...}}}.'
)
_OCI = "read Oracle's reports with `tenancy` (docs/configure-oci.md), not from Koku's copy"


def parse_koku(document: Any) -> Payload:
    """The sources of the payload: a bucket and a role each, whose reports are to be found.

    Raises ConfigurationError where the document is something else.
    """
    payload = Payload()
    for place, given in _sources_of(document):
        try:
            values = mapping_of(given, place or "the source")
            kind = text_of(values, "source_type", "type").upper()
            label = f"{place} {text_of(values, 'name')}".strip() or "the source"
            if kind not in ("", "AWS"):
                payload.left_out.append(f"{label}: {_reason(kind)}.")
                continue
            payload.entries.append(_entry(values, place))
        except NotUsable as error:
            payload.wrong.append(f"{place or 'the source'}: {error}.")
    return payload


def _sources_of(document: Any) -> list[tuple[str, Any]]:
    if isinstance(document, Mapping):
        if "billing_source" in document or "authentication" in document:
            return [("", document)]
        for name in ("data", "sources"):
            listed = document.get(name)
            if isinstance(listed, Sequence) and not isinstance(listed, str):
                return [(f"{name}[{index}]", item) for index, item in enumerate(listed)]
    if isinstance(document, Sequence) and not isinstance(document, str):
        return [(f"[{index}]", item) for index, item in enumerate(document)]
    raise no_payload("Koku", _FIX)


def _reason(kind: str) -> str:
    if kind.startswith("OCI"):
        return _OCI
    return "it is no source of AWS, and no bill of this kind is read from a payload"


def _entry(given: Mapping[str, Any], place: str) -> Entry:
    authentication = mapping_of(given.get("authentication") or {}, "authentication")
    credentials = mapping_of(authentication.get("credentials") or {}, "authentication.credentials")
    billing = mapping_of(given.get("billing_source") or {}, "billing_source")
    source = mapping_of(billing.get("data_source") or {}, "billing_source.data_source")
    address = text_of(source, "bucket") or text_of(billing, "bucket")
    if not address:
        raise NotUsable("billing_source.data_source names no bucket")
    bucket, folder = bucket_of(address)
    role = text_of(credentials, "role_arn", "provider_resource_name") or text_of(
        authentication, "provider_resource_name", "resource_name"
    )
    values: dict[str, Any] = {}
    if region := text_of(source, "bucket_region"):
        values["region"] = region
    if role:
        values["role_arn"] = role
    if given.get("paused") is True:
        values["paused"] = True
    prefix = "/".join(item for item in (folder, text_of(source, "report_prefix").strip("/")) if item)
    external_id = text_of(credentials, "external_id")
    stem = f"{place}." if place else ""
    return Entry(
        place or "the source",
        label_of(text_of(given, "name"), account_of(role), bucket),
        values,
        Bucket(bucket, prefix, text_of(source, "report_name") or None),
        SecretStr(external_id) if external_id else None,
        f"{stem}authentication.credentials.external_id" if external_id else "",
        hints=_hints(source),
    )


def _hints(source: Mapping[str, Any]) -> tuple[str, ...]:
    # Koku has kept it as a text too.
    if str(source.get("storage_only")).lower() == "true":
        return ("Koku reads only files that are announced to it (storage_only); here AWS's own manifests decide.",)
    return ()
