"""What Oracle Cloud, or the SDK, says went wrong, told as cause and fix. No message holds a key or a token."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

from cost_lakehouse.config.oci import DEFAULT_PROFILE, OciSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.oci.sdk_internals import is_request_error

NOT_FOUND = 404
PRECONDITION_FAILED = 412
NOT_AUTHENTICATED = 401
TOO_MANY_REQUESTS = 429
SERVER_FAULT = 500
USAGE_REPORT_TENANCY = "ocid1.tenancy.oc1..aaaaaaaaned4fkpkisbwjlr56u7cj63lf3wffbilvqknstgtvzub7vhqkggq"
_WHERE: dict[str, tuple[str, str]] = {
    "api_key": (
        "There is no usable API key of Oracle Cloud on this machine",
        "Correct `oci.config_file` and `oci.profile`: the profile needs user, tenancy, fingerprint, region and key_file.",
    ),
    "instance_principal": (
        "This machine has no instance principal",
        "`auth: instance_principal` works on an OCI compute instance only; elsewhere use `auth: api_key`.",
    ),
    "resource_principal": (
        "This process has no resource principal",
        "`auth: resource_principal` needs the OCI_RESOURCE_PRINCIPAL_* variables that OCI gives its functions and jobs; "
        "elsewhere use `auth: api_key`.",
    ),
    "workload_identity": (
        "This pod has no workload identity",
        "`auth: workload_identity` works in a pod of an enhanced OKE cluster, with its service account's token mounted and "
        "OCI_RESOURCE_PRINCIPAL_VERSION and OCI_RESOURCE_PRINCIPAL_REGION set.",
    ),
}


def status_of(error: BaseException) -> int:
    """The HTTP status that the service answered with; 0 where it did not answer."""
    import oci

    return int(error.status) if isinstance(error, oci.exceptions.ServiceError) else 0


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed a little later: throttled, failing, unreachable, but not mistrusted."""
    status = status_of(error)
    if status:
        return status == TOO_MANY_REQUESTS or status >= SERVER_FAULT
    return is_network(error) and not _is_tls(error)


def is_network(error: BaseException) -> bool:
    """Whether the service was not reached at all."""
    return isinstance(error, ConnectionError | TimeoutError) or is_request_error(error)


def is_failure(error: BaseException) -> bool:
    """Whether the SDK raised it to say that a request failed."""
    import oci

    return isinstance(error, oci.exceptions.ServiceError | oci.exceptions.ClientError) or is_network(error)


class OciErrors:
    """Tells the errors of one identity. ``tenancy`` is whose reports are read, where it is about reports."""

    def __init__(self, settings: OciSettings, tenancy: str | None = None) -> None:
        self._settings = settings
        self._tenancy = tenancy

    def no_identity(self, error: Exception) -> SourceError:
        """A client could not be made: no such file, profile, key or principal."""
        import oci

        problem, fix = _WHERE[self._settings.auth]
        file, profile = self._settings.config_file or "~/.oci/config", self._settings.profile or DEFAULT_PROFILE
        reason: str = _short(error)
        if isinstance(error, oci.exceptions.ConfigFileNotFound):
            reason = f"there is no file {file}"
        elif isinstance(error, oci.exceptions.ProfileNotFound):
            reason = f"{file} has no profile {profile}"
        elif isinstance(error, oci.exceptions.InvalidConfig):
            reason = f"profile {profile} of {file}: {_fields(error.errors)}"
        elif isinstance(error, oci.exceptions.InvalidPrivateKey):
            reason = f"the key file of profile {profile} is no private key, or its pass phrase is wrong"
        elif isinstance(error, oci.exceptions.InvalidKeyFilePath | FileNotFoundError | IsADirectoryError | PermissionError):
            reason = (
                f"the key file of profile {profile} in {file} cannot be read" if self._settings.auth == "api_key" else reason
            )
        elif isinstance(error, ValueError) and "region" in str(error).lower() and "endpoint" in str(error).lower():
            reason, fix = "no region is known", "Set `oci.region` to the tenancy's home region."
        return SourceError(f"{problem}: {reason}.", fix)

    def explain(self, error: BaseException, place: str) -> SourceError:
        """The error as cause and fix; ``place`` is what was asked for."""
        status = status_of(error)
        if status == NOT_AUTHENTICATED:
            return self._not_authenticated(error, place)
        if status == NOT_FOUND:
            return self._not_found(place)
        if status == TOO_MANY_REQUESTS or status >= SERVER_FAULT:
            return SourceError(
                f"Oracle Cloud is throttling or failing ({_said(error)}, asked for {place}).",
                "Nothing is lost: the next run tries again.",
            )
        if is_network(error):
            return self._not_reached(error, place)
        if "archive" in _said(error).lower() or "restore" in _said(error).lower():
            return SourceError(
                f"{place} is archived and cannot be read.",
                "Restore it, or exclude reports from the bucket's lifecycle rule that archives.",
            )
        return SourceError(
            f"{place} cannot be read: {_said(error)}.", "See the message; `cost-lakehouse doctor` checks it step by step."
        )

    def _not_authenticated(self, error: BaseException, place: str) -> SourceError:
        if "clock skew" in str(getattr(error, "message", "")):
            return SourceError(
                f"Oracle Cloud refuses requests because this machine's clock is wrong (asked for {place}).",
                "Set the clock (NTP); Oracle Cloud allows 5 minutes.",
            )
        if self._settings.auth == "api_key":
            profile = self._settings.profile or DEFAULT_PROFILE
            return SourceError(
                f"Oracle Cloud does not accept the API key of profile {profile} (asked for {place}).",
                "Compare user, tenancy and fingerprint with the user's API keys in the console: the key may be deleted, or "
                "key_file is of another one. Check this machine's clock too.",
            )
        return SourceError(
            f"Oracle Cloud does not accept this {self._settings.auth.replace('_', ' ')} (asked for {place}).",
            "Check this machine's clock, and that instance, function or pod still exist.",
        )

    def _not_found(self, place: str) -> SourceError:
        if self._tenancy is None:
            return SourceError(
                f"Oracle Cloud says that {place} is not there, or not for this identity (NotAuthorizedOrNotFound).",
                "Check the OCID, the region, and the policy that allows this identity to use it.",
            )
        who = "group" if self._settings.auth == "api_key" else "dynamic-group"
        where = self._settings.endpoint or f"region {self._settings.region or 'of the identity'}"
        return SourceError(
            f"Oracle Cloud says that {place} is not there, or not for this identity (NotAuthorizedOrNotFound; {where}).",
            f"Three causes: 1. the root compartment lacks the policy `define tenancy usage-report as {USAGE_REPORT_TENANCY}`, "
            f"`endorse {who} NAME to read objects in tenancy usage-report`; 2. `tenancy` is not this identity's tenancy; "
            "3. `oci.region` is not the tenancy's home region.",
        )

    def _not_reached(self, error: BaseException, place: str) -> SourceError:
        address = self._settings.endpoint or "Oracle Cloud"
        if _is_tls(error):
            return SourceError(
                f"No secure connection to {address} for {place}: its certificate is not trusted.",
                "Set REQUESTS_CA_BUNDLE to the file of the authority that signed it (a proxy's, perhaps).",
            )
        if any("proxy" in type(item).__name__.lower() for item in _chain(error)):
            return SourceError(f"The proxy on the way to {address} does not answer.", "Correct HTTPS_PROXY or NO_PROXY.")
        return SourceError(
            f"{address} cannot be reached for {place}.",
            "Check `oci.region` and `oci.endpoint`, the network, and whether a proxy is needed (HTTPS_PROXY).",
        )


def _said(error: BaseException) -> str:
    import oci

    if isinstance(error, oci.exceptions.ServiceError):
        return f"{error.status} {error.code}: {error.message}".strip()
    return _short(error)


def _short(error: BaseException) -> str:
    """The kind and first words of an error: the SDK adds the whole request after them."""
    first = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__} {first[:200]}".strip().rstrip(".")


def _fields(errors: Any) -> str:
    return ", ".join(f"{name} is {what}" for name, what in errors.items()) if isinstance(errors, dict) else str(errors)


def _is_tls(error: BaseException) -> bool:
    return any(isinstance(item, ssl.SSLError) or type(item).__name__ == "SSLError" for item in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it: the SDK and its HTTP library wrap errors as arguments, and as ``reason``."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
