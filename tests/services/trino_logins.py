"""The run's Trino believes who somebody is on its HTTP port; on its HTTPS port it wants a password, token or certificate."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from tests.services.certificates import make_tls
from tests.services.trino import USER, TrinoServer

PASSWORD = "hunter2hunter2"  # of a server that ends with the run
KEY = b"a key of thirty-two bytes or so!!"


@dataclass(frozen=True)
class Logins:
    """What the HTTPS port shows and takes, as files below the server's folder."""

    folder: Path

    @property
    def own(self) -> Path:
        """The server's ``server.pem`` and ``server.key``, and ``ca.pem`` that vouches for them."""
        return self.folder / "own"

    @property
    def client(self) -> Path:
        """A client's, made for the name 127.0.0.1."""
        return self.folder / "client"

    @property
    def authority(self) -> Path:
        """Who vouches for the server."""
        return self.own / "ca.pem"

    def context(self) -> ssl.SSLContext:
        """TLS of another server with the same certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.own / "server.pem", self.own / "server.key")
        return context


def trino_with_logins(folder: Path) -> TrinoServer:
    """A Trino on that folder that knows ``USER`` by ``PASSWORD`` or ``token``, and the client by its certificate."""
    logins = Logins(folder / "logins")
    for place in (logins.own, logins.client):
        place.mkdir(parents=True)
        make_tls(place)
    keystore, key = logins.folder / "keystore.pem", logins.folder / "jwt.key"
    keystore.write_bytes((logins.own / "server.key").read_bytes() + (logins.own / "server.pem").read_bytes())
    key.write_bytes(base64.b64encode(KEY))
    server = TrinoServer(folder, keystore=keystore)
    server.ask_for_passwords({USER: PASSWORD})
    server.config |= {
        "http-server.https.truststore.path": str(logins.client / "ca.pem"),
        "http-server.authentication.type": "CERTIFICATE,PASSWORD,JWT",
        "http-server.authentication.certificate.user-mapping.pattern": "CN=(.*)",
        "http-server.authentication.jwt.key-file": str(key),
    }
    return server


def token(subject: str = USER, key: bytes = KEY, lifetime: int = 600) -> str:
    """A JWT of that many seconds, signed with a key that Trino shares."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": subject, "exp": int(time.time()) + lifetime}]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(key, text, "sha256")).rstrip(b"=")
    return (text + b"." + signature).decode()
