"""Machines of Oracle Cloud's local server that have an identity of their own: an instance, a pod, a function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.services.oci_identity import Principal, pem_of, shared_private_key


@dataclass(frozen=True)
class Machine:
    """A compute instance: what its metadata service says, and the key of its certificate."""

    principal: Principal
    metadata: dict[str, str]
    public_key: rsa.RSAPublicKey


@dataclass(frozen=True)
class Pod:
    """A pod of an OKE cluster, whose service account has this token."""

    principal: Principal
    service_account_token: str


def make_machine(principal: Principal, region: str) -> Machine:
    """An instance with a certificate that names its tenancy."""
    key = shared_private_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "instance"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"opc-tenant:{principal.tenancy}"),
        ]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    metadata = {
        "instance/region": region,
        "instance/regionInfo": json.dumps({"regionIdentifier": region, "realmDomainComponent": "oraclecloud.com"}),
        "identity/cert.pem": pem,
        "identity/key.pem": pem_of(key),
        "identity/intermediate.pem": pem,
    }
    return Machine(principal, metadata, key.public_key())
