"""What the warehouse's store answered, told as cause and fix in the words of ``lake.store``."""

from __future__ import annotations

from botocore.exceptions import ClientError, NoCredentialsError

from cost_lakehouse.errors import LakeError
from cost_lakehouse.sources.s3_errors import S3Errors, S3Failure
from cost_lakehouse.store_settings import StoreSettings


class StoreErrors:
    """Tells the errors of one store."""

    def __init__(self, store: StoreSettings, bucket: str, prefix: str) -> None:
        self._errors = S3Errors(bucket, endpoint=store.endpoint, prefix=prefix, secrets=store.secrets)

    def explain(self, error: S3Failure, place: str) -> LakeError:
        """The error as cause and fix; ``place`` is what was asked for."""
        told = self._errors.explain(error, place)
        return LakeError(told.problem, told.fix)

    def explain_code(self, code: str, message: str, place: str) -> LakeError:
        """The same for an error that stands in an answer about many objects."""
        return self.explain(ClientError({"Error": {"Code": code, "Message": message}}, "DeleteObjects"), place)

    def no_credentials(self, place: str) -> LakeError:
        """Nothing to sign requests with."""
        return self.explain(NoCredentialsError(), place)
