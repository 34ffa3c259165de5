"""Clients of Oracle Cloud's services through the official SDK: identity, region, addresses, and when to try again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

from cost_lakehouse.config.oci import DEFAULT_PROFILE, OciSettings
from cost_lakehouse.sources.oci.errors import OciErrors, is_temporary
from cost_lakehouse.sources.oci.sdk_internals import keep_connections
from cost_lakehouse.storage.request_count import count_request

CONNECT_SECONDS = 10
READ_SECONDS = 60
DEFAULT_ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MAX_CONNECTIONS = 32


class Retrying:
    """What the SDK calls a retry strategy: tries again what may pass, with growing pauses, or after what the service says."""

    def __init__(self, attempts: int = DEFAULT_ATTEMPTS, pause: Callable[[float], None] = time.sleep) -> None:
        self._attempts = attempts
        self._pause = pause

    def add_circuit_breaker_callback(self, callback: Any) -> None:
        """The SDK asks for it; there is no circuit breaker here."""

    def make_retrying_call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call the function until it succeeds, fails for good, or was tried often enough."""
        for attempt in range(self._attempts):
            try:
                return function(*args, **options)
            except Exception as error:  # the SDK's errors have no common base
                if attempt + 1 == self._attempts or not is_temporary(error):
                    raise
                self._pause(_pause_after(error, attempt))
        raise AssertionError("a last attempt returns or raises")


def object_storage_client(
    settings: OciSettings,
    *,
    attempts: int = DEFAULT_ATTEMPTS,
    connections: int = MAX_CONNECTIONS,
    pause: Callable[[float], None] = time.sleep,
) -> Any:
    """A client of Object Storage; threads may share it. ``attempts`` counts the first try of a request too.

    Raises SourceError where there is no such identity on this machine.
    """
    import oci

    return _client(
        oci.object_storage.ObjectStorageClient, settings, settings.endpoint, settings.region, attempts, connections, pause
    )


def secrets_client(
    settings: OciSettings,
    region: str | None = None,
    *,
    attempts: int = DEFAULT_ATTEMPTS,
    pause: Callable[[float], None] = time.sleep,
) -> Any:
    """A client of Vault's secrets in a region, by default that of the settings; raises like ``object_storage_client``."""
    import oci

    address = settings.secrets_endpoint
    return _client(oci.secrets.SecretsClient, settings, address, region or settings.region, attempts, MAX_CONNECTIONS, pause)


def notifications_client(
    settings: OciSettings, *, attempts: int = DEFAULT_ATTEMPTS, pause: Callable[[float], None] = time.sleep
) -> Any:
    """A client that publishes to topics; raises like ``object_storage_client``."""
    import oci

    address = settings.notifications_endpoint
    return _client(oci.ons.NotificationDataPlaneClient, settings, address, settings.region, attempts, MAX_CONNECTIONS, pause)


def invoices_client(
    settings: OciSettings, *, attempts: int = DEFAULT_ATTEMPTS, pause: Callable[[float], None] = time.sleep
) -> Any:
    """A client of the billing gateway, which tells invoices; raises like ``object_storage_client``."""
    import oci

    address = settings.invoices_endpoint
    kind = oci.osp_gateway.InvoiceServiceClient
    return _client(kind, settings, address, settings.region, attempts, MAX_CONNECTIONS, pause)


def _client(
    kind: Callable[..., Any],
    settings: OciSettings,
    endpoint: str | None,
    region: str | None,
    attempts: int,
    connections: int,
    pause: Callable[[float], None],
) -> Any:
    import oci

    retrying = Retrying(attempts, pause)
    options: dict[str, Any] = {
        "timeout": (CONNECT_SECONDS, READ_SECONDS),
        "retry_strategy": retrying,
        "circuit_breaker_strategy": oci.circuit_breaker.NoCircuitBreakerStrategy(),
    }
    if endpoint is not None:
        options["service_endpoint"] = endpoint
    try:
        config: dict[str, Any] = {}
        if settings.auth == "api_key":
            config = oci.config.from_file(
                settings.config_file or oci.config.DEFAULT_LOCATION, settings.profile or DEFAULT_PROFILE
            )
        else:
            options["signer"] = _signer(settings, retrying)
        if region is not None:
            config["region"] = region
        client = kind(config, **options)
    except Exception as error:  # noqa: BLE001 - the SDK's errors have no common base
        raise OciErrors(settings).no_identity(error) from None
    _keep_connections(client, connections)
    return client


def _signer(settings: OciSettings, retrying: Retrying) -> Any:
    """What signs requests for a machine that has an identity of its own; it renews its token itself."""
    import oci

    signers = oci.auth.signers
    if settings.auth == "instance_principal":
        # Asking for the first token is part of making it, so it is retried as requests are.
        given: dict[str, Any] = {"retry_strategy": retrying, "federation_client_retry_strategy": retrying}
        if settings.auth_endpoint is not None:
            given["federation_endpoint"] = f"{settings.auth_endpoint}/v1/x509"
        return signers.InstancePrincipalsSecurityTokenSigner(**given)
    if settings.auth == "resource_principal":
        return signers.get_resource_principals_signer()
    return signers.get_oke_workload_identity_resource_principal_signer(retry_strategy=retrying)


def _keep_connections(client: Any, connections: int) -> None:
    """The SDK keeps ten; each further thread would shake hands anew for every request.

    It also looks up proxies and authorities in the environment for every request, which takes a tenth of its time: once will
    do.
    """
    session = client.base_client.session
    session.hooks["response"].append(count_request)
    keep_connections(session, connections, client.base_client.get_endpoint())
    authority = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if authority and session.verify is True:
        session.verify = authority
    session.trust_env = False


def _pause_after(error: Exception, attempt: int) -> float:
    headers = getattr(error, "headers", None) or {}
    said = str(headers.get("retry-after") or "")
    if said.isdigit():
        return min(float(said), LONGEST_PAUSE_SECONDS)
    longest: float = min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
    # Half of it by chance, so that threads which were throttled together do not come back together.
    return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311 - no secret depends on it
