"""What ``cost-lakehouse doctor`` tries of AWS Organizations: each right that reading account names takes, by name."""

from __future__ import annotations

from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.config import Settings
from cost_lakehouse.config.organizations import OrganizationSettings
from cost_lakehouse.sources.aws.organizations import try_rights


def organization_check(settings: Settings, organization: OrganizationSettings) -> Finding:
    """Whether an organisation can be read; nothing is kept of what it answers.

    Raises SourceError where it cannot be asked.
    """
    name = f"organization {organization.name}"
    if organization.paused:
        return Finding(name, "ok", "paused; not looked at")
    source = settings.source(organization.source) if organization.source else None
    id_, refused = try_rights(organization.access(source), tags=organization.tags)
    if refused:
        printed = f"`cost-lakehouse policy aws{f' --source {source.name}' if source else ''}`"
        return Finding(
            name,
            "failed",
            f"AWS refuses {', '.join(refused)}.",
            f"{printed} prints the policy. Only the management account, or a member that it has delegated this to, may ask.",
        )
    tags = "" if organization.tags else ", tags are not asked for"
    return Finding(name, "ok", f"{id_}: accounts and units can be listed{tags}")
