"""AWS Organizations on this machine: moto's API over HTTP, which counts what it is asked and fails where a test says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.organizations.models import OrganizationsBackend, organizations_backends
from werkzeug.serving import WSGIRequestHandler, make_server

KEYS = {"access_key": "AKIAORGANIZATIONS", "secret_key": "a-secret-of-the-payer"}


@dataclass
class Fault:
    """What an operation answers instead, ``times`` times after the first ``after`` requests for it."""

    operation: str
    code: str
    times: int = 1
    after: int = 0
    message: str = "not now"

    def applies(self, operation: str, asked_before: int) -> bool:
        return operation == self.operation and self.after <= asked_before < self.after + self.times


class OrganizationsServer:
    """One organisation, of the management account ``account``; ``asked`` are the operations in their order."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.asked: list[str] = []
        self.faults: list[Fault] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.backend.reset()
        self.id = str(self.backend.create_organization("127.0.0.1", FeatureSet="ALL")["Organization"]["Id"])
        self.root = str(self.backend.list_roots()["Roots"][0]["Id"])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def backend(self) -> OrganizationsBackend:
        """What the console of AWS would change."""
        return organizations_backends[self.account]["aws"]

    def add_unit(self, name: str, parent: str | None = None) -> str:
        made = self.backend.create_organizational_unit(ParentId=parent or self.root, Name=name, Tags=[])
        return str(made["OrganizationalUnit"]["Id"])

    def add_account(self, name: str, unit: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        given = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        made = self.backend.create_account(AccountName=name, Email=f"{name}@example.com", Tags=given)
        id_ = str(made["CreateAccountStatus"]["AccountId"])
        if unit is not None:
            self.move(id_, unit)
        return id_

    def move(self, account: str, unit: str) -> None:
        parent = self.backend.get_account_by_id(account).parent_id
        self.backend.move_account(AccountId=account, SourceParentId=parent, DestinationParentId=unit)

    def rename(self, account: str, name: str) -> None:
        self.backend.get_account_by_id(account).name = name

    def remove(self, account: str) -> None:
        self.backend.remove_account_from_organization(AccountId=account)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        before = self.asked.count(operation)
        self.asked.append(operation)
        for fault in self.faults:
            if fault.applies(operation, before):
                body = json.dumps({"__type": fault.code, "Message": fault.message}).encode()
                start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
                return [body]
        answered: Iterable[bytes] = self._moto({**environ, "HTTP_X_MOTO_ACCOUNT_ID": self.account}, start_response)
        return answered

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.backend.reset()


class _Quiet(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        return None
