"""The HTTP side of Oracle Cloud's local server."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.services.oci_answers import NOT_FOUND, Refused, chunks_of, damaged, public_key
from tests.services.oci_buckets import Bucket, CloudObject, InvalidParameter
from tests.services.oci_identity import NotAuthenticated, Principal

if TYPE_CHECKING:
    from tests.services.oci import OciServer, Seen

MOST_MESSAGE_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_BUCKET = re.compile(r"/n/([^/]+)/b/([^/]+)(/o(?:/(.+))?)?")
_SECRET = re.compile(r"/20190301/secretbundles/([^/]+)")
_INVOICES = "/20191001/invoices"
_TOPIC = re.compile(r"/20181201/topics/([^/]+)/messages")


class OciHttp(ThreadingHTTPServer):
    """Answers for one ``OciServer``."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, cloud: OciServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cloud = cloud

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS where there is a certificate."""
        if self.cloud.tls is None:
            super().finish_request(request, client_address)
        else:
            with self.cloud.tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(cast(socket.socket, secured), client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early, or trusts nobody here, is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: OciHttp
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._headers_in = {name.lower(): value for name, value in self.headers.items()}
        self._cloud = self.server.cloud
        principal, refusal = self._authenticate(parts.path)
        seen = self._seen(parts.path, principal)
        self._cloud.record(seen)
        self._fault = self._cloud.next_fault(seen)
        try:
            if self._fault is not None and self._fault.waits is not None:
                self._fault.waits.wait()
            if self._fault is not None and self._fault.refuses:
                fault = self._fault
                raise Refused(fault.status, fault.code, fault.message, fault.retry_after)
            if refusal is not None:
                raise refusal
            self._route(unquote(parts.path), principal)
        except Refused as refused:
            self._refuse(refused)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names are the base class's

    def _seen(self, path: str, principal: Principal | None) -> Seen:
        from tests.services.oci import Seen

        return Seen(self.command, unquote(path), self._query, self._headers_in, principal.ocid if principal else None)

    def _authenticate(self, path: str) -> tuple[Principal | None, Refused | None]:
        if path.startswith("/opc/v2/") or path in ("/v1/x509", "/resourcePrincipalSessionTokens"):
            return None, None  # They have their own ways.
        try:
            return self._cloud.directory.authenticate(self.command, self.path, self._headers_in, self._body), None
        except NotAuthenticated as error:
            return None, Refused(401, "NotAuthenticated", str(error))

    def _route(self, path: str, principal: Principal | None) -> None:
        if path.startswith("/opc/v2/"):
            self._metadata(path.removeprefix("/opc/v2/"))
        elif path == "/v1/x509":
            self._federate()
        elif path == "/resourcePrincipalSessionTokens":
            self._pod_token()
        elif principal is None:
            raise Refused(*NOT_FOUND)
        elif path in ("/n", "/n/"):
            self._send_json("tenancy-namespace")
        elif match := _BUCKET.fullmatch(path):
            namespace, name, objects, key = match.groups()
            self._bucket((namespace, name), objects is not None, key, principal)
        elif match := _SECRET.fullmatch(path):
            self._secret(match.group(1), principal)
        elif match := _TOPIC.fullmatch(path):
            self._publish(match.group(1), principal)
        elif path == _INVOICES:
            self._invoices(principal)
        else:
            raise Refused(404, "NotFound", "Not Found")

    # Object Storage

    def _bucket(self, place: tuple[str, str], objects: bool, key: str | None, principal: Principal) -> None:
        namespace, name = place
        bucket = self._cloud.buckets.get((namespace, name))
        if principal.tenancy != name and (bucket is None or bucket.tenancy != principal.tenancy):
            raise Refused(*NOT_FOUND)
        if bucket is None or "objects" not in principal.rights:
            raise Refused(
                404,
                "BucketNotFound",
                f"Either the bucket named '{name}' does not exist in the namespace '{namespace}' or you are not authorized to "
                "access it",
            )
        if not objects:
            self._send_json({"namespace": namespace, "name": name, "compartmentId": bucket.tenancy})
        elif key is None:
            try:
                self._send_json(bucket.page(self._query))
            except (InvalidParameter, ValueError) as error:
                raise Refused(400, "InvalidParameter", str(error)) from None
        else:
            self._object(bucket, key)

    def _object(self, bucket: Bucket, key: str) -> None:
        found = bucket.get(key)
        if found is None:
            raise Refused(
                404,
                "ObjectNotFound",
                f"The object '{key}' was not found in the bucket '{bucket.name}' of namespace '{bucket.namespace}'",
            )
        wanted = self._headers_in.get("if-match")
        if wanted is not None and wanted not in (found.etag, "*"):
            raise Refused(
                412, "IfMatchFailed", f"The If-Match header '{wanted}' does not match the ETag of the existing object"
            )
        if self._headers_in.get("if-none-match") == found.etag:
            raise Refused(304, "NotModified", "")
        start, end = self._range(found)
        is_part = "range" in self._headers_in and self.command == "GET"
        self.send_response(206 if is_part else 200)
        self._common_headers()
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{found.size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", found.etag)
        self.send_header("opc-multipart-md5" if found.is_multipart else "Content-MD5", found.md5)
        self.send_header("Last-Modified", format_datetime(found.modified.astimezone(UTC), usegmt=True))
        self.send_header("storage-tier", "Standard")
        for name, value in found.metadata.items():
            self.send_header(f"opc-meta-{name}", value)
        self.end_headers()
        if self.command == "GET":
            self._send_content(found, start, end)

    def _range(self, found: CloudObject) -> tuple[int, int]:
        match = _RANGE.fullmatch(self._headers_in.get("range", ""))
        if match is None or self.command == "HEAD":
            return 0, found.size
        first, last = match.groups()
        if not first:
            return max(found.size - int(last), 0), found.size
        if int(first) >= found.size:
            raise Refused(416, "InvalidRange", f"The range 'bytes={first}-{last}' is not satisfiable")
        return int(first), min(int(last) + 1, found.size) if last else found.size

    def _send_content(self, found: CloudObject, start: int, end: int) -> None:
        fault = self._fault
        if fault is None and found.file is not None and not isinstance(self.connection, ssl.SSLSocket):
            self.wfile.flush()
            with found.file.open("rb") as file:
                while start < end:
                    start += os.sendfile(self.connection.fileno(), file.fileno(), start, end - start)
            return
        left = end - start if fault is None or fault.cut_after is None else min(fault.cut_after, end - start)
        for chunk in chunks_of(found, start, left):
            self.wfile.write(damaged(chunk) if fault is not None and fault.damage else chunk)
        if left < end - start:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    # Vault and Notifications

    def _secret(self, ocid: str, principal: Principal) -> None:
        secret = self._cloud.secrets.get(ocid)
        if secret is None or secret.tenancy != principal.tenancy or "secrets" not in principal.rights:
            raise Refused(*NOT_FOUND)
        self._send_json(
            {
                "secretId": ocid,
                "timeCreated": "2026-01-01T00:00:00.000Z",
                "versionNumber": 1,
                "versionName": None,
                "secretBundleContent": {"contentType": "BASE64", "content": self._cloud.secret_content(ocid)},
                "stages": ["CURRENT", "LATEST"],
                "metadata": None,
            }
        )

    def _publish(self, topic: str, principal: Principal) -> None:
        from tests.services.oci import Published

        if self._cloud.topics.get(topic) != principal.tenancy or "topics" not in principal.rights:
            raise Refused(*NOT_FOUND)
        message = json.loads(self._body)
        if not message.get("body"):
            raise Refused(400, "InvalidParameter", "body must not be empty")
        if len(self._body) > MOST_MESSAGE_BYTES:
            raise Refused(413, "RequestEntityTooLarge", "The message is larger than 64 KB")
        with self._cloud.lock:
            self._cloud.published.append(
                Published(topic, message.get("title"), message["body"], self._headers_in.get("messagetype"))
            )
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._send_json({"messageId": str(uuid.uuid4()), "timeStamp": now}, status=202)

    # The billing gateway

    def _invoices(self, principal: Principal) -> None:
        """Invoices of the tenancy that were issued in the asked span, a page at a time; only the home region knows them."""
        wanted = self._query
        if wanted.get("compartmentId") != principal.tenancy or "invoices" not in principal.rights:
            raise Refused(*NOT_FOUND)
        if wanted.get("ospHomeRegion") != self._cloud.region:
            raise Refused(400, "InvalidParameter", "ospHomeRegion is not the tenancy's home region")
        span = [datetime.fromisoformat(wanted[name]) for name in ("timeInvoiceStart", "timeInvoiceEnd")]
        found = [
            invoice
            for invoice in self._cloud.invoices
            if span[0] <= datetime.fromisoformat(invoice["timeInvoice"]) < span[1]
            and wanted.get("type") in (None, invoice["invoiceType"])
        ]
        start = int(wanted.get("page") or 0)
        end = start + self._cloud.invoices_a_page
        following = {"opc-next-page": str(end)} if end < len(found) else {}
        self._send_json({"items": found[start:end]}, headers=following)

    # Tokens

    def _metadata(self, name: str) -> None:
        machine = self._cloud.machine
        if machine is None or self._headers_in.get("authorization") != "Bearer Oracle" or name not in machine.metadata:
            raise Refused(404, "NotFound", "Not Found")
        self._send(machine.metadata[name].encode(), "text/plain")

    def _federate(self) -> None:
        machine = self._cloud.machine
        if machine is None:
            raise Refused(*NOT_FOUND)
        known = (machine.principal, machine.public_key)
        try:
            self._cloud.directory.check_signature(
                self.command, self.path, self._headers_in, self._body, {"date", "(request-target)"}, known
            )
        except NotAuthenticated as error:
            raise Refused(401, "NotAuthenticated", str(error)) from None
        key = public_key(json.loads(self._body)["publicKey"])
        self._send_json({"token": self._cloud.directory.issue_token(machine.principal, key)})

    def _pod_token(self) -> None:
        pod = self._cloud.pod
        if pod is None or self._headers_in.get("authorization") != f"Bearer {pod.service_account_token}":
            raise Refused(403, "Forbidden", "Forbidden")
        key = public_key(json.loads(self._body)["podKey"])
        token = self._cloud.directory.issue_token(pod.principal, key)
        self._send(base64.b64encode(json.dumps({"token": f"ST${token}"}).encode()), "application/json")

    # Answers

    def _common_headers(self) -> None:
        self.send_header("opc-request-id", self._headers_in.get("opc-request-id", "") or uuid.uuid4().hex.upper())
        if "opc-client-request-id" in self._headers_in:
            self.send_header("opc-client-request-id", self._headers_in["opc-client-request-id"])

    def _send_json(self, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._send(json.dumps(document).encode(), "application/json", status, headers)

    def _send(self, content: bytes, content_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self._common_headers()
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, refused: Refused) -> None:
        content = json.dumps({"code": refused.code, "message": refused.message}).encode() if refused.message else b""
        self.send_response(refused.status)
        self._common_headers()
        if refused.retry_after is not None:
            self.send_header("Retry-After", str(refused.retry_after))
        self.send_header("Content-Type", "application/json")
        # A HEAD has no body that could say why.
        self.send_header("Content-Length", "0" if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""
