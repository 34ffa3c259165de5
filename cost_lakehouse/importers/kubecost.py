"""``cloud-integration.json`` of Kubecost and OpenCost: the old schema (``aws`` is a list) and the new one (``aws.athena``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

_OTHERS = {"azure": "Azure", "gcp": "Google Cloud", "alibaba": "Alibaba Cloud", "oci": "Oracle's usage API"}
_FIX = 'Give cloud-integration.json: {"aws": [...]} or {"aws": {"athena": [...]}}.'
_USUAL_CATALOG, _USUAL_WORKGROUP = "AwsDataCatalog", "primary"


def parse_kubecost(document: Any) -> Payload:
    """The payers of the file.

    With a table, the table in Athena is the source; with a bucket alone, the reports in it are to be found. Raises
    ConfigurationError where the document is something else.
    """
    if not isinstance(document, Mapping) or not {"aws", *_OTHERS} & document.keys():
        raise no_payload("Kubecost", _FIX)
    payload = Payload()
    for place, given, is_old in _entries_of(document.get("aws")):
        try:
            values = mapping_of(given, place)
            payload.entries.append(_old(values, place) if is_old else _new(values, place))
        except NotUsable as error:
            payload.wrong.append(f"{place}: {error}.")
    for name, cloud in _OTHERS.items():
        if document.get(name):
            payload.left_out.append(f"{name}: bills of {cloud} are not read from what it says.")
    return payload


def _entries_of(aws: Any) -> list[tuple[str, Any, bool]]:
    if aws is None:
        return []
    if isinstance(aws, Sequence) and not isinstance(aws, str):
        return [(f"aws[{index}]", item, True) for index, item in enumerate(aws)]
    if not isinstance(aws, Mapping):
        raise no_payload("Kubecost", _FIX)
    found: list[tuple[str, Any, bool]] = []
    for kind in ("athena", "s3"):
        listed = aws.get(kind) or []
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise no_payload("Kubecost", _FIX)
        found += [(f"aws.{kind}[{index}]", item, False) for index, item in enumerate(listed)]
    return found


def _old(given: Mapping[str, Any], place: str) -> Entry:
    role = text_of(given, "masterPayerARN")
    keys = tuple(f"{place}.{name}" for name in ("serviceKeyName", "serviceKeySecret") if text_of(given, name))
    table = {
        "database": text_of(given, "athenaDatabase"),
        "table": text_of(given, "athenaTable"),
        "catalog": text_of(given, "athenaCatalog"),
        "workgroup": text_of(given, "athenaWorkgroup"),
    }
    # The project is where the cluster runs; the bill is the role's account's.
    account = account_of(role) or text_of(given, "projectID")
    roles = [role] if role else []
    return _entry(place, account, text_of(given, "athenaBucketName"), text_of(given, "athenaRegion"), table, roles, keys)


def _new(given: Mapping[str, Any], place: str) -> Entry:
    roles, keys, hints = _authorizer(given.get("authorizer"), f"{place}.authorizer")
    account = text_of(given, "account", "projectID") or (account_of(roles[-1]) if roles else "")
    table = {name: text_of(given, name) for name in ("database", "table", "catalog", "workgroup")}
    return _entry(place, account, text_of(given, "bucket"), text_of(given, "region"), table, roles, keys, hints)


def _entry(
    place: str,
    account: str,
    address: str,
    region: str,
    table: Mapping[str, str],
    roles: Sequence[str],
    key_fields: tuple[str, ...],
    hints: tuple[str, ...] = (),
) -> Entry:
    values: dict[str, Any] = {}
    if region:
        values["region"] = region
    if roles:
        values["role_arn"] = roles[0] if len(roles) == 1 else list(roles)
    if not table["database"] and not table["table"]:
        if not address:
            raise NotUsable("it names neither a table nor a bucket")
        bucket, prefix = bucket_of(address)
        return Entry(place, label_of(account, bucket), values, Bucket(bucket, prefix), key_fields=key_fields, hints=hints)
    for name in ("database", "table"):
        if not table[name]:
            raise NotUsable(f"its table in Athena has no {name}")
    athena = {"database": table["database"], "table": table["table"]}
    for name, usual in (("workgroup", _USUAL_WORKGROUP), ("catalog", _USUAL_CATALOG)):
        if table[name] and table[name] != usual:
            athena[name] = table[name]
    if address:
        bucket, prefix = bucket_of(address)
        athena["results"] = f"s3://{bucket}/{prefix}".rstrip("/")
    values = {"kind": "aws_athena", **values, "athena": athena}
    return Entry(place, label_of(account, table["table"]), values, key_fields=key_fields, hints=hints)


def _authorizer(given: Any, place: str) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """The roles, the first to be assumed first; where an access key stands; hints."""
    if given is None:
        return [], (), ()
    values = mapping_of(given, place)
    kind = text_of(values, "authorizerType")
    if kind == "AWSAccessKey":
        return [], tuple(f"{place}.{name}" for name in ("id", "secret") if text_of(values, name)), ()
    if kind == "AWSServiceAccount":
        return [], (), ()
    role = text_of(values, "roleARN")
    if kind not in ("AWSAssumeRole", "AWSWebIdentity"):
        raise NotUsable(f"its authorizerType {kind!r} is not known here")
    if not role:
        raise NotUsable(f"{place} has no roleARN")
    if kind == "AWSWebIdentity":
        provider = text_of(values, "identityProvider") or "another cloud"
        hint = f"Its role is given to a web identity of {provider}: write its token to a file, and name it here:"
        return [role], (), (hint, "web_identity_token_file: /path/of/the/token")
    roles, keys, hints = _authorizer(values.get("authorizer"), f"{place}.authorizer")
    return [*roles, role], keys, hints
