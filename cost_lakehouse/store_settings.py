"""How the warehouse's S3-compatible store is reached: ``lake.store``, or a ``federated-store.yaml`` in its own schema."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from cost_lakehouse.strict import Strict


class StoreSettings(Strict):
    """One S3-compatible store."""

    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


def read_store_config(file: Path, warehouse: str) -> StoreSettings:
    """Read a ``federated-store.yaml``; ``warehouse`` is the lake's, so that the two can be compared."""
    raise NotImplementedError
