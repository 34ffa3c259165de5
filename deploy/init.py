"""Makes what Trino expects to find: the warehouse's bucket and the tables of the Iceberg catalog. It may run at every start."""

from __future__ import annotations

import sys

from botocore.exceptions import BotoCoreError, ClientError

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.store_client import make_store_client


def main() -> int:
    """The exit code; what is wrong is said on stderr."""
    try:
        settings = load_settings()
        if settings.lake.is_s3:
            make_bucket(settings)
        # Opening it makes what is missing. Trino reads the catalog's tables, but creates none.
        tables = Lake(settings).table_names()
    except CostLakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"The lake is ready: {len(tables)} tables in {settings.warehouse}.\n")
    return 0


def make_bucket(settings: Settings) -> None:
    """Make the warehouse's bucket where the store says that it is not there.

    Raises LakeError where it cannot be made.
    """
    bucket = settings.warehouse.removeprefix("s3://").partition("/")[0]
    client = make_store_client(settings.store)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        # Whoever may not look may write all the same: opening the lake shows it.
        if error.response.get("Error", {}).get("Code") != "404":
            return
        try:
            client.create_bucket(Bucket=bucket)
        except (BotoCoreError, ClientError) as refused:
            raise LakeError(f"The bucket {bucket} is not there and cannot be made: {refused}.", "Make it by hand.") from None
    except BotoCoreError as error:
        raise LakeError(f"The store does not answer: {error}.", "Check lake.store.endpoint.") from None


if __name__ == "__main__":
    sys.exit(main())
