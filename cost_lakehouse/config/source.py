"""``sources:`` in ``lakehouse.yaml``: a place each that a bill arrives from, with the keys of its kind and no others."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.config.aws_access import ACCESS_KEYS, AwsAccess
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.config.yaml_file import Strict

SOURCE_NAME = re.compile(r"[a-z0-9-]+")
SOURCE_NAME_MAX = 40
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")


def is_aws(endpoint: str | None) -> bool:
    """Whether an endpoint is AWS's own; none is."""
    return endpoint is None or (urlsplit(endpoint).hostname or "").endswith(_AWS_HOSTS)


class SourceSettings(AwsAccess):
    """What the settings of every kind have. A kind's own class adds its ``kind``, its keys, and the answers below."""

    kind: str
    name: str
    paused: bool = False
    reads: ClassVar[str] = ""  # what a source of the kind reads instead, for whoever gives it another kind's key

    @model_validator(mode="before")
    @classmethod
    def _keys_are_of_the_kind(cls, given: Any) -> Any:
        """A key of another kind is refused by its own name, and never with its value."""
        if not isinstance(given, Mapping):
            return given
        wrong: list[InitErrorDetails] = []
        for key in [key for key in given if key not in cls.model_fields]:
            if kinds := _kinds_with(str(key)):
                fits = f"kind{'' if len(kinds) == 1 else 's'} {', '.join(kinds)}"
                says = f"{key} and {fits} go together, and this is kind {given.get('kind')}{cls.reads}; "
                says += "remove it, or correct `kind`"
                refused = PydanticCustomError("key_of_another_kind", "{says}", {"says": says})
                wrong.append(InitErrorDetails(type=refused, loc=(key,), input=None))
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return given

    @field_validator("name")
    @classmethod
    def _name_is_a_partition_value(cls, value: str) -> str:
        if not SOURCE_NAME.fullmatch(value) or len(value) > SOURCE_NAME_MAX:
            raise ValueError(f"use lower-case letters, digits and hyphens, at most {SOURCE_NAME_MAX} characters")
        return value

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the bill arrives, for people."""

    @property
    @abstractmethod
    def identity(self) -> tuple[Any, ...]:
        """What two sources that read the same place have in common."""

    @property
    def address(self) -> str:
        """The folder or ``s3://`` address that the bill is read from; empty where it is neither."""
        return ""

    @property
    def is_s3(self) -> bool:
        """Whether the bill is read from an S3-compatible store."""
        return self.address.startswith("s3://")

    @property
    def is_at_aws(self) -> bool:
        """Whether AWS's IAM decides who reads it."""
        return self.is_s3 and is_aws(self.endpoint)

    @property
    def voids_corrected(self) -> bool:
        """Whether a correction takes the place of the row that it refers to, instead of being added to it."""
        return False


class BucketSettings(SourceSettings):
    """Files in a bucket or a folder. ``location`` is an ``s3://`` address or a folder."""

    location: str = Field("", validate_default=True)
    requester_pays: bool = False

    @field_validator("location")
    @classmethod
    def _location_is_given(cls, value: str, others: ValidationInfo) -> str:
        tenancy = others.data.get("tenancy")
        if not value and not tenancy:
            raise PydanticCustomError("missing", "Field required")
        if value and tenancy:
            raise ValueError("location and tenancy are two places to read from; keep one of them")
        return value

    @model_validator(mode="after")
    def _options_fit_the_location(self) -> BucketSettings:
        if not self.is_s3:
            given = [name for name in _S3_ONLY if getattr(self, name, None) not in (None, False)]
            if given:
                raise ValueError(f"{', '.join(given)} only fits a location that starts with s3://")
            if "://" in self.location:
                raise ValueError("location must be a folder or start with s3://")
        return self

    @property
    def place(self) -> str:
        """Where the bill arrives, for people."""
        return self.location

    @property
    def identity(self) -> tuple[Any, ...]:
        """Where the files lie."""
        return (self.location.rstrip("/"), self.endpoint)

    @property
    def address(self) -> str:
        """The location."""
        return self.location

    @property
    def oracle(self) -> tuple[str, OciSettings] | None:
        """The tenancy whose reports are read from Oracle's own bucket, and who asks; None where there is a location."""
        return None


class AwsCurSettings(BucketSettings):
    """A legacy Cost and Usage Report."""

    kind: Literal["aws_cur"]


class _Export(Strict):
    replica_of: str | None = None  # the bucket that the manifests name, where location is a copy of it


class DataExportSettings(BucketSettings, _Export):
    """CUR 2.0, as Data Exports delivers it."""

    kind: Literal["aws_data_export"]


class AthenaSourceSettings(SourceSettings):
    """A report's table in Athena."""

    kind: Literal["aws_athena"]
    athena: AthenaSettings
    reads: ClassVar[str] = ", which reads a table; say which in `athena`"

    @model_validator(mode="before")
    @classmethod
    def _athena_is_given(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("athena") is None:
            raise ValueError("kind aws_athena and the key athena go together: athena: {database: ..., table: ...}")
        return given

    @property
    def place(self) -> str:
        """The table, for people."""
        return f"Athena, table {self.athena.label}"

    @property
    def identity(self) -> tuple[Any, ...]:
        """A table is one of its account, region and catalog."""
        table = (self.athena.catalog, self.athena.database.lower(), self.athena.table.lower())
        return (*table, self.athena.region or self.region, self.role_arns, self.profile)

    @property
    def is_at_aws(self) -> bool:
        """Athena is."""
        return True


class _Oracle(Strict):
    # Before `location`, which is needed only where there is no tenancy.
    tenancy: str | None = None
    oci: OciSettings | None = None


class OracleBucketSettings(BucketSettings, _Oracle):
    """Files in a bucket or a folder, or, with ``tenancy``, in the bucket that Oracle writes a tenancy's reports to."""

    @model_validator(mode="after")
    def _oci_goes_with_tenancy(self) -> OracleBucketSettings:
        if self.oci is not None and self.tenancy is None:
            raise ValueError("oci goes with tenancy: without it nothing is read from OCI itself")
        return self

    @property
    def place(self) -> str:
        """Where the bill arrives, for people."""
        return self.location or f"OCI, tenancy {self.tenancy}"

    @property
    def identity(self) -> tuple[Any, ...]:
        """Where the files lie, and whose they are."""
        return (*super().identity, self.tenancy)

    @property
    def oracle(self) -> tuple[str, OciSettings] | None:
        """The tenancy, and who asks."""
        return (self.tenancy, self.oci or OciSettings()) if self.tenancy else None


class OciReportsSettings(OracleBucketSettings):
    """Oracle's cost, usage and FOCUS reports."""

    kind: Literal["oci_cost_reports"]
    corrections: Literal["add", "replace"] | None = None

    @property
    def voids_corrected(self) -> bool:
        """Whether a correction takes the place of the row that it refers to, instead of being added to it."""
        return self.corrections == "replace"


class FocusSettings(OracleBucketSettings, _Export):
    """A FOCUS bill: an export of AWS, Oracle's reports, or files of anybody."""

    kind: Literal["focus"]


class LakehouseSettings(BucketSettings):
    """What other lakehouses push: their target, or with ``writer`` what one of them wrote there."""

    kind: Literal["lakehouse"]
    writer: str | None = None
    store_config: str | None = None  # Thanos' and Kubecost's federated-store.yaml, instead of the keys of a bucket

    @field_validator("writer")
    @classmethod
    def _writer_is_a_folder(cls, value: str | None) -> str | None:
        if value is not None and not SOURCE_NAME.fullmatch(value):
            raise ValueError("use lower-case letters, digits and hyphens, as the writer has it in its `push`")
        return value

    @model_validator(mode="after")
    def _store_is_said_once(self) -> LakehouseSettings:
        given = [name for name in ACCESS_KEYS if getattr(self, name) is not None]
        if self.store_config is not None and (given or not self.is_s3):
            raise ValueError(
                f"store_config says how the bucket is reached; remove {', '.join(given)}"
                if given
                else "store_config only fits a location that starts with s3://"
            )
        return self

    @property
    def is_shared(self) -> bool:
        """Whether it reads what many writers push to one place."""
        return self.writer is None

    @property
    def place(self) -> str:
        """The target, and the writer's folder in it."""
        return f"{self.location.rstrip('/')}/{self.writer}" if self.writer else self.location

    @property
    def identity(self) -> tuple[Any, ...]:
        """Where the files lie, and whose they are."""
        return (*super().identity, self.writer)


AnySource = Annotated[
    AwsCurSettings | DataExportSettings | AthenaSourceSettings | OciReportsSettings | FocusSettings | LakehouseSettings,
    Field(discriminator="kind"),
]
_OF_KIND: Mapping[str, type[SourceSettings]] = {
    str(get_args(entry.model_fields["kind"].annotation)[0]): entry for entry in get_args(get_args(AnySource)[0])
}
SOURCE_KINDS = tuple(_OF_KIND)
_S3_ONLY = (*ACCESS_KEYS, "requester_pays", "replica_of")
_one: TypeAdapter[SourceSettings] = TypeAdapter(AnySource, config={"defer_build": True})


def source_settings(given: Mapping[str, Any]) -> SourceSettings:
    """The settings of one source, by its kind. Raises pydantic's ValidationError, whose places begin with the kind."""
    return _one.validate_python(given)


def _kinds_with(key: str) -> list[str]:
    return [kind for kind, entry in _OF_KIND.items() if key in entry.model_fields]
