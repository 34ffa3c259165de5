"""What ``cost-lakehouse doctor`` tries of a source of FOCUS: whether it can be listed and read, and what lies there."""

from __future__ import annotations

from cost_lakehouse.cli.doctor.aws import try_to_read
from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.sources.delivery import FindingState
from cost_lakehouse.sources.discovery import discover_focus


def focus_source(settings: Settings, source: SourceSettings) -> Finding:
    """Whether a source of FOCUS can be read, and what lies there: months that manifests announce, or files."""
    name = f"source {source.name}"
    found = discover_focus(settings, source)
    broken = [each for each in found.months if each.state is FindingState.FAILED]
    if broken:
        return Finding(name, "failed", f"{source.place}: {broken[-1].reason}", "See what the provider delivered there.")
    deliveries = [each.delivery for each in found.months if each.delivery is not None]
    objects = found.objects
    if deliveries:
        objects = max(deliveries, key=lambda each: each.delivered_at).objects
    if not objects:
        reasons = [each.reason for each in found.months if each.reason] + [found.note]
        why = f": {reasons[0]}" if reasons[0] else ""
        fix = "Compare the location with where the provider writes; a new export of AWS takes up to 24 hours."
        return Finding(name, "warning", f"{source.place} can be listed, but holds no FOCUS file{why}", fix)
    newest = max(objects, key=lambda each: each.last_modified)
    try_to_read(settings, source, (newest,))
    number, what = (len(deliveries), "month") if deliveries else (len(objects), "file")
    count = f"{number} {what}{'' if number == 1 else 's'}"
    says = f"{source.place}: FOCUS, {count}, the newest of {newest.last_modified:%Y-%m-%d %H:%M} UTC"
    return (
        Finding(name, "warning", f"{says}; {found.note}", "Move away what is no bill.")
        if found.note
        else Finding(name, "ok", says)
    )
