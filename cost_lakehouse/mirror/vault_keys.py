"""AWS keys out of OCI Vault: held in memory for one run, and shown to nobody."""

from __future__ import annotations

import base64
import binascii

from pydantic import SecretStr

from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.oci.client import DEFAULT_ATTEMPTS, secrets_client
from cost_lakehouse.sources.oci.errors import NOT_FOUND, OciErrors, is_failure, status_of


def with_vault_keys(mirror: MirrorSettings, oci: OciSettings, attempts: int = DEFAULT_ATTEMPTS) -> MirrorSettings:
    """The mirror with the keys that its ``vault`` names; unchanged where it names none.

    Raises SourceError where a secret may not be read, or is empty.
    """
    if mirror.vault is None:
        return mirror
    client = secrets_client(oci, mirror.vault.region, attempts=attempts)
    keys = {name: _read(client, getattr(mirror.vault, name), oci) for name in ("access_key", "secret_key")}
    return mirror.model_copy(update=keys)


def _read(client: object, ocid: str, oci: OciSettings) -> SecretStr:
    place = f"the Vault secret {ocid}"
    try:
        bundle = client.get_secret_bundle(ocid).data  # type: ignore[attr-defined]
    except Exception as error:
        if not is_failure(error):
            raise
        if status_of(error) != NOT_FOUND:
            raise OciErrors(oci).explain(error, place) from None
        who = "group" if oci.auth == "api_key" else "dynamic-group"
        raise SourceError(
            f"Oracle Cloud says that {place} is not there, or not for this identity (NotAuthorizedOrNotFound).",
            f"Check the OCID and `vault.region`, and allow it: `allow {who} NAME to read secret-bundles in compartment NAME "
            f"where target.secret.id = '{ocid}'`.",
        ) from None
    try:
        value = base64.b64decode(bundle.secret_bundle_content.content, validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError, AttributeError):
        value = ""
    if not value:
        raise SourceError(
            f"T{place[1:]} holds no AWS key: it is empty, or not plain text.", "Store the key alone in it, as text."
        )
    return SecretStr(value)
