"""``cost-lakehouse policy aws``: what lets sources be delivered and read, and clusters be asked, and nothing besides."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.commands.policy import partition_of
from cost_lakehouse.cli.output import console
from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.config.organizations import OrganizationSettings
from cost_lakehouse.config.source import is_aws
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.sources.aws import policies as aws
from cost_lakehouse.sources.registry import policy_of

PARTS = {
    "reader": "reader_policy",
    "trust": "trust_policy",
    "caller": "caller_policy",
    "bucket": "bucket_policy",
}
# AWS refuses a policy with one of these in it, so that nobody is let in by what was not filled in.
NOBODY = "<ARN of the role or user that loads: --principal>"
NO_ACCOUNT = "<account that the bill is of: --account>"


@dataclass(frozen=True)
class Wanted:
    """What lakehouse.yaml does not say."""

    principals: tuple[str, ...] = ()
    account: str | None = None
    kms_key: str | None = None
    table_location: str | None = None
    addresses: tuple[str, ...] = ()
    organizations: bool = False
    reports: bool = False
    invoices: bool = False


def print_aws_policies(config: Path | None, source: str | None, part: str | None, wanted: Wanted) -> int:
    """Print the policies of each source as one JSON object, or one of them alone; the exit code.

    Raises ConfigurationError where a source is not at AWS, or none is.
    """
    settings = settings_of(config)
    chosen = (
        [settings.source(source)]
        if source is not None
        else [candidate for candidate in settings.sources if candidate.is_at_aws]
    )
    # With the credentials of a source, its own reader asks; the others are asked about only where no source is named.
    apart = (
        [
            organization
            for organization in settings.organizations
            if organization.source is None and is_aws(organization.endpoint)
        ]
        if source is None
        else []
    )
    clusters = [cluster for cluster in settings.clusters if source is None and _is_asked_at_aws(cluster)]
    if not (chosen or apart or clusters) or not all(entry.is_at_aws for entry in chosen):
        raise ConfigurationError(
            f"{f'Source {source}' if source else 'No source'} of {settings.file} is {'not ' if source else ''}read from AWS.",
            "Policies are for sources at s3:// without `endpoint`, and for Athena; other stores have rules of their own.",
        )
    made = {entry.name: policies_of(entry, wanted, _asked_by(settings, entry)) for entry in chosen}
    # No source has a blank in its name.
    made |= {f"organization {organization.name}": organization_policies(organization, wanted) for organization in apart}
    made |= {f"cluster {cluster.name}": cluster_policies(cluster, wanted) for cluster in clusters}
    if part is None:
        _print(made)
        return 0
    if len(made) > 1:
        raise ConfigurationError(f"--part {part} is of one source, and there are {len(made)}.", "Name it with --source.")
    (name, policies), *_ = made.items()
    only = policies.get(PARTS[part])
    if only is None:
        raise ConfigurationError(f"Source {name} needs no {part} policy.", "Leave --part out to see what it needs.")
    _print(only)
    return 0


def _asked_by(settings: Settings, source: SourceSettings) -> OrganizationSettings | None:
    """The organisation that is asked with the source's credentials; of several, one with tags."""
    asked = [organization for organization in settings.organizations if organization.source == source.name]
    return max(asked, key=lambda one: one.tags, default=None)


def policies_of(source: SourceSettings, wanted: Wanted, organization: OrganizationSettings | None = None) -> dict[str, Any]:
    """The documents by what they are for; what a source does not need is left out.

    ``organization`` is asked with the same credentials.
    """
    roles = source.role_arns
    account = wanted.account or (roles[-1].split(":")[4] if roles else NO_ACCOUNT)
    partition = roles[-1].split(":")[1] if roles else partition_of(source.region)
    names = aws.read_organization(organization.tags if organization else True) if organization or wanted.organizations else []
    asked = aws.list_invoices() if wanted.invoices else []
    extra = [*(aws.find_reports(partition, account) if wanted.reports else []), *names, *asked]
    needed = policy_of(source, aws.Reader(account, partition, wanted.addresses, wanted.table_location))
    made: dict[str, Any] = {"reader_policy": aws.policy(needed.read, aws.decrypt(wanted.kms_key), extra)}
    made |= _of_roles(source, wanted)
    if needed.delivered_to is not None:
        made["bucket_policy"] = aws.deliver(needed.delivered_to, partition, account)
    if needed.note:
        console(stderr=True).print(needed.note)  # stdout carries the policies alone
    return made


def organization_policies(organization: OrganizationSettings, wanted: Wanted) -> dict[str, Any]:
    """Who asks an organisation with credentials of its own."""
    reader = aws.policy(aws.read_organization(organization.tags))
    return {"reader_policy": reader, **_of_roles(organization, wanted)}


def cluster_policies(cluster: ClusterSettings, wanted: Wanted) -> dict[str, Any]:
    """Who reads a cluster's exports, or asks Amazon's Prometheus of it."""
    prometheus = cluster.prometheus if cluster.prometheus is not None and cluster.prometheus.sigv4 else None
    access = prometheus or cluster
    roles = access.role_arns
    account = wanted.account or (roles[-1].split(":")[4] if roles else NO_ACCOUNT)
    partition = roles[-1].split(":")[1] if roles else partition_of(access.region)
    reader = aws.Reader(account, partition, wanted.addresses)
    if prometheus is not None:
        needed = aws.query_metrics(prometheus.url, prometheus.region or aws.NO_REGION, reader)
    else:
        needed = aws.of_bucket(cluster, reader, exported_by_aws=False).read
    return {"reader_policy": aws.policy(needed, aws.decrypt(wanted.kms_key)), **_of_roles(access, wanted)}


def _is_asked_at_aws(cluster: ClusterSettings) -> bool:
    return cluster.is_at_aws or (cluster.prometheus is not None and cluster.prometheus.sigv4)


def _of_roles(source: AwsAccess, wanted: Wanted) -> dict[str, Any]:
    """Who assumes which role: of the last one, which reads, and below ``chain`` of those before it."""
    hops: list[dict[str, Any]] = []
    principals = list(wanted.principals) or [NOBODY]
    for number, role in enumerate(source.role_arns):
        if number == 0 and source.web_identity_token_file is not None:
            trust = _web_identity(source.web_identity_token_file, role)
        else:
            last = number == len(source.role_arns) - 1
            external_id = source.external_id.get_secret_value() if last and source.external_id else None
            # A session of another role asks from where that role is used.
            trust = aws.trust(principals, external_id, list(wanted.addresses))
        hop = {"role_arn": role, "trust_policy": trust}
        if number > 0 or source.web_identity_token_file is None:
            hop["caller_policy"] = aws.assume(role)
        hops.append(hop)
        principals = [role]
    if not hops:
        return {}
    *before, reader = hops
    return {**reader, **({"chain": before} if before else {})}


def _web_identity(file: str, role: str) -> aws.Policy:
    """The trust in the token's own issuer and subject; in nobody where the token cannot be read here."""
    claims: dict[str, Any] = {}
    try:
        payload = Path(file).read_text(encoding="utf-8").strip().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer = str(claims["iss"]).partition("://")[2] or str(claims["iss"])
        audience = claims.get("aud", "sts.amazonaws.com")
        subject = str(claims["sub"])
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        issuer, subject, audience = "<issuer of the token>", "<subject of the token>", "sts.amazonaws.com"
    partition, account = role.split(":")[1], role.split(":")[4]
    provider = f"arn:{partition}:iam::{account}:oidc-provider/{issuer}"
    return aws.trust_web_identity(provider, issuer, subject, audience[0] if isinstance(audience, list) else str(audience))


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))  # noqa: T201  # the result
