"""The processes of docker-compose.yml without Docker: the same commands and configuration files, other addresses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import yaml

from sample_bills import Bill, BillDelivery, write_delivery
from tests.deploy.compose import DEPLOY, ROOT, written
from tests.services.ports import free_ports
from tests.services.process import ServiceProcess
from tests.services.production import LakeNames, ProductionStack

ETC = "/etc/cost-lakehouse"
START_SECONDS = 300  # a code server imports dagster and dbt, which takes long on a busy machine
# The order in which docker-compose.yml lets them start.
SERVE_TOKEN = "tokenOfWhoAsksOverHttp"
PROCESSES = ("code", "webserver", "daemon")
T = TypeVar("T")


class Deployment:
    """Code server, webserver and daemon on a new lake of a production stack, with sample bills as its only source."""

    def __init__(self, stack: ProductionStack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.etc = folder / "etc"
        self.home = folder / "home"
        self.config = self.etc / "lakehouse.yaml"
        self.names = LakeNames("", "", "")
        self.environment: dict[str, str] = {}
        self._processes: dict[str, ServiceProcess] = {}
        self._code_port, self._web_port = free_ports(2)

    @property
    def url(self) -> str:
        """The UI's address."""
        return f"http://127.0.0.1:{self._web_port}"

    def configure(self, bill: Bill, *deliveries: BillDelivery) -> None:
        """Make the lake, and put the files where docker-compose.yml mounts them."""
        made = self.stack.new_lake(self.folder / "lake")
        self.names = self.stack.names(made)
        self.etc.mkdir()
        self.home.mkdir()
        shutil.copyfile(DEPLOY / "workspace.yaml", self.etc / "workspace.yaml")
        shutil.copyfile(ROOT / "dagster.yaml", self.home / "dagster.yaml")
        document = yaml.safe_load((DEPLOY / "lakehouse.yaml").read_text(encoding="utf-8"))
        document["lake"]["trino"]["catalog"] = self.names.catalog
        document["lake"]["first_month"] = f"{min(bill.months):%Y-%m}"
        document["sources"] = [{"name": "acme", "kind": "aws_cur", "location": str(self.folder / "bills" / bill.location)}]
        self.config.write_text(yaml.safe_dump(document), encoding="utf-8")
        for delivery in deliveries:
            write_delivery(self.folder / "bills", bill, delivery)
        postgres, s3, trino = self.stack.postgres, self.stack.s3, self.stack.trino
        addresses = {
            "LAKEHOUSE_DB": f"{postgres.host}:{postgres.port}/{self.names.database}",
            "LAKEHOUSE_DB_PASSWORD": postgres.password,
            "LAKEHOUSE_WAREHOUSE": self.names.warehouse,
            "LAKEHOUSE_S3_ENDPOINT": s3.endpoint,
            "LAKEHOUSE_S3_REGION": s3.region,
            "LAKEHOUSE_S3_ACCESS_KEY": s3.access_key,
            "LAKEHOUSE_S3_SECRET_KEY": s3.secret_key,
            "LAKEHOUSE_SERVE_TOKEN": SERVE_TOKEN,
            "LAKEHOUSE_TRINO_HOST": trino.host,
            "LAKEHOUSE_TRINO_PORT": str(trino.port),
            "COST_LAKEHOUSE_CODE_HOST": "127.0.0.1",
            "COST_LAKEHOUSE_CODE_PORT": str(self._code_port),
            "COST_LAKEHOUSE_CONFIG": str(self.config),
            "DAGSTER_HOME": str(self.home),
        }
        quiet = {"DAGSTER_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("COST_LAKEHOUSE_", "DAGSTER_"))}
        self.environment = mine | quiet | addresses

    def start(self, *names: str) -> Deployment:
        """Start these processes, or all, where they do not run, each with the variables that docker-compose.yml gives it."""
        for name in names or PROCESSES:
            if name in self._processes:
                continue
            process = ServiceProcess(name, self._command(name), self.folder / f"{name}.log", ROOT, self.variables(name))
            self._processes[name] = process
            if name == "webserver":
                process.wait_until(lambda: self._ask("/server_info"), (OSError,), START_SECONDS)
            elif name == "code":
                process.wait_until(self._code_answers, (OSError,), START_SECONDS)
        return self

    def stop(self, *names: str) -> None:
        """End these processes, or all, the last one started first."""
        for name in names or tuple(reversed(PROCESSES)):
            process = self._processes.pop(name, None)
            if process is not None:
                process.end(signal.SIGTERM)
        if not names and self.names.database:
            self.stack.drop_lake(self.folder / "lake" / "lakehouse.yaml")

    def variables(self, name: str) -> dict[str, str]:
        """Of the addresses and secrets only those that the service is given; the image's own go to all."""
        given = set(written()["services"][name]["environment"])
        return {key: value for key, value in self.environment.items() if not key.startswith("LAKEHOUSE_") or key in given}

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """What the webserver answers."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=240) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def log(self, name: str) -> str:
        """What a process printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _command(self, name: str) -> list[str]:
        """The service's command, with this machine's addresses in place of the container's."""
        ports = {"4000": str(self._code_port), "3000": str(self._web_port), "0.0.0.0": "127.0.0.1"}  # noqa: S104
        program, *arguments = written()["services"][name]["command"]
        here = [ports.get(argument, argument).replace(ETC, str(self.etc)) for argument in arguments]
        return [str(Path(sys.executable).with_name(program)), *here]

    def _ask(self, path: str) -> None:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10):  # noqa: S310 - our own address
            pass

    def _code_answers(self) -> None:
        """The standard health check of gRPC, as Kubernetes makes it."""
        import grpc  # type: ignore[import-untyped]
        from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

        with grpc.insecure_channel(f"127.0.0.1:{self._code_port}") as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=5
                )
            except grpc.RpcError as error:
                raise ConnectionError(str(error)) from error
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConnectionError("not serving yet")


def wait_for(look: Callable[[], T], seconds: float = 120, every: float = 0.5) -> T:
    """What ``look`` returns, as soon as it is something.

    Raises TimeoutError.
    """
    pause = Event()
    for _ in range(int(seconds / every)):
        found = look()
        if found:
            return found
        pause.wait(every)
    raise TimeoutError(f"not within {seconds:g} s")
