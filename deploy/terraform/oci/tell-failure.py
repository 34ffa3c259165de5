"""Publishes stdin as a message to a topic of OCI Notifications: `tell-failure.py TOPIC TITLE`, as this instance's principal.

Python's own library and openssl only, so that it works before anything is installed. How an instance gets a token, and how
requests are signed: Oracle's documentation, "Calling services from an instance" and "Request signatures".
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from email.utils import formatdate
from pathlib import Path

METADATA = os.environ.get("OCI_METADATA_BASE_URL", "http://169.254.169.254/opc/v2")
MOST_BYTES = 60_000
SECONDS = 20


def ask(url: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """GET, or POST of a body; the answer."""
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - our own addresses
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def metadata(name: str) -> str:
    """What the instance's metadata service says."""
    return ask(f"{METADATA}/{name}", {"Authorization": "Bearer Oracle"}).decode()


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    """What openssl makes of its input."""
    command = ["openssl", *arguments]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


def bare(pem: str) -> str:
    """A certificate or key without its first and last line, on one."""
    return "".join(line for line in pem.split("\n") if line and not line.startswith("-----"))


def signed_post(url: str, document: object, key_id: str, key_file: str, of_host: bool) -> bytes:
    """POST a JSON document with an HTTP signature; the answer's bytes."""
    body, place = json.dumps(document).encode(), urllib.parse.urlsplit(url)
    headers = {
        "date": formatdate(usegmt=True),
        "content-length": str(len(body)),
        "content-type": "application/json",
        "x-content-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    signed = {"date": headers["date"], "(request-target)": f"post {place.path}"}
    signed |= {"host": place.netloc} if of_host else {}
    signed |= {name: headers[name] for name in ("content-length", "content-type", "x-content-sha256")}
    text = "\n".join(f"{name}: {value}" for name, value in signed.items())
    signature = base64.b64encode(openssl("dgst", "-sha256", "-sign", key_file, given=text.encode())).decode()
    headers["authorization"] = (
        f'Signature version="1",keyId="{key_id}",algorithm="rsa-sha256",headers="{" ".join(signed)}",signature="{signature}"'
    )
    return ask(url, headers, body)


def main(topic: str, title: str, text: str) -> None:
    """Get a token for a key of this call's own by the instance's certificate, and publish with it."""
    region = json.loads(metadata("instance/regionInfo"))
    domain = f"{region['regionIdentifier']}.{region['realmDomainComponent']}"
    certificate = metadata("identity/cert.pem")
    subject = openssl("x509", "-noout", "-subject", given=certificate.encode()).decode()
    digest = openssl("x509", "-noout", "-fingerprint", "-sha1", given=certificate.encode()).decode()
    tenancy = re.findall(r"opc-tenant:([^,/+\s]+)", subject)[0]
    with tempfile.TemporaryDirectory() as folder:
        leaf, session = Path(folder, "leaf.pem"), Path(folder, "session.pem")
        leaf.write_text(metadata("identity/key.pem"))
        session.write_bytes(openssl("genrsa", "2048"))
        asked = {
            "certificate": bare(certificate),
            "publicKey": bare(openssl("rsa", "-in", str(session), "-pubout").decode()),
            "intermediateCertificates": [bare(metadata("identity/intermediate.pem"))],
        }
        issuer = os.environ.get("OCI_AUTH_ENDPOINT", f"https://auth.{domain}")
        key_id = f"{tenancy}/fed-x509/{digest.strip().partition('=')[2]}"
        token = json.loads(signed_post(f"{issuer}/v1/x509", asked, key_id, str(leaf), of_host=False))["token"]
        service = os.environ.get("OCI_NOTIFICATION_ENDPOINT", f"https://notification.{domain}")
        message = {"title": title, "body": text.encode()[:MOST_BYTES].decode("utf-8", "ignore")}
        signed_post(f"{service}/20181201/topics/{topic}/messages", message, f"ST${token}", str(session), of_host=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.read())
