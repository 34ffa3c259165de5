"""How an asset that could not be made is told in Dagster; alerts and commands read the problem and what to do from there."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.errors import CostLakehouseError


def error_metadata(error: CostLakehouseError) -> dict[str, dg.MetadataValue]:
    """What happened, what to do, and which kind of error it was."""
    return {
        "problem": dg.MetadataValue.text(error.problem),
        "what_to_do": dg.MetadataValue.text(error.fix or "See the problem."),
        "error_kind": dg.MetadataValue.text(type(error).__name__),
    }


def lasting_failure(error: CostLakehouseError, name: str) -> dg.Failure:
    """Of what a source, an organisation or a target is asked. Not retried: every request was, and there is a next run."""
    metadata = {"source": dg.MetadataValue.text(name), **error_metadata(error)}
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)


def failure_after_publishing(error: CostLakehouseError, what: str) -> dg.Failure:
    """Of ``what`` is made of the summaries, which are published all the same."""
    said = f"The summaries are published; {what}: {error}"
    return dg.Failure(said, metadata=error_metadata(error), allow_retries=False)
