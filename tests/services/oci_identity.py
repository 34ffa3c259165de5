"""Who asks Oracle Cloud's local server: keys, tokens, and whether a request's signature is theirs."""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache
from pathlib import Path

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLOCK_SKEW = timedelta(minutes=5)
TOKEN_SECONDS = 20 * 60
RIGHTS = frozenset({"objects", "secrets", "topics", "invoices"})
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_OF_ALL = {"date", "(request-target)", "host"}
_OF_CONTENT = {"content-length", "content-type", "x-content-sha256"}


class NotAuthenticated(Exception):
    """The request is nobody's; the text is what Oracle Cloud says."""


@dataclass
class Principal:
    """A user, instance, function or pod. ``rights`` are what its tenancy's policies allow it."""

    ocid: str
    tenancy: str
    rights: set[str] = field(default_factory=lambda: set(RIGHTS))


@dataclass(frozen=True)
class ApiKey:
    """A user's key, written where a configuration file says."""

    principal: Principal
    key_id: str
    config_file: Path
    key_file: Path
    fingerprint: str


@cache
def shared_private_key() -> rsa.RSAPrivateKey:
    """One key for all users of a test run: making one takes up to a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def fingerprint_of(key: rsa.RSAPublicKey) -> str:
    """As the console shows it: the MD5 of the public key, in pairs."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.md5(der, usedforsecurity=False).digest().hex(":")


def pem_of(key: rsa.RSAPrivateKey) -> str:
    """The private key as text."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Directory:
    """The keys and tokens that are known."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[Principal, rsa.RSAPublicKey]] = {}
        self._signing_key = "the tokens of the local server are signed with this"

    def add_user(self, folder: Path, tenancy: str, region: str, *, profile: str = "DEFAULT") -> ApiKey:
        """A user with an API key; ``folder`` gets (or keeps, with one more profile) a file ``config`` as ~/.oci has it."""
        number = len(self._keys)
        principal = Principal(f"ocid1.user.oc1..user{number:04}", tenancy)
        private = shared_private_key()
        fingerprint = fingerprint_of(private.public_key())
        key_id = f"{tenancy}/{principal.ocid}/{fingerprint}"
        self._keys[key_id] = (principal, private.public_key())
        folder.mkdir(parents=True, exist_ok=True)
        key_file, config_file = folder / f"key{number}.pem", folder / "config"
        for file in (key_file, config_file):
            file.touch(mode=0o600)
        key_file.write_text(pem_of(private), encoding="ascii")
        config = configparser.ConfigParser(interpolation=None)
        config.read(config_file)
        config[profile] = {
            "user": principal.ocid,
            "fingerprint": fingerprint,
            "tenancy": tenancy,
            "region": region,
            "key_file": str(key_file),
        }
        with config_file.open("w", encoding="utf-8") as file_object:
            config.write(file_object)
        return ApiKey(principal, key_id, config_file, key_file, fingerprint)

    def forget(self, key: ApiKey) -> None:
        """The key was deleted in the console."""
        self._keys.pop(key.key_id)

    def issue_token(self, principal: Principal, public: rsa.RSAPublicKey) -> str:
        """A session token for a key, as instances, functions and pods get one."""
        now = int(time.time())
        claims = {
            "sub": principal.ocid,
            "res_tenant": principal.tenancy,
            "res_compartment": principal.tenancy,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": f"{len(self._keys)}",
        }
        token = jwt.encode(claims, self._signing_key, algorithm="HS256")
        self._keys[f"ST${token}"] = (principal, public)
        return token

    def authenticate(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Principal:
        """Who sent this.

        Raises NotAuthenticated where the signature does not hold.
        """
        return self.check_signature(method, target, headers, body, _OF_ALL)

    def check_signature(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        needed: set[str],
        known: tuple[Principal, rsa.RSAPublicKey] | None = None,
    ) -> Principal:
        """The same where other headers are needed, or the key is known from elsewhere (a certificate)."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        given = dict(_FIELD.findall(rest))
        if scheme != "Signature" or given.get("version") != "1" or given.get("algorithm") != "rsa-sha256":
            raise NotAuthenticated("The required information to complete authentication was not provided or was incorrect.")
        found = known or self._keys.get(given.get("keyId", ""))
        if found is None:
            raise NotAuthenticated("The required information to complete authentication was not provided or was incorrect.")
        signed = given.get("headers", "").split()
        wanted = needed | (_OF_CONTENT if method in ("POST", "PUT", "PATCH") else set())
        if not wanted <= set(signed):
            raise NotAuthenticated("The required information to complete authentication was not provided or was incorrect.")
        _check_date(headers.get("date", ""))
        if "x-content-sha256" in signed:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            if digest != headers.get("x-content-sha256"):
                raise NotAuthenticated("The request body does not match x-content-sha256.")
        lines = [
            f"(request-target): {method.lower()} {target}" if item == "(request-target)" else f"{item}: {headers.get(item, '')}"
            for item in signed
        ]
        try:
            found[1].verify(
                base64.b64decode(given["signature"]), "\n".join(lines).encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, ValueError, KeyError):
            raise NotAuthenticated("Failed to verify the HTTP(S) Signature") from None
        return found[0]


def _check_date(text: str) -> None:
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        raise NotAuthenticated("The request's date cannot be read.") from None
    now = datetime.now(UTC)
    if abs(now - then) > CLOCK_SKEW:
        limits = [format_datetime(item, usegmt=True) for item in (now - CLOCK_SKEW, now + CLOCK_SKEW)]
        raise NotAuthenticated(
            f"Date '{text}' is not within allowed clock skew. Current '{format_datetime(now, usegmt=True)}', "
            f"valid datetime range: {json.dumps(limits)}"
        )
