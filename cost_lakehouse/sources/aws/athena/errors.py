"""What went wrong at Athena, told as cause and fix."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cost_lakehouse.config import SourceSettings
from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.errors import DeliveryRefused, SourceError, without_secrets
from cost_lakehouse.storage.s3_causes import S3Cause, S3Failure, error_code, said_by
from cost_lakehouse.storage.s3_errors import S3Errors

_RIGHTS = (
    "Allow athena:StartQueryExecution, GetQueryExecution, GetQueryResults, StopQueryExecution, GetTableMetadata on the "
    "workgroup, glue:GetDatabase, GetTable, GetPartitions on the table, s3:GetObject and ListBucket where the bill lies, and "
    "s3:GetBucketLocation, GetObject, PutObject, ListBucket on the place of results (Lake Formation: SELECT on the table): "
    "`cost-lakehouse policy aws` prints the policy."
)
_WORDS = {S3Cause.DENIED: ("Athena refuses: access to {place} is denied.", _RIGHTS)}
# Part of what Athena says of a query or a request that failed -> what to do about it.
_FIXES = (
    (("access denied", "permission", "not authorized", "insufficient lake formation"), _RIGHTS),
    (
        ("bytes scanned limit",),
        "The workgroup limits what one query may scan: raise that, or make `athena.window_days` smaller.",
    ),
    (("table_not_found", "does not exist", "entitynotfound", "not found"), "Correct `athena.database`, `table` and `catalog`."),
    (("output location",), "Set `athena.results: s3://bucket/prefix`, or a place for results in the workgroup."),
    (("workgroup",), "Correct `athena.workgroup`, and see in AWS's console that it is enabled."),
)


class QueryFailed(SourceError):
    """Athena began a query and did not end it well. ``may_pass`` says that another try may.

    ``is_old`` says that it ended before anybody asked this time: it was begun by an earlier try, with the same token.
    """

    def __init__(self, problem: str, fix: str, *, may_pass: bool = False, is_old: bool = False) -> None:
        super().__init__(problem, fix)
        self.may_pass = may_pass
        self.is_old = is_old


class OverTheCap(DeliveryRefused):
    """To read on would scan more than `athena.max_scanned_gb` allows."""

    def __init__(self, what: str, cap_gb: float) -> None:
        super().__init__(
            f"{what}; athena.max_scanned_gb is {cap_gb:g}.",
            "Raise it and run the month by hand, or make athena.window_days larger: each window may scan the whole month. "
            "Windows that were read are kept, and not read again.",
        )


class AthenaErrors:
    """Tells the errors of one source's Athena; no secret of the source is ever in a message."""

    def __init__(self, source: SourceSettings, athena: AthenaSettings) -> None:
        self._place = f"Athena (workgroup {athena.workgroup}, table {athena.label})"
        # The address that `endpoint` names is S3's.
        self._own = S3Errors.of(source.model_copy(update={"endpoint": athena.endpoint}), athena.database, "", _WORDS)
        self._secrets = source.secrets

    def explain(self, error: S3Failure) -> SourceError:
        """The error of a request."""
        known = ("InvalidRequestException", "MetadataException", "ResourceNotFoundException")
        if isinstance(error, ClientError) and (error_code(error) in known or _denied(error)):
            said = without_secrets(said_by(error), self._secrets)
            return SourceError(f"{self._place}: {said}", fix_for(said))
        return self._own.explain(error, self._place)

    def failed(self, state: str, said: str, *, may_pass: bool, is_old: bool) -> QueryFailed:
        """The error of a query that ended as FAILED or CANCELLED."""
        said = without_secrets(" ".join(said.split()), self._secrets)
        problem = f"{self._place}: a query ended as {state}: {said}"
        return QueryFailed(problem, fix_for(said), may_pass=may_pass, is_old=is_old)


def fix_for(said: str) -> str:
    """What to do about what Athena says."""
    lower = said.lower()
    for parts, fix in _FIXES:
        if any(part in lower for part in parts):
            return fix
    return "See the message; the query is in the workgroup's history in AWS's console."


def _denied(error: ClientError) -> bool:
    return error_code(error) == "AccessDeniedException" and not error.operation_name.startswith("Assume")
