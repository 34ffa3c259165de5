"""AWS's STS on this machine: it holds callers to a role's trust policy and gives out keys that a real S3 server takes."""

from __future__ import annotations

import json
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import boto3

from tests.services.s3 import S3Server

READ_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}


@dataclass
class Role:
    """Who may assume it, and what it may do."""

    arn: str
    trusts: set[str] = field(default_factory=set)  # ARNs of users and roles
    external_id: str | None = None
    tokens: set[str] = field(default_factory=set)  # of web identities
    policy: dict[str, Any] = field(default_factory=lambda: READ_ALL)


@dataclass
class Session:
    """Credentials that were given out. ``ended`` is set once the S3 server takes them no more."""

    role: str
    name: str
    key: str
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        account, role = self.role.split(":")[4], self.role.rpartition("/")[2]
        return f"arn:aws:sts::{account}:assumed-role/{role}/{self.name}"


@dataclass(frozen=True)
class Asked:
    """One request: the action's parameters, and the access key and region it was signed with (None: it was not signed)."""

    parameters: dict[str, str]
    key: str | None
    region: str | None


class StsServer(ThreadingHTTPServer):
    """STS in front of ``s3``: sessions are users there, taken away when they end after ``session_seconds``.

    ``users`` are the ARNs by access key; ``roles`` those that can be assumed.
    """

    daemon_threads = True

    def __init__(self, s3: S3Server, session_seconds: float = 3600, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.s3 = s3
        self.session_seconds = session_seconds
        self.scheme = "https" if tls else "http"
        self.users: dict[str, str] = {}
        self.roles: dict[str, Role] = {}
        self.asked: list[Asked] = []
        self.sessions: list[Session] = []
        self.lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._iam = _iam_client(s3.endpoint, s3.access_key, s3.secret_key)

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def add_user(self, arn: str) -> dict[str, str]:
        """The keys of a user who may ask STS, and whom the S3 server does not know."""
        key = f"AKIA{uuid.uuid4().hex[:16].upper()}"
        self.users[key] = arn
        return {"access_key": key, "secret_key": uuid.uuid4().hex}

    def add_role(self, arn: str, **other: Any) -> Role:
        self.roles[arn] = role = Role(arn, **other)
        return role

    def actions(self) -> list[str]:
        return [item.parameters["Action"] for item in self.asked]

    def caller(self, key: str | None) -> str | None:
        """The ARN that a key belongs to."""
        session = next(
            (candidate for candidate in self.sessions if candidate.key == key and not candidate.ended.is_set()), None
        )
        return session.arn if session else self.users.get(key or "")

    def begin(self, role: Role, name: str) -> tuple[Session, str]:
        """A session and its secret key: a user at the S3 server with the role's rights, until it ends."""
        user = f"session-{uuid.uuid4().hex[:10]}"
        self._iam.create_user(UserName=user)
        self._iam.put_user_policy(UserName=user, PolicyName="role", PolicyDocument=json.dumps(role.policy))
        keys = self._iam.create_access_key(UserName=user)["AccessKey"]
        session = Session(role.arn, name, keys["AccessKeyId"])
        self.sessions.append(session)
        timer = threading.Timer(self.session_seconds, self._end, (session, user))
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
        return session, keys["SecretAccessKey"]

    def _end(self, session: Session, user: str) -> None:
        self._iam.delete_access_key(UserName=user, AccessKeyId=session.key)
        session.ended.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self.shutdown()
        self.server_close()


@cache
def _iam_client(endpoint: str, key: str, secret: str) -> Any:
    """Made once: reading IAM's description takes botocore a second."""
    return boto3.session.Session().client(
        "iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


class _Handler(BaseHTTPRequestHandler):
    server: StsServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        signed = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        key, region = (signed[0], signed[2]) if len(signed) > 2 else (None, None)
        asked = Asked(dict(parse_qsl(body)), key, region)
        with self.server.lock:
            self.server.asked.append(asked)
            answers = {
                "GetCallerIdentity": self._tell_caller,
                "AssumeRole": self._assume_role,
                "AssumeRoleWithWebIdentity": self._assume_role_with_web_identity,
            }
            answers[asked.parameters["Action"]](asked)

    def _tell_caller(self, asked: Asked) -> None:
        caller = self.server.caller(asked.key)
        if caller is None:
            self._refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
        else:
            self._answer("GetCallerIdentity", f"<Arn>{caller}</Arn><Account>{caller.split(':')[4]}</Account>")

    def _assume_role(self, asked: Asked) -> None:
        caller, arn = self.server.caller(asked.key), asked.parameters["RoleArn"]
        role = self.server.roles.get(arn)
        if caller is None:
            self._refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
        elif (
            role is None
            or not {caller, _role_of(caller)} & role.trusts
            or role.external_id not in (None, asked.parameters.get("ExternalId"))
        ):  # AWS does not say which of them it is.
            self._refuse("AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}")
        else:
            self._give("AssumeRole", role, asked.parameters["RoleSessionName"])

    def _assume_role_with_web_identity(self, asked: Asked) -> None:
        role = self.server.roles.get(asked.parameters["RoleArn"])
        if role is None or asked.parameters["WebIdentityToken"] not in role.tokens:
            self._refuse("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        else:
            self._give("AssumeRoleWithWebIdentity", role, asked.parameters["RoleSessionName"])

    def _give(self, action: str, role: Role, name: str) -> None:
        session, secret = self.server.begin(role, name)
        ends = datetime.now(UTC) + timedelta(seconds=self.server.session_seconds)
        # No token: the S3 server would look for the session in an STS of its own.
        self._answer(
            action,
            f"<Credentials><AccessKeyId>{session.key}</AccessKeyId><SecretAccessKey>{escape(secret)}</SecretAccessKey>"
            f"<SessionToken></SessionToken><Expiration>{ends.isoformat()}</Expiration></Credentials>",
        )

    def _answer(self, action: str, content: str) -> None:
        self._send(200, f"<{action}Response><{action}Result>{content}</{action}Result></{action}Response>")

    def _refuse(self, code: str, message: str) -> None:
        self._send(403, f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""


def _role_of(caller: str) -> str:
    """The role whose session a caller is: a trust policy names the role."""
    parts = caller.split(":")
    return f"arn:aws:iam::{parts[4]}:role/{parts[5].split('/')[1]}" if parts[5].startswith("assumed-role/") else caller
