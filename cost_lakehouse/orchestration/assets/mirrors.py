"""One asset a mirror: the copies of a tenancy's reports, with the job and the schedules that keep them up to date."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

import time
from collections.abc import Callable

import dagster as dg

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.mirror.report import MirrorReport
from cost_lakehouse.mirror.run import run_mirror
from cost_lakehouse.orchestration.constants import FAILURE_TAG, PROCESS_TAG, SOURCE_TAG, TRIGGER_TAG
from cost_lakehouse.orchestration.failures import error_metadata
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.schedules import ensure_cron
from cost_lakehouse.sources.base import Progress
from cost_lakehouse.sources.registry import kind_of

MIRROR = "mirror"
MIRROR_JOB = "mirror_reports"
MirrorProgress = Callable[[dg.AssetExecutionContext], Progress]


def mirror_key(name: str) -> dg.AssetKey:
    """The asset of one mirror."""
    return dg.AssetKey([MIRROR, name])


def mirror_op(name: str) -> str:
    """A valid op, pool and schedule name for a mirror; mirror names have no underscore, so two never meet."""
    return f"{MIRROR}__{name.replace('-', '_')}"


def mirror_tags(name: str, trigger: str) -> dict[str, str]:
    """The tags of a run of one mirror: alerts tell by them which one failed, or works again."""
    return {SOURCE_TAG: name, TRIGGER_TAG: trigger}


def mirror_key_for(settings: Settings, source: SourceSettings) -> dg.AssetKey | None:
    """The mirror that copies what the source reads; None where it reads from elsewhere."""
    for mirror in settings.mirrors:
        if kind_of(source).adds_files and source.address and _is_below(settings, source, mirror):
            return mirror_key(mirror.name)
    return None


def _is_below(settings: Settings, source: SourceSettings, mirror: MirrorSettings) -> bool:
    if source.is_s3 != mirror.is_s3:
        return False
    if not mirror.is_s3:
        return settings.path(source.address).is_relative_to(settings.path(mirror.destination))
    same_store = (source.endpoint or "").rstrip("/") == (mirror.endpoint or "").rstrip("/")
    return same_store and f"{source.address.rstrip('/')}/".startswith(f"{mirror.destination}/")


class MirrorLog:
    """Progress as a log line every few seconds."""

    seconds_between = 10.0

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._label, self._total = "", 0
        self._bytes = self._objects = 0
        self._told = time.monotonic()

    def start(self, label: str, total_bytes: int) -> None:
        """Remember what is copied."""
        self._label, self._total = label, total_bytes
        self._told = time.monotonic()

    def advance(self, bytes_read: int, rows: int) -> None:
        """Count, and tell now and then."""
        self._bytes += bytes_read
        self._objects += rows
        now = time.monotonic()
        if now - self._told >= self.seconds_between:
            self._told = now
            self._log.info(f"{self._label}: {self._objects:,} objects, {self._bytes:,} of {self._total:,} bytes")

    def finish(self) -> None:
        """Nothing to tidy."""


def mirror_assets(settings: Settings, progress: MirrorProgress = MirrorLog) -> list[dg.AssetsDefinition]:
    """An asset for every configured mirror, paused ones too."""
    return [_mirror_asset(settings, mirror, progress) for mirror in settings.mirrors]


def _mirror_asset(settings: Settings, mirror: MirrorSettings, progress: MirrorProgress) -> dg.AssetsDefinition:
    @dg.asset(
        key=mirror_key(mirror.name),
        group_name=MIRROR,
        kinds={"oci", "s3" if mirror.is_s3 else "file"},
        owners=["team:finops"],
        description=(
            f"The reports ({', '.join(mirror.reports)}) of the tenancy `{mirror.tenancy}`, copied to `{mirror.destination}`. A "
            "run copies what is new or differs by checksum, proves each copy, and deletes nothing"
            f"{' but what Oracle has deleted' if mirror.delete else ''}."
        ),
        tags={"mirror": mirror.name},
        metadata={"destination": mirror.destination, "tenancy": mirror.tenancy},
        pool=mirror_op(mirror.name),
    )
    def copies(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        report: MirrorReport | None = None
        try:
            report = run_mirror(settings, mirror, progress=progress(context))
            if not report.ok:
                raise report.failure()
        except CostLakehouseError as error:
            context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
            raise _failure(mirror.name, error, report) from error
        if not report.listed:
            context.log.warning(f"Oracle's bucket holds no reports yet: {EMPTY}")
        return dg.MaterializeResult(metadata=_metadata(report), data_version=dg.DataVersion(report.version))

    return copies


EMPTY = "a new tenancy's first ones come within a day; else compare the tenancy, and the region with its home region."


def _metadata(report: MirrorReport) -> dict[str, dg.MetadataValue]:
    facts = report.facts()
    counts = ("objects", "copied", "bytes", "skipped", "skipped_bytes", "kept", "deleted", "failed", "not_tried")
    return {
        "dagster/uri": dg.MetadataValue.text(report.destination),
        "mirror": dg.MetadataValue.text(report.name),
        **{name: dg.MetadataValue.int(facts[name]) for name in counts},
        "seconds": dg.MetadataValue.float(facts["seconds"]),
    }


def _failure(name: str, error: CostLakehouseError, report: MirrorReport | None) -> dg.Failure:
    # Not retried: every request was, and the schedule comes again. What was copied stays.
    metadata = {
        "mirror": dg.MetadataValue.text(name),
        **error_metadata(error),
        **(_metadata(report) if report is not None else {}),
    }
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def mirror_jobs(mirrors: list[dg.AssetsDefinition]) -> "list[dg.UnresolvedAssetJobDefinition]":
    """The job that copies; none where there is no mirror."""
    if not mirrors:
        return []
    return [
        dg.define_asset_job(
            MIRROR_JOB,
            selection=dg.AssetSelection.assets(*mirrors),
            description="Copies Oracle's reports to where the mirrors keep them.",
        )
    ]


def mirror_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for each mirror that is neither paused nor `schedule: off`.

    Raises ConfigurationError where its ``schedule`` is no cron text.
    """
    made = []
    for mirror in settings.mirrors:
        if mirror.schedule is None or mirror.paused:
            continue
        ensure_cron(mirror.schedule, f"The schedule of mirror {mirror.name!r}", "`0 */6 * * *` for every sixth hour, or `off`")
        made.append(_schedule(mirror, mirror.schedule))
    return made


def _schedule(mirror: MirrorSettings, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=mirror_op(mirror.name),
        cron_schedule=cron,
        job_name=MIRROR_JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Copies the reports of {mirror.tenancy} to {mirror.destination}.",
    )
    def copy_reports(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(asset_selection=[mirror_key(mirror.name)], tags=mirror_tags(mirror.name, "schedule"))

    return copy_reports
